"""`doctor`: what this host offers, what is missing and what that affects, and whether the main job can run."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.doctor_checks.examine import Examined, examine
from ci.commands.doctor_checks.table import as_data, show
from ci.commands.workspace import Workspace
from ci.errors import ConfigurationError, ExitCode
from ci.terminal.spelling import say_next

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "example: nox -s doctor -- --json\nExit status 0: the main job can run here; 6: no engine can be used; "
        "2: versions.yaml has mistakes."
    )
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument(
        "--versions", type=Path, default=Path("versions.yaml"), metavar="FILE", help="default: versions.yaml"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    here = Examined(catalogue=_catalogue(arguments.versions), results=arguments.results, environment=os.environ)
    diagnosis = examine(here)
    if arguments.json:
        sys.stdout.write(json.dumps(as_data(diagnosis), indent=2) + "\n")
    else:
        show(console, diagnosis)
        if diagnosis.exit_code is ExitCode.GREEN:
            say_next(console, "interop")
    return diagnosis.exit_code


def _catalogue(path: Path) -> Workspace | ConfigurationError:
    try:
        return Workspace.at(path)
    except ConfigurationError as error:
        return error
