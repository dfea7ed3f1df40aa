"""`history`: what cells came to, run after run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.given_runs import given_run, history_file
from ci.commands.workspace import Workspace, add_version_arguments
from ci.errors import ConfigurationError, ExitCode
from ci.plan.case_lookup import find_case
from ci.reports.history import case_lines, proposals
from ci.results.history import add_run, read_history, runs_of
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "With a CASE: a strip of its results, when it was last green and last not, with images, and whether it is "
        "flaky. Without: which cells are flaky and which expectations may go. With --add: remembers a run."
    )
    parser.epilog = 'example: nox -s history -- "py-v0.8 x go-v0.51 (webrtc-direct)"'
    parser.add_argument("case", nargs="*", metavar="CASE", help="its name as `list` prints it, in quotes")
    parser.add_argument(
        "--add", metavar="RUN", help="folder of a run, a merged.json, or the http(s) address of one, to be remembered"
    )
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="of the history; default: history/SUITE.jsonl, one for each suite"
    )
    add_version_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    if arguments.add is not None:
        return _add(arguments, console)
    workspace = Workspace.from_arguments(arguments)
    path: Path = arguments.file or history_file(workspace.suite.name)
    runs = read_history(path)
    if not runs:
        raise ConfigurationError(
            "no-history",
            f"{path} remembers no run",
            hint="nox -s history -- --add results/latest",
        )
    if arguments.case:
        case = find_case(" ".join(arguments.case), workspace.catalogue.versions, workspace.suite)
        for line in case_lines(case, runs):
            console.info(line)
        return ExitCode.GREEN
    cases = workspace.suite.cases(workspace.catalogue.of(workspace.suite.words))
    found = list(proposals(runs, {case.key: case.name for case in cases}, workspace.expected.by_key))
    for line in found:
        console.info(line)
    console.info(f"{counted(len(runs), 'run')}, {'nothing to do' if not found else counted(len(found), 'proposal')}")
    return ExitCode.GREEN


def _add(arguments: argparse.Namespace, console: Console) -> ExitCode:
    if arguments.case:
        raise ConfigurationError("bad-value", "--add takes a run, and no CASE", hint="leave one of them out")
    for remembered in runs_of(given_run(arguments.add)):
        path: Path = arguments.file or history_file(remembered.suite)
        if add_run(path, remembered):
            console.info(f"{counted(len(remembered.cells), 'cell')} of run {remembered.run} added to {path}")
        else:
            console.info(f"run {remembered.run} is in {path} already")
    return ExitCode.GREEN
