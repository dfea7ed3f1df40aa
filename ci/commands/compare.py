"""`compare`: two runs, case by case: what is newly red, what it was run on then and now, what it has in common."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ci.commands.baseline import changes
from ci.commands.bisect import add_bisect_arguments, bisect
from ci.commands.given_runs import folder_of, given_run
from ci.commands.package_lists import package_differences
from ci.errors import ExitCode
from ci.reports.comparison import as_document, as_lines, as_markdown
from ci.results.comparison import Change, compare
from ci.util.json_document import canonical

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]

FORMATS = ("text", "markdown", "json")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Says of each case what became of it: newly failing with what those have in common and what they were run on "
        "then and now, changed reason, newly unsupported, newly flaky, missing, still failing, fixed, new, removed."
    )
    parser.epilog = "example: nox -s compare -- results/last-week results/latest --format markdown"
    parser.add_argument("base", metavar="BASE", help="folder of a run, a merged.json, or the http(s) address of one")
    parser.add_argument("head", metavar="HEAD", help="the same, of the run that is held against it")
    parser.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    parser.add_argument(
        "--fail-on",
        type=changes,
        default=(Change.NEWLY_FAILING,),
        metavar="CHANGE[,CHANGE…]",
        help="exit 1 if any of these happened to a case that was not expected to; default: newly-failing",
    )
    add_bisect_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    base = given_run(arguments.base)
    comparison = compare(base, given_run(arguments.head, known={it.key: it.case for it in base.cases}))
    proved = tuple(bisect(comparison, arguments, console)) if arguments.bisect else ()
    if arguments.format == "json":
        sys.stdout.write(canonical(as_document(comparison, proved)).decode() + "\n")
    elif arguments.format == "markdown":
        sys.stdout.write(as_markdown(comparison, proved))
    else:
        for line in package_differences(comparison, folder_of(arguments.base), folder_of(arguments.head)):
            console.info(line)
        for line in as_lines(comparison, proved):
            console.info(line)
    return ExitCode.FAILED if comparison.gating(arguments.fail_on) else ExitCode.GREEN
