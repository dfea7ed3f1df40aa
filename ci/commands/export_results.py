"""`export-results`: merged results in a format that other programs read."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.commands.workspace import Workspace, add_selection_arguments
from ci.errors import ConfigurationError, ExitCode
from ci.reports.base import ReportOptions
from ci.reports.registry import REPORTS, load_report
from ci.reports.site import Site, lay_out
from ci.results.merged_file import read_merged
from ci.suites.registry import known_suites
from ci.util.atomic import write_atomically
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.merged import Merged
    from ci.terminal.console import Console

__all__ = ["configure", "run", "write_report"]

# A folder's name that is nothing else in a URL either.
RUN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:-]*")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Formats: quic-interop-runner is the JSON of the QUIC Interop Runner, for the suites quic and "
        "webtransport. docs/results-format.md describes them."
    )
    parser.epilog = "example: nox -s export-results -- --suite quic --run nightly --format quic-interop-runner"
    parser.add_argument("merged", nargs="?", type=Path, metavar="MERGED.JSON", help="default: the run's")
    parser.add_argument("--format", choices=tuple(REPORTS), required=True)
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: result.json beside the merged results"
    )
    add_selection_arguments(parser)
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help="default: results")
    parser.add_argument("--run", dest="run_name", metavar="NAME", help="default: $INTEROP_RUN, else the latest")
    group = parser.add_argument_group("of the format quic-interop-runner")
    group.add_argument(
        "--no-auto-unsupported",
        metavar="NAME[,NAME…]",
        help="versions whose failures are never turned into `unsupported` for want of a single success, '*' for all; "
        "default: the only client or the only server",
    )
    group.add_argument("--log-dir", metavar="NAME", help="where readers find the logs; default: the run's name")
    group.add_argument(
        "--site",
        type=Path,
        metavar="FOLDER",
        help="lay out what that runner's web page reads there: result.json and the logs, by names the page can show",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    path: Path | None = arguments.merged
    if path is None:
        path = arguments.results / workspace.finished_run(arguments.run_name, arguments.results) / "merged.json"
        console.info(f"results: {path}")
    merged = read_merged(path, known_suites())
    report = load_report(arguments.format)
    runs = [shard.run for shard in merged.shards if shard.run is not None]
    log_dir: str = arguments.log_dir or next(iter(runs), "logs")
    urls = {name: version.url for name, version in workspace.versions.items() if version.url is not None}
    options = ReportOptions(urls=urls, log_dir=log_dir, never_automatic=arguments.no_auto_unsupported)
    rendered = report.render(merged, options)
    content = rendered if isinstance(rendered, bytes) else rendered.encode()
    if arguments.site is None:
        output: Path = arguments.output or path.with_name(report.file_name)
        write_report(output, content)
        console.info(f"{arguments.format}: {output}")
        if report.has_page:
            console.info("next: the same with --site FOLDER lays out what the web page reads, the logs with it")
        return ExitCode.GREEN
    if arguments.output is not None:
        raise ConfigurationError(
            "export-file", "--output and --site both say where to write", hint="leave one of them out"
        )
    if not report.has_page:
        raise ConfigurationError(
            "export-file",
            f"the format {arguments.format} has no web page",
            hint="leave out --site, or name a format that has",
        )
    site = _lay_out(merged, content, path.parent, arguments.site, log_dir)
    console.info(f"{arguments.format}: {site.folder}")
    if site.without_logs:
        cases = counted(len(site.without_logs), "case")
        console.warn(f"without logs beside {path}: {cases}; the first is {site.without_logs[0]}")
    console.info(f"next: serve {arguments.site} as `logs/SUITE` of the page")
    return ExitCode.GREEN


def _lay_out(merged: Merged, content: bytes, results: Path, folder: Path, log_dir: str) -> Site:
    if not RUN.fullmatch(log_dir):
        raise ConfigurationError(
            "run-name",
            f"{log_dir!r} cannot be the folder of a run in {folder}",
            hint="give --log-dir letters, digits, `.`, `:`, `_` and `-`, and no `.` or `-` at its beginning",
        )
    try:
        return lay_out(merged, content, results=results, site=folder, log_dir=log_dir)
    except OSError as error:
        raise ConfigurationError(
            "export-file",
            f"cannot write {error.filename or folder}: {error.strerror or error}",
            hint="check the folder's owner and the space on its disk",
        ) from error


def write_report(path: Path, content: bytes) -> None:
    """:raises ConfigurationError: it cannot be written"""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
    except OSError as error:
        raise ConfigurationError(
            "export-file",
            f"cannot write {path}: {error.strerror or error}",
            hint="check the owner of the file's folder and the space on its disk",
        ) from error
