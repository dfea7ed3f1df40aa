"""The commands, a line each. A command's module is imported when that command is asked for, and not before."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

__all__ = ["COMMANDS", "Command"]


@dataclass(frozen=True)
class Command:
    """A command as it is typed.

    :param module: in this package; has `configure`, which gives a parser the command's arguments
    :param help: its line among all commands
    """

    name: str
    module: str
    help: str

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Give a parser the command's arguments, and its `run`."""
        importlib.import_module(f"ci.commands.{self.module}").configure(parser)


COMMANDS: Final = (
    Command("interop", "interop", "the whole job on this machine: build, run, merge, dashboard"),
    Command("list", "list_cases", "the cases selected, how many, and the cost estimate; --why: those left out, too"),
    Command("build-images", "build_images", "build or fetch the images of the selected versions"),
    Command("run-shard", "run_shard", "run a deterministic slice of the cases"),
    Command("merge-results", "merge_results", "reconcile the shards' results with the plan"),
    Command("update-readme", "update_readme", "write the dashboard of a suite between its markers in the README"),
    Command("publish-pages", "publish_pages", "put a run's page into the branch that is served as the project's pages"),
    Command("export-results", "export_results", "write merged results in a format that other programs read"),
    Command("report", "report", "a run as JUnit XML, CSV, JSON Lines, badge, Prometheus text or step summary"),
    Command(
        "report-pull-request",
        "report_pull_request",
        "what a pull request's run has made, as a check and a comment on it",
    ),
    Command("compare", "compare", "two runs, case by case: what is newly red, and what those cells have in common"),
    Command("expect", "expect", "entries for what a run came to and nobody expected, as a diff to review"),
    Command("history", "history", "what cells came to, run after run: a strip, last good and bad, flaky or not"),
    Command("rerun", "rerun", "what a run left open once more, on the same images and seeds; merged with the run"),
    Command("repro", "repro", "one case in the foreground, as often as it takes"),
    Command("check-image", "check_image", "hold one image to the container contract"),
    Command("doctor", "doctor", "what this host offers, what is missing, and what that affects"),
    Command("gc", "gc", "remove this project's own leftovers, by label and age, and nothing else"),
    Command("init", "init", "begin a new implementation, or a new version of one that is here"),
)
