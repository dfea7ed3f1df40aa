"""`report-pull-request`: what a pull request's run has made, said beside it, by a job that runs none of its code."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci.commands.given_runs import given_run
from ci.commands.workspace import VERSIONS, Workspace
from ci.errors import ConfigurationError, ExitCode, NothingSelectedError
from ci.reports.base import ReportOptions
from ci.reports.comparison import summary
from ci.reports.expectations import closing
from ci.reports.formats.summary import COMMENT, STEP_SUMMARY
from ci.reports.markdown import code
from ci.results.baseline import comparable
from ci.results.comparison import Change, Comparison, compare
from ci.results.submission import KnownPlan, Submission, submissions
from ci.suites.registry import SUITES, known_suites
from ci.util.atomic import write_atomically
from ci.util.github import GitHub
from ci.util.given_files import read_given
from ci.util.json_document import decode
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.merged import Merged
    from ci.terminal.console import Console

__all__ = ["configure", "run"]

OWN_PLAN: Final = (
    "This ran another plan than the branch has: versions, sources or cases that the pull request changes. "
    "Cases of one name are compared."
)
_NOTHING: Final = "The run has made no results: it was cancelled, or failed before it had any.\n"
# GitHub refuses a summary of a check that is longer.
MOST_CHECK_BYTES: Final = 60_000


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "For a workflow that begins when the one of a pull request has ended: examines the artifacts which that has "
        "made, refuses by name what is not what it should be, and writes a step summary, a check and a comment, what "
        "changed first. Needs GITHUB_TOKEN, GITHUB_REPOSITORY and GITHUB_EVENT_PATH, as GitHub sets them."
    )
    parser.epilog = "example: nox -s report-pull-request -- downloaded --baseline https://owner.github.io/name"
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with a folder per artifact, report-SUITE")
    parser.add_argument(
        "--baseline", metavar="URL", help="of the published pages: what is there at SUITE/merged.json is compared with"
    )
    parser.set_defaults(run=run)


@dataclass(frozen=True, kw_only=True)
class _Said:
    """:param conclusion: as GitHub's checks have it"""

    suite: str
    conclusion: str
    title: str
    comment: str | None
    summary: str


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    commit = _commit_of_event(os.environ)
    folder: Path = arguments.folder
    found = list(submissions(folder, known_suites(), _plans)) if folder.is_dir() else []
    said = [_say(it, arguments.baseline, console) for it in found]
    if not said:
        said = [_Said(suite="interop", conclusion="neutral", title="no results", comment=None, summary=_NOTHING)]
    _summarize("\n".join(it.summary for it in said), os.environ)
    for it in said:
        console.info(f"{it.suite}: {it.conclusion}: {it.title}")
    github = _github(os.environ)
    for it in said:
        github.put_check(
            commit, name=f"interop: {it.suite}", conclusion=it.conclusion, title=it.title, summary=it.summary
        )
    number = github.pull_request_of(commit)
    if number is None:
        console.info(f"no open pull request has {commit} as its newest commit: nothing to comment on")
    else:
        for it in said:
            if it.comment is not None:
                github.put_comment(number, it.comment)
    # What the pull request makes worse is the check's business, and nobody's who looks after this workflow.
    return ExitCode.FAILED if any(it.refused is not None for it in found) else ExitCode.GREEN


@lru_cache
def _plans(suite: str) -> Collection[KnownPlan]:
    """The whole matrix of this checkout, and the part that pull requests run."""
    workspace = replace(Workspace.at(VERSIONS), suite=SUITES[suite])
    found = []
    for quick in (False, True):
        try:
            plan = replace(workspace, quick=quick).plan
        except NothingSelectedError:
            continue
        found.append(KnownPlan(digest=plan.digest, cases=frozenset(one.case.key for one in plan.selected)))
    return found


def _say(submission: Submission, pages: str | None, console: Console) -> _Said:
    suite = submission.name.removeprefix("report-")
    merged = submission.merged
    if merged is None:
        title = f"{submission.name} is refused"
        text = f"{code(submission.name)} is refused: {code(submission.refused or '', 400)}\n"
        console.error(f"{submission.name} is refused: {submission.refused}")
        return _Said(suite=suite, conclusion="failure", title=title, comment=None, summary=text)
    baseline = None
    if pages is not None:
        baseline = comparable(given_run(f"{pages.rstrip('/')}/{suite}/merged.json"), merged, {})
    options = ReportOptions(urls={}, log_dir=".", baseline=baseline)
    note = f"\n{OWN_PLAN}\n" if submission.own_plan else ""
    comparison = None if baseline is None else compare(baseline, merged)
    red = _unwanted(merged, comparison)
    return _Said(
        suite=suite,
        conclusion="failure" if red else "success",
        title=red or (closing(merged) if comparison is None else summary(comparison)),
        comment=COMMENT.render(merged, options) + note,
        summary=STEP_SUMMARY.render(merged, options)[:MOST_CHECK_BYTES] + note,
    )


def _unwanted(merged: Merged, comparison: Comparison | None) -> str:
    """What keeps it from being green, in a few words; nothing where nothing does."""
    if comparison is None:
        return "" if merged.exit_code() is ExitCode.GREEN else closing(merged)
    worse = comparison.gating([Change.NEWLY_FAILING])
    return f"{counted(len(worse), 'case')} newly failing" if worse else ""


def _commit_of_event(environment: Mapping[str, str]) -> str:
    """The commit whose run has ended, of GitHub's word and not of what the run has made."""
    path = environment.get("GITHUB_EVENT_PATH", "")
    try:
        event: Any = decode(read_given(Path(path), most_bytes=16 << 20)) if path else {}
        commit = str(event["workflow_run"]["head_sha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "no-workflow-run",
            "GITHUB_EVENT_PATH names no event of the kind `workflow_run`",
            why="this is for a workflow that begins when another one has ended",
            hint="see .github/workflows/report.yml",
        ) from error
    if re.fullmatch("[0-9a-f]{40,64}", commit) is None:
        raise ConfigurationError("no-workflow-run", "the event names no commit")
    return commit


def _github(environment: Mapping[str, str]) -> GitHub:
    token, repository = (environment.get(name, "") for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY"))
    if not token or not repository:
        raise ConfigurationError(
            "no-token", "GITHUB_TOKEN or GITHUB_REPOSITORY is not set", hint="see .github/workflows/report.yml"
        )
    return GitHub(environment.get("GITHUB_API_URL") or "https://api.github.com", repository, token)


def _summarize(text: str, environment: Mapping[str, str]) -> None:
    if path := environment.get("GITHUB_STEP_SUMMARY"):
        write_atomically(Path(path), text.encode())
