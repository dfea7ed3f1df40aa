"""A run that is held against a published one, so that only what it makes worse fails."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ci.commands.given_runs import given_run
from ci.commands.step_outputs import write_step_outputs
from ci.errors import ConfigurationError, ExitCode
from ci.reports.comparison import as_lines
from ci.results.baseline import held_against
from ci.results.comparison import Change, compare
from ci.util.suggest import did_you_mean, shown

if TYPE_CHECKING:
    import argparse

    from ci.results.comparison import Comparison
    from ci.results.merged import Merged
    from ci.terminal.console import Console

__all__ = ["add_baseline_arguments", "add_stands_for_argument", "baseline_of", "changes", "compared", "verdict"]


def add_baseline_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("against what others have published")
    group.add_argument(
        "--baseline",
        metavar="RUN",
        help="a run, its merged.json, or the address of one: say what changed since, and fail on that alone",
    )
    add_stands_for_argument(group)
    group.add_argument(
        "--fail-on",
        type=changes,
        default=(Change.NEWLY_FAILING,),
        metavar="CHANGE[,CHANGE…]",
        help="what fails with --baseline, where nobody expected it; default: newly-failing",
    )


def add_stands_for_argument(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--stands-for",
        type=_standing,
        action="append",
        default=[],
        metavar="MINE=THEIRS",
        help="hold a version that the baseline does not have against one that it has; may be repeated",
    )


def _standing(text: str) -> tuple[str, str]:
    mine, equals, theirs = text.partition("=")
    if not mine or not equals or not theirs:
        raise ConfigurationError(
            "bad-value", f"--stands-for: `{shown(text)}` is no pair of versions", hint="--stands-for mine=go-v0.51"
        )
    return mine, theirs


def changes(text: str) -> tuple[Change, ...]:
    """The value of `--fail-on`."""
    known = [it.value for it in Change]
    found = []
    for word in text.split(","):
        if word not in known:
            raise ConfigurationError(
                "bad-value",
                f"--fail-on: `{word}` is no change{did_you_mean(word, known)}",
                hint=f"the changes are {', '.join(known)}",
            )
        found.append(Change(word))
    return tuple(found)


def baseline_of(arguments: argparse.Namespace) -> Merged | None:
    """The run that was named; asked for before anything has run.

    :raises ConfigurationError: it cannot be had
    """
    return None if arguments.baseline is None else given_run(arguments.baseline)


def compared(arguments: argparse.Namespace, base: Merged, head: Merged) -> Comparison:
    """:raises ConfigurationError: see `held_against`"""
    return compare(held_against(base, head, dict(arguments.stands_for)), head)


def verdict(arguments: argparse.Namespace, comparison: Comparison, console: Console) -> ExitCode:
    """Say what changed, on GitHub to the next step, too; fail where something did that is not to."""
    for line in as_lines(comparison):
        console.info(line)
    gating = comparison.gating(arguments.fail_on)
    newly = len(comparison.gating([Change.NEWLY_FAILING]))
    try:
        write_step_outputs({"newly-failing": str(newly)}, os.environ)
    except ConfigurationError as error:
        console.warn(error.message)  # the run is done, and what came of it counts
    return ExitCode.FAILED if gating else ExitCode.GREEN
