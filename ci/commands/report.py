"""`report`: a run in a format for people or for other programs."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.baseline import add_stands_for_argument
from ci.commands.export_results import write_report
from ci.commands.given_runs import add_run_argument, folder_of, given_run, history_file
from ci.errors import ConfigurationError, ExitCode
from ci.reports.base import ReportOptions
from ci.reports.page.folder import MOST_BYTES, lay_out_page
from ci.reports.reasons import PAGE
from ci.reports.registry import REPORTS, load_report
from ci.results.baseline import comparable
from ci.results.history import read_history
from ci.util.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.results.merged import Merged
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = "Writes a run's merged results in a format; docs/commands.md says what each is for."
    parser.epilog = "example: nox -s report -- results/latest --format junit"
    add_run_argument(parser)
    parser.add_argument("--format", choices=tuple(REPORTS), required=True)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="default: named after the format, in the folder of the run, or here; - is standard output",
    )
    where.add_argument(
        "--site",
        type=Path,
        metavar="FOLDER",
        help="of the format html: a folder to be served, with merged.json, a badge, and evidence of what is not green",
    )
    parser.add_argument(
        "--baseline",
        metavar="RUN",
        help="html, comment, step-summary: an earlier run, or the address of its merged.json: what changed since",
    )
    add_stands_for_argument(parser)
    group = parser.add_argument_group("of the format html")
    group.add_argument(
        "--evidence",
        type=Path,
        metavar="FOLDER",
        help="where the shards lie, each in a folder of its own as CI fetches them; default: the run's folder",
    )
    group.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="earlier runs for strips; default: history/SUITE.jsonl, if it is there",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    merged = given_run(arguments.run_given)
    report = load_report(arguments.format)
    given = Path(arguments.run_given)
    options = ReportOptions(
        urls={},
        log_dir=".",
        folder=arguments.evidence or folder_of(arguments.run_given),
        baseline=_baseline(merged, arguments),
        reasons=_reasons(os.environ),
        history=read_history(arguments.history or history_file(merged.suite.name))
        if arguments.format == "html"
        else (),
    )
    if arguments.site is not None:
        return _site(merged, options, arguments, console)
    rendered = report.render(merged, options)
    content = rendered if isinstance(rendered, bytes) else rendered.encode()
    if arguments.output == Path("-"):
        sys.stdout.write(content.decode())
        return ExitCode.GREEN
    output: Path = arguments.output or (given if given.is_dir() else Path()) / report.file_name
    write_report(output, content)
    console.info(f"{arguments.format}: {output}")
    return ExitCode.GREEN


def _baseline(merged: Merged, arguments: argparse.Namespace) -> Merged | None:
    if arguments.baseline is None:
        return None
    return comparable(given_run(arguments.baseline), merged, dict(arguments.stands_for))


def _reasons(environment: Mapping[str, str]) -> str:
    """The page about reason codes: on GitHub at the commit that was run, elsewhere by its name."""
    server = environment.get("GITHUB_SERVER_URL")
    # In somebody else's workflow, this is the repository that the action is of.
    for repository, commit in (("GITHUB_ACTION_REPOSITORY", "GITHUB_ACTION_REF"), ("GITHUB_REPOSITORY", "GITHUB_SHA")):
        if server and environment.get(repository) and environment.get(commit):
            return f"{server}/{environment[repository]}/blob/{environment[commit]}/{PAGE}"
    return PAGE


def _site(merged: Merged, options: ReportOptions, arguments: argparse.Namespace, console: Console) -> ExitCode:
    if arguments.format != "html":
        raise ConfigurationError(
            "export-file", f"the format {arguments.format} has no site", hint="leave out --site, or take --format html"
        )
    site: Path = arguments.site
    try:
        made = lay_out_page(merged, options, site)
    except OSError as error:
        raise ConfigurationError(
            "export-file",
            f"cannot write {error.filename or site}: {error.strerror or error}",
            hint="check the owner of the folder and the space on its disk",
        ) from error
    console.info(f"html: {site / 'index.html'}, with {counted(made.files, 'file')} of evidence")
    if made.left_out:
        console.warn(
            f"no room for {counted(made.left_out, 'file')} of evidence: {MOST_BYTES >> 20} MiB are kept, red first"
        )
    return ExitCode.GREEN
