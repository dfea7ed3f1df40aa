"""`interop`: the whole job on this machine, from sources to a dashboard."""

from __future__ import annotations

import argparse
import os
import shlex
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.baseline import add_baseline_arguments, baseline_of, compared, verdict
from ci.commands.build_images import print_report
from ci.commands.engine_choice import backend_to_run_on
from ci.commands.merge_results import add_proof_argument, add_strict_argument, merge_run, report
from ci.commands.run_shard import (
    Images,
    add_run_arguments,
    engine_to_go_on_with,
    exit_code,
    repro_words,
    run_one_shard,
)
from ci.commands.workspace import Workspace, add_selection_arguments
from ci.engines.backend import Backend
from ci.errors import ExitCode
from ci.images.base import Image, ImageReport, Unavailable
from ci.plan.shard import Shard
from ci.reports.expectations import closing
from ci.reports.markers import check_file, update_file
from ci.results.aggregate import CaseVerdict
from ci.results.merged_file import write_merged
from ci.results.shard_file import shard_folder
from ci.suites.dashboards import body_of, matrix_table, refuse_part, standalone
from ci.terminal.progress import humane
from ci.terminal.spelling import say_next, spelled
from ci.util.atomic import write_atomically
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.merged import Merged
    from ci.terminal.console import Console
    from ci.terminal.progress import Progress

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example: nox -s interop -- --quick --select 'py and go'"
    add_selection_arguments(parser)
    parser.add_argument(
        "--all", action="store_true", help="all selected cases, also where --quick is the default: on local processes"
    )
    add_run_arguments(parser)
    add_proof_argument(parser)
    add_strict_argument(parser)
    add_baseline_arguments(parser)
    parser.add_argument(
        "--readme",
        type=Path,
        default=Path("README.md"),
        metavar="FILE",
        help="with --write: where the dashboard goes; default: README.md",
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="update the README itself; else the dashboard is a file of its own beside the results",
    )
    parser.add_argument(
        "--partial",
        action="store_true",
        help="with --write: put this run's results in the place of the published ones and leave all others",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    began = time.monotonic()
    workspace = Workspace.from_arguments(arguments)
    baseline = baseline_of(arguments)
    # Before anything has run: a README that is not there, or has no place for the dashboard, would lose it.
    check_file(arguments.readme, "", workspace.suite.words.marker)
    # A run of its own each time, so that a second one measures again instead of finding everything finished.
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    arguments.run_name = arguments.run_name or f"{moment}-{os.getpid()}"
    engine = engine_to_go_on_with(arguments, shard_folder(arguments.results, arguments.run_name, "1/1"), console)
    backend = backend_to_run_on(engine, arguments, workspace, console, run=arguments.run_name)
    console.info(backend.why)
    workspace = _cut_to_size(workspace, backend, arguments, console)
    if arguments.write and not arguments.partial:
        # Before anything has run: nobody waits for a dashboard that is then refused.
        refuse_part(len(workspace.plan.selected), len(workspace.plan.cases) - len(workspace.plan.selected))

    def provide(cases: Sequence[Case], pool: ThreadPoolExecutor, progress: Progress) -> Images:
        return _provide(backend, workspace, cases, pool, console, progress)

    folder, summary = run_one_shard(arguments, workspace, Shard(1, 1), backend, provide, console, listed_later=True)
    if summary.cancelled:
        console.info(spelled(f"to go on: {_again(arguments)}"))
        return ExitCode.INTERRUPTED
    merged = merge_run(workspace, [folder])
    write_merged(folder.parent / "merged.json", merged)
    matrix_table(console, merged)
    report(merged, console, require_proof=arguments.require_proof)
    console.info(_pace(merged, began, summary.first_at), style="bold")

    if arguments.write:
        readme: Path = arguments.readme
        update_file(readme, body_of(merged, part=arguments.partial), merged.suite.marker)
    else:
        readme = folder.parent / "README.md"
        write_atomically(readme, standalone(merged).encode())
    console.info(f"dashboard: {readme}")
    console.info(f"results:   {folder}")
    console.info(closing(merged), style="bold")
    unexpected = next((case for case in merged.cases if case.verdict is CaseVerdict.UNEXPECTED), None)
    if unexpected is not None:
        say_next(console, "repro", *repro_words(arguments, unexpected.name), purpose="a red cell again")
    else:
        words = [*merged.suite.option, *(["--partial"] if merged.unselected else [])]
        say_next(console, "update-readme", *words, purpose=f"into {arguments.readme}")
    worse = ExitCode.GREEN
    if baseline is not None:
        worse = verdict(arguments, compared(arguments, baseline, merged), console)
    own = merged.exit_code(
        require_proof=arguments.require_proof,
        # Red cells are what the comparison is about.
        accept_red=arguments.accept_red or baseline is not None,
        strict=arguments.strict,
    )
    return worse or own or exit_code(summary, accept_red=True)


def _cut_to_size(workspace: Workspace, backend: Backend, arguments: argparse.Namespace, console: Console) -> Workspace:
    """What a first look on a machine without Docker takes, unless told otherwise: a true matrix, but a small one."""
    arguments.quick = (arguments.quick or backend.small) and not arguments.all
    if not arguments.quick:
        return workspace
    whole = workspace.plan.selected if not workspace.quick else replace(workspace, quick=False).plan.selected
    versions = {name: workspace.versions[name] for it in whole for name in it.case.pair}
    missing = {name: backend.provider.missing_requirement(version) for name, version in versions.items()}
    unfit = {name: why for name, why in missing.items() if why is not None}
    for why in dict.fromkeys(unfit.values()):
        console.info(f"not run: {', '.join(name for name in unfit if unfit[name] == why)}: {why}", style="dim")
    able = sum(set(unfit).isdisjoint(it.case.pair) for it in whole)
    quick = replace(workspace, quick=True, unfit=unfit)
    console.info(
        f"quick: {len(quick.plan.selected)} of the {counted(able, 'case')} that can run here, enough for each version "
        "to dial each other over each transport they share; --all runs them all"
    )
    return quick


def _provide(
    backend: Backend,
    workspace: Workspace,
    cases: Sequence[Case],
    pool: ThreadPoolExecutor,
    console: Console,
    progress: Progress,
) -> Images:
    """Begin to build: a case can start as soon as its own two versions are there, while others still build."""
    ids = {name for case in cases for name in case.pair}
    versions = tuple(version for version in workspace.catalogue.versions if version.id in ids)
    versions = (*workspace.suite.auxiliary_images.needed(cases, workspace.simulator), *versions)
    images: dict[str, Future[Image | Unavailable]] = {version.id: Future() for version in versions}

    def done(line: ImageReport) -> None:
        print_report(line, console)
        images[line.version].set_result(line.image)

    def work() -> None:
        try:
            backend.provide(versions, done, progress.building)
        except BaseException as error:
            # Cases that wait for an image have to learn that it will never come.
            for image in images.values():
                if not image.done():
                    image.set_exception(error)

    pool.submit(work)
    return images


def _again(arguments: argparse.Namespace) -> str:
    """The command that goes on with this run."""
    words = [it for it in arguments.words if it != "--fresh"]
    named = any(it == "--run" or it.startswith("--run=") for it in words)
    return shlex.join(["nox", "-s", "interop", "--", *([] if named else ["--run", arguments.run_name]), *words])


def _pace(merged: Merged, began: float, first_at: float | None) -> str:
    ran = sum(any(attempt.outcome.conclusive for attempt in case.briefs) for case in merged.cases)
    first = "" if first_at is None else f", the first result after {humane(first_at - began)}"
    return f"{ran} of {counted(len(merged.cases), 'case')} ran in {humane(time.monotonic() - began)}{first}"
