"""`merge-results`: all shards against the plan; says of every planned case what became of it."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.closing_table import closing_table
from ci.commands.workspace import RUN_VARIABLE, Workspace, add_selection_arguments, weights_of
from ci.errors import ConfigurationError, ExitCode
from ci.model import Proof
from ci.plan.shard import assign
from ci.plan.weights import load_weights, save_weights
from ci.reports.expectations import closing, expected_lines, stale_lines
from ci.reports.reasons import PAGE
from ci.results.aggregate import CaseVerdict
from ci.results.host_load import load_note
from ci.results.merge import find_shards, merge, plan_of_shards
from ci.results.merged import Merged, MergedCase
from ci.results.merged_file import write_merged
from ci.results.records import shard_numbers
from ci.results.shard_file import read_start
from ci.suites.dashboards import green_cases, matrix_table
from ci.suites.registry import known_suites
from ci.terminal.spelling import say_next
from ci.util.given_files import read_given
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["add_proof_argument", "add_strict_argument", "configure", "merge_run", "report", "run"]

MOST_NAMES = 40
UNPROVED = "passed, but neither side reported the stack that it negotiated"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reconciles all shards with the plan: that of the selection given here, which must be the one they "
        "were run with; without one the shards' own, where all agree."
    )
    parser.epilog = "example: nox -s merge-results -- --run nightly"
    parser.add_argument(
        "folders", nargs="*", type=Path, metavar="FOLDER", help="of one shard or of several; default: the run's"
    )
    add_selection_arguments(parser)
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.add_argument("--run", dest="run_name", metavar="NAME", help="default: $INTEROP_RUN, else the latest")
    parser.add_argument("--accept-red", action="store_true", help="exit 0 although cells are red")
    parser.add_argument("--require-complete", action="store_true", help="exit 4 if any image could not be had")
    parser.add_argument("--fail-on-flaky", action="store_true", help="exit 1 if a case passed only on a retry")
    add_proof_argument(parser)
    parser.add_argument(
        "--no-worse-than", type=Path, metavar="README", help="exit 1 if a case is not green that is green there"
    )
    add_strict_argument(parser)
    parser.add_argument("--matrix", action="store_true", help="show the matrix too")
    parser.add_argument(
        "--record-weights",
        action="store_true",
        help="keep how long each case took, by which later runs are balanced; to be committed",
    )
    parser.set_defaults(run=run)


def add_strict_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--strict",
        action="store_true",
        help="exit 1 if a case passed that was expected to be red, or an expectation expired, is said of no case or "
        "gives no reason; else each is a warning",
    )


def add_proof_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--require-proof",
        action="store_true",
        help="exit 1 if a case passed although neither side reported the stack that it negotiated",
    )


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    given: list[Path] = arguments.folders
    run_folder = None if given else arguments.results / workspace.finished_run(arguments.run_name, arguments.results)
    merged = merge_run(workspace, given if run_folder is None else [run_folder])
    if merged.plan != workspace.plan.digest:
        console.info(f"plan: the shards' own, {merged.suite}, of {counted(len(merged.cases), 'case')}")
    run_folder = run_folder or _folder_for(merged, workspace, arguments)
    path = run_folder / "merged.json"
    write_merged(path, merged)
    if merged.altered:
        more = len(merged.altered) - MOST_NAMES
        rest = f"\n  and {more} more, all of them in merged.json" if more > 0 else ""
        console.warn(
            "evidence that is not what its record says; it was changed, or damaged on its way here:\n  "
            + "\n  ".join(merged.altered[:MOST_NAMES])
            + rest
        )
    if arguments.matrix:
        matrix_table(console, merged)
    report(merged, console, require_proof=arguments.require_proof)
    console.info(closing(merged), style="bold")
    console.info(f"merged: {path}")
    if arguments.record_weights:
        _record_weights(merged, weights_of(merged.suite))
    if arguments.no_worse_than and (worse := _worse(merged, arguments.no_worse_than)):
        console.error(f"green in {arguments.no_worse_than} and not here:\n  " + "\n  ".join(worse))
        return ExitCode.FAILED
    words = [*_found_at(path, workspace), *merged.suite.option]
    say_next(console, "update-readme", *words, *(["--partial"] if merged.unselected else []))
    return merged.exit_code(
        require_complete=arguments.require_complete,
        fail_on_flaky=arguments.fail_on_flaky,
        require_proof=arguments.require_proof,
        accept_red=arguments.accept_red,
        strict=arguments.strict,
    )


def _folder_for(merged: Merged, workspace: Workspace, arguments: argparse.Namespace) -> Path:
    """Where the merged results of given shards belong: in the named run's folder, else in the one that holds them all.

    Only shards without such a folder are given one, named after their plan.
    """
    given: list[Path] = arguments.folders
    if not (arguments.run_name or os.environ.get(RUN_VARIABLE)):
        beside = {shard.resolve().parent for shard in find_shards(given)}
        if len(beside) > 1 and len(given) == 1:
            return given[0]
        if len(beside) == 1:
            parent, here = beside.pop(), Path.cwd()
            return parent.relative_to(here) if parent.is_relative_to(here) else parent
    results: Path = arguments.results
    return results / workspace.run_name(arguments.run_name, plan=merged.plan)


def _found_at(path: Path, workspace: Workspace) -> list[str]:
    """What the next command has to be told of these merged results; nothing where it takes them by itself."""
    results = Path("results")
    usual = results / workspace.finished_run(None, results) / path.name
    return [] if usual.resolve() == path.resolve() else [str(path)]


def merge_run(workspace: Workspace, folders: list[Path]) -> Merged:
    """The run of these shards, by the workspace's plan; where nothing was selected in it, by the shards' own.

    :raises ConfigurationError: see `ci.results.merge.merge`
    """
    shards = find_shards(folders)
    starts = [start for it in shards if (start := read_start(it)) is not None]
    plan = workspace.plan
    if workspace.everything and {start.plan for start in starts} - {plan.digest}:
        own = plan_of_shards(shards, known_suites())
        plan = (
            own if own is not None and (workspace.suite.words is own.suite or workspace.suite.words.implied) else plan
        )
    cases = [one.case for one in plan.selected]
    seconds = {one.name: one.seconds for one in plan.selected}
    owed: dict[str, str] = {}
    for count in {shard_numbers(start.shard)[1] for start in starts}:
        for index, of_shard in enumerate(assign(cases, seconds, count), 1):
            owed |= {case.key: f"{index}/{count}" for case in of_shard}
    known = workspace.expected
    return merge(shards, plan, suites=known_suites(), shard_of=owed, expected=known.by_key, idle=known.idle)


def report(merged: Merged, console: Console, *, require_proof: bool = False) -> None:
    """What a person wants to know, the worst last so that it stays on the screen.

    :param require_proof: a case whose stack is only believed is red
    """
    closing_table(console, merged)
    if (note := load_note(attempt for case in merged.cases for attempt in case.briefs)) is not None:
        console.warn(note)
    reasons: dict[str, int] = {}
    for case in merged.cases:
        if case.verdict is CaseVerdict.GREY and case.result.reason is not None:
            reasons[case.result.reason.text] = reasons.get(case.result.reason.text, 0) + 1
    for text, count in sorted(reasons.items()):
        console.info(f"not run: {counted(count, 'case')}: {text}")
    believed = [f"{case.name}: {UNPROVED}" for case in merged.cases if case.result.proof is Proof.BELIEVED]
    _list(console, "red" if require_proof else "believed", believed)
    _list(console, "expected", expected_lines(merged))
    _list(console, "flaky", _of(merged, CaseVerdict.FLAKY))
    for line in (*merged.neglected, *(f"passed, expected to be red: {it}" for it in stale_lines(merged))):
        console.warn(line)
    if any(
        case.verdict in (CaseVerdict.UNEXPECTED, CaseVerdict.ERROR, CaseVerdict.INCOMPLETE) for case in merged.cases
    ):
        console.info(f"what each reason means, and what to do: {PAGE}")
    _list(console, "red", _of(merged, CaseVerdict.UNEXPECTED))
    _list(console, "error", _of(merged, CaseVerdict.ERROR))
    _list(console, "missing", _of(merged, CaseVerdict.INCOMPLETE))


def _of(merged: Merged, meaning: CaseVerdict) -> list[str]:
    return [_with_reason(case) for case in merged.cases if case.verdict is meaning]


def _with_reason(case: MergedCase) -> str:
    other = f" (not as `{case.expectation.id}` says)" if case.expectation is not None and case.differs else ""
    return f"{case.name}{other}{_and(_why(case))}"


def _why(case: MergedCase) -> str:
    # The tail of a build log is told once, with the image, not with each of its cells.
    return case.result.reason.text.splitlines()[0] if case.result.reason else ""


def _and(why: str) -> str:
    return f": {why}" if why else ""


def _list(console: Console, title: str, lines: list[str]) -> None:
    for line in lines[:MOST_NAMES]:
        console.info(f"{title}: {line}")
    if len(lines) > MOST_NAMES:
        console.info(f"{title}: and {len(lines) - MOST_NAMES} more, all of them in merged.json")


def _record_weights(merged: Merged, path: Path) -> None:
    """Only what was measured replaces what is known; cases that did not run keep their weight."""
    seconds = load_weights(path)
    for case in merged.cases:
        total = [it.durations["total"] for it in case.attempts if it.outcome.conclusive and "total" in it.durations]
        if total:
            seconds[case.name] = total[0] / 1000
    save_weights(path, seconds)


def _worse(merged: Merged, readme: Path) -> list[str]:
    try:
        green = {case.name for case in green_cases(read_given(readme).decode(), merged.suite)}
    except (OSError, ValueError) as error:
        raise ConfigurationError("no-dashboard", f"{readme} cannot be read: {error}") from error
    except ConfigurationError as error:
        message = f"{readme}: {error.message}"
        raise ConfigurationError(error.reference, message, why=error.why, hint=error.hint) from error
    compared = [case for case in merged.cases if case.name in green]
    if not compared:
        raise ConfigurationError(
            "nothing-to-compare",
            f"none of the cases of this run is green in {readme}",
            why="it holds no dashboard, or one of other versions",
            hint="compare with the dashboard of the same versions.yaml",
        )
    return [case.name for case in compared if case.verdict is not CaseVerdict.GREEN]
