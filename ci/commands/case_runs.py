"""How a command runs the cases of a suite: its arguments, and the engine and the suite brought together."""

from __future__ import annotations

import os
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

from ci.errors import BuildError
from ci.images.base import Unavailable
from ci.model import PublishedImage
from ci.runner.case import EngineCases, drop_prepared
from ci.suites.base import Captures, RunOptions
from ci.util.arguments import factor, seconds, whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ci.commands.workspace import Workspace
    from ci.engines.backend import Backend
    from ci.images.base import Image, Provider
    from ci.model import Case, Version

__all__ = ["add_case_arguments", "add_time_arguments", "add_try_arguments", "by_digest", "done", "open_cases"]


def add_time_arguments(group: argparse._ArgumentGroup) -> None:
    """How long a case may take."""
    limits = group.add_mutually_exclusive_group()
    limits.add_argument(
        "--timeout", type=seconds("--timeout"), metavar="SECONDS", help="per case, instead of what is declared for it"
    )
    limits.add_argument(
        "--timeout-factor",
        type=factor("--timeout-factor"),
        default=1.0,
        metavar="FACTOR",
        help="for slow hosts: what is declared for a case, times this",
    )


def add_try_arguments(group: argparse._ArgumentGroup, *, seed: str) -> None:
    """What decides how one try of a case is made and judged.

    :param seed: what is made from the seed, and for which tries
    """
    group.add_argument(
        "--strict-exit", action="store_true", help="transport: fail a dialer that stays after its result"
    )
    group.add_argument(
        "--seed",
        type=whole_number("--seed", minimum=0, maximum=2**31 - 1),
        metavar="N",
        help=f"quic, webtransport: {seed}",
    )


def add_case_arguments(group: argparse._ArgumentGroup) -> None:
    """What a run does with each of its cases."""
    add_try_arguments(group, seed="files, names and losses are made from it, instead of one per case")
    group.add_argument(
        "--captures",
        choices=get_args(Captures),
        default="red",
        help="quic, webtransport: keep the captures of red cases only (default), or of all",
    )


def by_digest(provider: Provider, version: Version, digest: str) -> Image | Unavailable:
    """This image of a version, whatever its recipe makes by now."""
    return provider.find(replace(version, source=PublishedImage(reference=digest)))


def done(image: Image | Unavailable) -> Future[Image | Unavailable]:
    """What is known already, where others wait for it."""
    known: Future[Image | Unavailable] = Future()
    known.set_result(image)
    return known


def open_cases(
    arguments: argparse.Namespace,
    workspace: Workspace,
    backend: Backend,
    cases: Sequence[Case],
    images: Mapping[str, Future[Image | Unavailable]],
    folder: Path,
    *,
    seeds: Mapping[str, int] | None = None,
) -> EngineCases:
    """What runs cases of the workspace's suite.

    :param images: of everybody who takes part, the auxiliary ones among them
    :param folder: of the shard
    :param seeds: for these cases, by key
    :raises BuildError: an auxiliary image is not there
    :raises EngineError: the engine has no simulated network
    """
    drop_prepared(folder)
    suite = workspace.suite
    engine = backend.network() if suite.simulated_network else backend.engine()
    auxiliary: dict[str, Image] = {}
    for version in suite.auxiliary_images.needed(cases, workspace.simulator):
        image = images[version.id].result()
        if isinstance(image, Unavailable):
            raise BuildError(
                "no-network",
                f"the image of the {version.id} is not there: {image.text}",
                why="cases of this suite cannot be run without it",
                hint=f"build it with `nox -s build-images -- --suite {suite} {version.id}`",
            )
        auxiliary[version.id] = image
    run = suite.open_run(
        RunOptions(
            versions=workspace.versions,
            auxiliary={name: image.digest for name, image in auxiliary.items()},
            folder=folder,
            timeout=arguments.timeout,
            timeout_factor=arguments.timeout_factor,
            strict_exit=arguments.strict_exit,
            seed=arguments.seed,
            seeds=seeds or {},
            captures=arguments.captures,
            foreign_simulator=workspace.simulator is not None,
            environment=os.environ,
            open_sandbox=engine.sandbox,
        )
    )
    return EngineCases(engine=engine, suite=run, versions=workspace.versions, auxiliary=auxiliary)
