"""`update-readme`: the dashboard between the markers, and nothing else."""

from __future__ import annotations

import argparse
import os
import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.given_runs import history_file
from ci.commands.workspace import Workspace, add_selection_arguments
from ci.errors import ConfigurationError, ExitCode, IncompleteError
from ci.reports.markers import check_file, update_file
from ci.reports.publish import push_dashboard
from ci.results.history import add_run, runs_of
from ci.results.merged import Merged, ShardState
from ci.results.merged_file import read_merged
from ci.suites.dashboards import body_of
from ci.suites.registry import SUITES, known_suites, suite_of
from ci.terminal.spelling import say_next

if TYPE_CHECKING:
    from collections.abc import Callable

    from ci.terminal.console import Console

__all__ = ["add_to_history", "configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example: nox -s update-readme -- --check"
    parser.add_argument("merged", nargs="?", type=Path, metavar="MERGED.JSON", help="default: the run's")
    add_selection_arguments(parser)
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.add_argument("--run", dest="run_name", metavar="NAME", help="default: $INTEROP_RUN, else the latest")
    parser.add_argument("--readme", type=Path, default=Path("README.md"), metavar="FILE", help="default: README.md")
    parser.add_argument(
        "--partial",
        action="store_true",
        help="put this run's results in the place of the published ones and leave all others; the dashboard says so",
    )
    parser.add_argument(
        "--page", metavar="URL", help="where the results lead to; default: the run of the CI provider, if it is one"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--check", action="store_true", help="change nothing, exit 1 if the file is out of date")
    group.add_argument(
        "--push", metavar="BRANCH", help="commit it, and the run to history/, to this branch of `origin` and push"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    path = arguments.merged
    if path is None:
        workspace = Workspace.from_arguments(arguments)
        path = arguments.results / workspace.finished_run(arguments.run_name, arguments.results) / "merged.json"
        console.info(f"results: {path}")
    merged = read_merged(path, known_suites())
    # Nobody has asked for the implied suite who says nothing.
    if arguments.suite != merged.suite.name and not SUITES[arguments.suite].words.implied:
        raise ConfigurationError(
            "suite-mixture",
            f"{path} holds results of the suite {merged.suite}, not {arguments.suite}",
            hint="leave out --suite, or give the results of that suite",
        )
    body = body_of(merged, part=arguments.partial, run_url=arguments.page or _run_url())
    readme: Path = arguments.readme
    if arguments.check:
        drift = check_file(readme, body, merged.suite.marker)
        if drift is None:
            console.info(f"{readme} is up to date")
            return ExitCode.GREEN
        console.error(f"{readme} is out of date:\n{drift}")
        say_next(console, "update-readme", *_without_check(arguments))
        return ExitCode.FAILED
    if arguments.push:
        _refuse_unfinished(merged, path, Workspace.from_arguments(arguments), part=arguments.partial)
        commit = push_dashboard(
            Path.cwd(),
            str(readme),
            body,
            branch=arguments.push,
            marker=merged.suite.marker,
            others=_history(merged),
        )
        console.info(f"pushed {commit} to {arguments.push}" if commit else f"{arguments.push} is up to date")
        return ExitCode.GREEN
    changed = update_file(readme, body, merged.suite.marker)
    console.info(f"{readme} updated" if changed else f"{readme} is up to date")
    if changed:
        console.info(f"next: git diff {shlex.quote(str(readme))}")
    return ExitCode.GREEN


def _history(merged: Merged) -> dict[str, Callable[[Path], bool]]:
    """The file that remembers the run and its re-runs, and what adds them."""
    return {history_file(merged.suite.name).as_posix(): partial(add_to_history, merged=merged)}


def add_to_history(path: Path, merged: Merged) -> bool:
    """Remember a run and its re-runs; whether that changed anything."""
    try:
        remembered = runs_of(merged)
    except ConfigurationError:
        return False  # all of it was taken over from earlier runs, which are in there
    added = [add_run(path, it) for it in remembered]
    return any(added)


def _refuse_unfinished(merged: Merged, path: Path, workspace: Workspace, *, part: bool) -> None:
    """Nothing is published of which shards are missing, nor a whole that is not the whole of this checkout.

    :raises IncompleteError: `unfinished`
    :raises ConfigurationError: `plan-mixture`
    """
    missing = [shard.shard for shard in merged.shards if shard.state is not ShardState.COMPLETE]
    if missing or not merged.shards_complete or not merged.shards:
        raise IncompleteError(
            "unfinished",
            f"{path} is not published: {', '.join(missing) or 'every shard'} did not report all of its cases",
            why="a shard was cancelled or lost, or its results were not fetched",
            hint="run the shard again and merge once more",
        )
    if not part and merged.plan != replace(workspace, suite=suite_of(merged.suite)).plan.digest:
        raise ConfigurationError(
            "plan-mixture",
            f"{path} is not published: it is of another plan than the whole matrix of this checkout",
            why="it was run at another commit, or with other versions",
            hint="check out the commit that was run, or run it again",
        )


def _without_check(arguments: argparse.Namespace) -> list[str]:
    """The words that write what `--check` has only looked at."""
    words = [str(arguments.merged)] if arguments.merged is not None else []
    words += SUITES[arguments.suite].words.option
    words += [] if str(arguments.results) == "results" else ["--results", str(arguments.results)]
    words += ["--run", arguments.run_name] if arguments.run_name else []
    words += [] if str(arguments.readme) == "README.md" else ["--readme", str(arguments.readme)]
    return [*words, "--partial"] if arguments.partial else words


def _run_url() -> str | None:
    """Where a reader of the cells finds the run, where a CI provider says so."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
    server, repository, number = (os.environ.get(name) for name in names)
    return f"{server}/{repository}/actions/runs/{number}" if server and repository and number else None
