"""`interop`: the whole job on this machine, from sources to a dashboard."""

from __future__ import annotations

import argparse
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.build_images import archives, build
from ci.commands.merge_results import merge_run, report
from ci.commands.run_shard import add_run_arguments, repro_command, run_one_shard
from ci.engines.daemon import Daemon, connect
from ci.errors import ExitCode
from ci.fold import CaseVerdict
from ci.merged import write_merged
from ci.report.dashboard import render
from ci.report.markers import update_file
from ci.report.terminal import matrix_table
from ci.shard import Shard
from ci.workspace import Workspace, add_selection_arguments

if TYPE_CHECKING:
    from ci.console import Console

__all__ = ["add_parser", "run"]

MOST_REPRO_LINES = 10


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "interop",
        help="the whole job on this machine: build, run, merge, dashboard",
        epilog="example: nox -s interop -- --select 'py and go'",
    )
    add_selection_arguments(parser)
    add_run_arguments(parser)
    parser.add_argument("--readme", type=Path, default=Path("README.md"), metavar="FILE", help="default: README.md")
    parser.add_argument("--write", action="store_true", help="update the README itself, not a scratch copy of it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    daemon = Daemon(connect(), run="images")
    version = daemon.call(daemon.api.version)["Version"]
    console.info(f"engine: docker {version}, because it answers")
    built = build(workspace, workspace.selected_versions, daemon, console, archives(arguments))

    # A run of its own each time, so that a second one measures again instead of finding everything finished.
    moment = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    arguments.run_name = arguments.run_name or f"{moment}-{workspace.run_name(None)[:6]}"
    folder, summary = run_one_shard(arguments, workspace, Shard(1, 1), console)
    if summary.cancelled:
        console.info(f"to go on: nox -s interop -- --run {arguments.run_name}")
        return ExitCode.INTERRUPTED
    merged = merge_run(workspace, [folder])
    write_merged(folder.parent / "merged.json", merged)
    matrix_table(console, merged)
    report(merged, console)

    readme: Path = arguments.readme
    if not arguments.write:
        readme = folder.parent / readme.name
        shutil.copyfile(arguments.readme, readme)
    update_file(readme, render(merged))
    console.info(f"dashboard: {readme}")
    console.info(f"results:   {folder}")
    red = [case.name for case in merged.cases if case.verdict is CaseVerdict.UNEXPECTED]
    for name in red[:MOST_REPRO_LINES]:
        console.info(f"to run a red cell again: {repro_command(arguments, name)}")
    return merged.exit_code(accept_red=arguments.accept_red) or built
