"""`expect`: entries for what a run came to and nobody expected, as a diff to review."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.given_runs import add_run_argument, given_run
from ci.commands.workspace import Workspace, add_version_arguments
from ci.config.expectations import appended
from ci.errors import ConfigurationError, ExitCode
from ci.plan.proposals import as_yaml, propose, removable
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.suggest import shown_path
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Proposes an entry of `expectations:` for each group of cells that are red or flaky and were not expected to "
        "be, limited to the cells that the run had. Nothing is written without --write; reasons and links are for you."
    )
    parser.epilog = "example: nox -s expect -- results/latest --write"
    add_run_argument(parser)
    add_version_arguments(parser)
    parser.add_argument("--write", action="store_true", help="add the entries to versions.yaml; comments stay")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    merged = given_run(arguments.run_given)
    for name in removable(merged):
        console.warn(f"expectation `{name}` was met by no case of this run: remove it, if that is meant")
    proposals = propose(merged, workspace.catalogue)
    if not proposals:
        console.info("nothing to add: whatever is red was expected to be")
        return ExitCode.GREEN
    path: Path = arguments.versions
    before = read_given(path).decode()
    after = appended(before, str(path), as_yaml(proposals))
    for line in difflib.unified_diff(
        before.splitlines(), after.splitlines(), str(path), f"{path} (proposed)", lineterm="", n=1
    ):
        sys.stdout.write(line + "\n")
    cells = counted(sum(len(it.cases) for it in proposals), "cell")
    entries = f"{len(proposals)} {'entry' if len(proposals) == 1 else 'entries'}"
    if not arguments.write:
        console.info(f"{entries} for {cells}; --write adds them to {shown_path(path)}")
        return ExitCode.GREEN
    try:
        write_atomically(path, after.encode())
    except OSError as error:
        raise ConfigurationError("no-versions-file", f"cannot write {path}: {error.strerror or error}") from error
    console.info(f"{entries} for {cells} added to {shown_path(path)}: say why in each `reason`, and where in `link`")
    return ExitCode.GREEN
