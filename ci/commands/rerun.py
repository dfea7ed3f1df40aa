"""`rerun`: what a run left open once more, on the same images and seeds; merged with the run, whose records stay."""

from __future__ import annotations

import argparse
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.case_runs import add_case_arguments, add_time_arguments, by_digest, open_cases
from ci.commands.engine_choice import add_engine_argument, add_image_arguments, backend_to_run_on
from ci.commands.merge_results import add_strict_argument, merge_run, report
from ci.commands.run_shard import add_worker_argument, engine_of, repro_command, start_of
from ci.commands.workspace import Workspace, add_version_arguments
from ci.errors import ConfigurationError, ExitCode, NothingSelectedError
from ci.images.base import Unavailable
from ci.model import ReasonCode
from ci.plan.selection import Fitting
from ci.reports.expectations import closing
from ci.results.merge import find_shards
from ci.results.merged_file import write_merged
from ci.results.plan_file import PLAN_FILE
from ci.results.rerun import outstanding, recorded
from ci.results.shard_file import ResultsWriter, shard_folder
from ci.runner.shard import Runner, Settings
from ci.suites.registry import SUITES
from ci.terminal.interrupts import interruptible
from ci.terminal.progress import Progress
from ci.util.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci.engines.backend import Backend
    from ci.images.base import Image, Provider
    from ci.model import Case, Version
    from ci.results.merged import Merged
    from ci.runner.shard import Summary
    from ci.terminal.console import Console

__all__ = ["configure", "exit_code", "pinned", "run"]

SHARD = "1/1"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Runs again what failed unexpectedly, broke the harness or has no result, or what is selected: on the images "
        "and with the seeds that were recorded, keeping all evidence. What comes of it is merged with the run."
    )
    parser.epilog = "example: nox -s rerun -- downloaded/results 'listener:py-v0.8'"
    parser.add_argument("folder", type=Path, metavar="RUN", help="folder that holds its shards: of a run, or fetched")
    parser.add_argument("selection", nargs="*", metavar="SELECTION", help="these cases of it, whatever they came to")
    add_version_arguments(parser)
    group = parser.add_argument_group("how to run")
    add_worker_argument(group)
    add_time_arguments(group)
    add_case_arguments(group)
    add_image_arguments(parser)
    add_engine_argument(parser)
    add_strict_argument(parser)
    parser.set_defaults(run=run, captures="all")


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    folder: Path = arguments.folder
    merged = merge_run(workspace, [folder])
    workspace = replace(workspace, suite=SUITES[merged.suite.name])
    cases = _chosen(merged, workspace, arguments.selection)
    if not cases:
        console.info("nothing to run again: no case failed unexpectedly, broke the harness or is without a result")
        return merged.exit_code(strict=arguments.strict)
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    name = f"rerun-{moment}-{os.getpid()}"
    engine = engine_of(arguments, (it.engine for case in merged.cases for it in case.briefs), console)
    backend = backend_to_run_on(engine, arguments, workspace, console, run=name)
    console.info(backend.why)
    if _run_again(arguments, workspace, backend, merged, cases, name, console).cancelled:
        return ExitCode.INTERRUPTED
    # Among the shards of the run, so that merging these includes it.
    after = merge_run(workspace, [folder])
    write_merged(folder / "merged.json", after)
    report(after, console)
    console.info(f"merged: {folder / 'merged.json'}")
    console.info(closing(after), style="bold")
    return exit_code(after, cases, console, strict=arguments.strict)


def _chosen(merged: Merged, workspace: Workspace, selection: Sequence[str]) -> list[Case]:
    if not selection:
        return [it.case for it in outstanding(merged)]
    all_cases = [it.case for it in merged.cases]
    found = Fitting(all_cases, workspace.catalogue.resolver).any_of(selection)
    if not found:
        raise NothingSelectedError("nothing-selected", "the run has no case that fits", hint="`list` shows their names")
    return [all_cases[index] for index in sorted(found)]


def _run_again(
    arguments: argparse.Namespace,
    workspace: Workspace,
    backend: Backend,
    merged: Merged,
    cases: Sequence[Case],
    name: str,
    console: Console,
) -> Summary:
    known = recorded(merged, cases)
    versions = _versions(workspace, cases)
    folder = shard_folder(arguments.folder, name, SHARD)
    plan = find_shards([arguments.folder])[0] / PLAN_FILE
    start = start_of(name, merged.plan, SHARD, rerun=True)
    console.info(f"run {name}: {counted(len(cases), 'case')} again")
    with (
        ResultsWriter(folder, start) as writer,
        interruptible(console, stop=backend.provider.stop) as cancelled,
        ThreadPoolExecutor(max_workers=4, thread_name_prefix="image") as pool,
        Progress(console, len(cases), arguments.workers, alone=[case.name for case in cases if case.alone]) as progress,
    ):
        shutil.copyfile(plan, folder / PLAN_FILE)
        auxiliary = workspace.suite.auxiliary_images.needed(cases, workspace.simulator)
        images = {it.id: pool.submit(backend.provider.find, it) for it in auxiliary}
        images |= {it.id: pool.submit(pinned, backend.provider, it, known.digests) for it in versions}
        progress.awaits(images.values())
        runner = Runner(
            case_runner=open_cases(arguments, workspace, backend, cases, images, folder, seeds=known.seeds),
            writer=writer,
            start=start,
            folder=folder,
            progress=progress,
            settings=Settings(
                workers=arguments.workers,
                retries=0,
                repro=partial(repro_command, arguments),
                replaces=known.references,
            ),
            cancelled=cancelled,
        )
        summary = runner.run(cases, images)
        if not (summary.cancelled or summary.lost):
            writer.finish(planned=len(cases), reported=len(summary.outcomes))
    if summary.lost is not None:
        raise summary.lost
    return summary


def _versions(workspace: Workspace, cases: Sequence[Case]) -> list[Version]:
    ids = dict.fromkeys(name for case in cases for name in case.pair)
    if unknown := [name for name in ids if name not in workspace.versions]:
        raise ConfigurationError(
            "unknown-version",
            f"the run has versions that versions.yaml does not list: {', '.join(unknown)}",
            why="it was made with another versions.yaml, or with --extra-versions",
            hint="give the same files",
        )
    return [workspace.versions[name] for name in ids]


def pinned(provider: Provider, version: Version, digests: Mapping[str, str]) -> Image | Unavailable:
    """The image that was recorded, and no other; of a version without a record, the one there is."""
    found = provider.find(version)
    wanted = digests.get(version.id)
    if wanted is None or (not isinstance(found, Unavailable) and found.digest == wanted):
        return found
    again = by_digest(provider, version, wanted)
    if isinstance(again, Unavailable):
        text = f"the image that {version.id} was run on, {wanted[:19]}, is not here any more"
        return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text=text)
    return again


def exit_code(merged: Merged, again: Sequence[Case], console: Console, *, strict: bool) -> ExitCode:
    """7 where only cases are outstanding that were not run again.

    :param again: what was
    """
    chosen = {case.key for case in again}
    still = outstanding(merged)
    elsewhere = [it for it in still if it.key not in chosen]
    if elsewhere and len(elsewhere) == len(still):
        cases = counted(len(elsewhere), "case")
        console.info(f"what was run again is as it should be, but {cases} of the run still outstanding")
        return ExitCode.OUTSTANDING
    return merged.exit_code(strict=strict)
