"""`list`: which cases are selected and ignored, why, and what they will cost."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from ci.commands.engine_choice import add_image_arguments
from ci.commands.plan_ci import add_plan_arguments, plan_ci
from ci.commands.workspace import Workspace, add_selection_arguments, selection_words
from ci.errors import ExitCode
from ci.plan.shard import MAXIMUM_SHARDS, slices_of
from ci.terminal.spelling import say_next
from ci.util.arguments import whole_number
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example: nox -s list -- --select 'js and py' --ignore mplex --why"
    add_selection_arguments(parser)
    parser.add_argument("--why", action="store_true", help="list what is left out too, and what decided each case")
    parser.add_argument("--json", action="store_true", help="the plan as one JSON document")
    parser.add_argument(
        "--shards",
        type=whole_number("--shards", minimum=1, maximum=MAXIMUM_SHARDS),
        metavar="N",
        help="also say how N shards would share the work",
    )
    add_plan_arguments(parser)
    add_image_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    if arguments.plan_ci is not None:
        return plan_ci(arguments, workspace, console)
    plan = workspace.plan
    if arguments.json:
        sys.stdout.write(plan.to_json())
        return ExitCode.GREEN
    for one in plan.cases if arguments.why else plan.selected:
        what, why = ("selected " if one.selected else "ignored  ", f"  ({one.why})") if arguments.why else ("", "")
        console.info(f"{what}{one.seconds:6.1f} s  {one.case.name}{why}")
    selected, left_out = len(plan.selected), len(plan.cases) - len(plan.selected)
    console.info(
        f"{selected} of {counted(len(plan.cases), 'case')} selected, {plan.seconds / 60:.1f} min one after the other"
        + (f"; --why lists the other {left_out} too" if left_out and not arguments.why else "")
    )
    for index, slice_ in enumerate(slices_of(plan, arguments.shards) if arguments.shards else (), 1):
        seconds = sum(one.seconds for one in slice_)
        console.info(f"shard {index}/{arguments.shards}: {counted(len(slice_), 'case')}, {seconds / 60:.1f} min")
    console.info(f"plan {plan.digest}")
    say_next(console, "interop", *selection_words(arguments))
    return ExitCode.GREEN
