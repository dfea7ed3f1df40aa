"""`publish-pages`: a run's page, results and evidence into the branch that is served as the project's pages."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.given_runs import history_file
from ci.commands.update_readme import add_to_history
from ci.errors import ConfigurationError, ExitCode
from ci.reports.pages_branch import copy_folder, push_pages
from ci.results.merged_file import read_merged
from ci.suites.registry import known_suites

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Puts a folder that `report --site` has written in the place of the suite's on a branch of `origin`, and "
        "pushes it. Nothing is pushed where nothing changed."
    )
    parser.epilog = "example: nox -s publish-pages -- site --branch gh-pages"
    parser.add_argument("site", type=Path, metavar="FOLDER", help="written by `report --format html --site FOLDER`")
    parser.add_argument("--branch", required=True, help="the branch that is served")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    site: Path = arguments.site
    if not (site / "index.html").is_file():
        raise ConfigurationError(
            "no-site", f"{site} holds no index.html", hint="nox -s report -- RUN --format html --site FOLDER"
        )
    merged = read_merged(site / "merged.json", known_suites())
    remembered = history_file(merged.suite.name)

    def fill(replaced: Path, folder: Path) -> None:
        copy_folder(site, folder)
        history = folder / "history.jsonl"
        # All runs are remembered here; the file in the checkout has those that changed the dashboard.
        earlier = next((it for it in (replaced / history.name, remembered) if it.is_file()), None)
        if earlier is not None:
            shutil.copyfile(earlier, history)
        add_to_history(history, merged)

    commit = push_pages(Path.cwd(), merged.suite.name, fill, branch=arguments.branch)
    console.info(f"pushed {commit} to {arguments.branch}" if commit else f"{arguments.branch} is up to date")
    return ExitCode.GREEN
