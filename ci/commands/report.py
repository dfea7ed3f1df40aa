"""`report`: a run in a format for people or for other programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.export_results import write_report
from ci.commands.given_runs import add_run_argument, given_run
from ci.errors import ExitCode
from ci.reports.base import ReportOptions
from ci.reports.registry import REPORTS, load_report

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Writes a run's merged results in a format; docs/commands.md says what each is for."
    parser.epilog = "example: nox -s report -- results/latest --format junit"
    add_run_argument(parser)
    parser.add_argument("--format", choices=tuple(REPORTS), required=True)
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: named after the format, in the folder of the run, or here; - is standard output",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    merged = given_run(arguments.run_given)
    report = load_report(arguments.format)
    rendered = report.render(merged, ReportOptions(urls={}, log_dir="."))
    content = rendered if isinstance(rendered, bytes) else rendered.encode()
    if arguments.output == Path("-"):
        sys.stdout.write(content.decode())
        return ExitCode.GREEN
    given = Path(arguments.run_given)
    output: Path = arguments.output or (given if given.is_dir() else Path()) / report.file_name
    write_report(output, content)
    console.info(f"{arguments.format}: {output}")
    return ExitCode.GREEN
