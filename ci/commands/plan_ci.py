"""`list --plan-ci`: the jobs of a CI run, which images to build and which shards to run, and why so many."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from ci.commands.engine_choice import backend_for, image_choice
from ci.commands.step_outputs import write_step_outputs
from ci.commands.workspace import folders_of
from ci.engines.registry import AUTO
from ci.errors import EngineError, ExitCode, NothingSelectedError
from ci.model import BuildRecipe, Version
from ci.plan.ci_jobs import Demand, JobLimits, ShardChoice, choose_shards
from ci.plan.shard import assign, slots_held
from ci.suites.registry import SUITES
from ci.util.arguments import whole_number

if TYPE_CHECKING:
    from ci.commands.workspace import Workspace
    from ci.engines.backend import Backend
    from ci.terminal.console import Console

__all__ = ["add_plan_arguments", "plan_ci"]

# Of an image that is not here, from what those of this repository take on a disk that has their base already.
TYPICAL_IMAGE_BYTES: Final = 150e6
BASE_BYTES: Final = 1.2e9
ALL: Final = "all"


def add_plan_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("jobs of a CI run")
    group.add_argument(
        "--plan-ci",
        nargs="*",
        choices=(*SUITES, ALL),
        metavar="SUITE",
        help="say which images are to be built and how many shards are to be run, of these suites or of all; where "
        "GITHUB_OUTPUT names a file, the matrices are written there",
    )
    group.add_argument(
        "--minutes",
        type=whole_number("--minutes", minimum=3, maximum=600),
        default=int(JobLimits.minutes),
        metavar="N",
        help=f"that a shard should take at most (default: {JobLimits.minutes:g})",
    )


@dataclass(frozen=True, kw_only=True)
class _Suite:
    """A suite with its cases, and how they are shared."""

    workspace: Workspace
    choice: ShardChoice

    @property
    def name(self) -> str:
        return self.workspace.suite.words.name


def plan_ci(arguments: argparse.Namespace, workspace: Workspace, console: Console) -> ExitCode:
    """Print the plan; write the matrices.

    :raises NothingSelectedError: no suite has a case that is selected
    """
    names = [name for name in SUITES if not arguments.plan_ci or ALL in arguments.plan_ci or name in arguments.plan_ci]
    chosen = []
    refused = None
    for name in names:
        one = replace(workspace, suite=SUITES[name])
        try:
            one.plan.selected  # noqa: B018 -- it is refused here
        except NothingSelectedError as error:
            refused = error
            continue
        chosen.append(one)
    if not chosen:
        assert refused is not None  # noqa: S101 -- there is a suite
        raise refused
    backend = _backend(arguments, workspace, console)
    limits = JobLimits(minutes=arguments.minutes)
    choices = choose_shards([_demand(one, arguments.shards) for one in chosen], limits)
    suites = [_Suite(workspace=one, choice=choice) for one, choice in zip(chosen, choices, strict=True)]
    for suite in suites:
        console.info(suite.choice.why)
        for warning in suite.choice.warnings:
            console.warn(f"{suite.name}: {warning}")
    images = [row for suite in suites for row in _images(suite, backend, console)]
    if backend is not None:
        backend.provider.stop()
    matrices = {
        "suites": [{"suite": it.name} for it in suites],
        "images": list({row["folder"]: row for row in images}.values()),
        "shards": [
            {
                "suite": it.name,
                "shard": f"{number}/{it.choice.count}",
                "name": f"{it.name}-{number}-of-{it.choice.count}",
            }
            for it in suites
            for number in range(1, it.choice.count + 1)
        ],
    }
    console.info(f"{len(matrices['images'])} folders to build, {len(matrices['shards'])} shards to run")
    if arguments.json:
        sys.stdout.write(json.dumps(matrices, indent=2) + "\n")
    # For `fromJSON`. GitHub refuses a matrix without rows, so a job asks first if it has any.
    write_step_outputs({name: json.dumps(rows) for name, rows in matrices.items()}, os.environ)
    return ExitCode.GREEN


def _backend(arguments: argparse.Namespace, workspace: Workspace, console: Console) -> Backend | None:
    """Where it can be seen what is in a cache already; None: everything is built."""
    images = image_choice(arguments, console)
    if images.caches is None:
        return None
    try:
        return backend_for(AUTO, workspace, console, run="plan", images=images)
    except EngineError as error:
        console.warn(f"every image is built, because {error.message}")
        return None


def _demand(workspace: Workspace, wanted: int | None) -> Demand:
    plan = workspace.plan

    seconds = {one.name: one.seconds for one in plan.selected}
    cases = [one.case for one in plan.selected]

    def load(count: int) -> float:
        return max(
            sum(seconds[case.name] * slots_held(case) for case in shard) for shard in assign(cases, seconds, count)
        )

    built = [it for it in workspace.needed if isinstance(it.source, BuildRecipe)]
    return Demand(
        name=workspace.suite.words.name,
        cases=len(plan.selected),
        longest=max(one.seconds for one in plan.selected),
        load=load,
        image_bytes=BASE_BYTES + TYPICAL_IMAGE_BYTES * len(workspace.needed) if built else 0.0,
        wanted=wanted,
    )


def _images(suite: _Suite, backend: Backend | None, console: Console) -> list[dict[str, str]]:
    rows = []
    for folder in folders_of(suite.workspace.needed):
        members = [it for it in suite.workspace.needed if _folder(it) == folder]
        if backend is not None and all(backend.provider.cached(it) for it in members):
            console.info(f"in a cache: {folder}", style="dim")
            continue
        rows.append({"suite": suite.name, "folder": folder, "name": folder.removeprefix("impls/").replace("/", "-")})
    return rows


def _folder(version: Version) -> str | None:
    return version.source.folder if isinstance(version.source, BuildRecipe) else None
