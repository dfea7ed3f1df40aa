"""The stages that a command's cases are played on, by their suite."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, get_args

from ci.errors import BuildError, EngineError
from ci.images.base import Unavailable
from ci.runner.compliance import Compliance
from ci.runner.network_evidence import Captures
from ci.runner.network_stage import NetworkStages
from ci.runner.transport_stage import TransportStages
from ci.suites.quic.captures.tshark import MINIMUM, tshark_version
from ci.suites.quic.suite import OPERATOR_VARIABLES
from ci.suites.transport.suite import TransportSuite
from ci.suites.transport.words import TRANSPORT
from ci.util.arguments import factor, seconds, whole_number

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from ci.commands.backends import Backend
    from ci.commands.workspace import Workspace
    from ci.images.base import Image
    from ci.model import Case
    from ci.runner.stage import Stages

__all__ = ["add_stage_arguments", "add_time_arguments", "check_tshark", "open_stages"]


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


def add_stage_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--strict-exit", action="store_true", help="transport: fail a dialer that stays after its result"
    )
    group.add_argument(
        "--seed",
        type=whole_number("--seed", minimum=0, maximum=2**31 - 1),
        metavar="N",
        help="quic, webtransport: files, names and losses are made from it, instead of one per case",
    )
    group.add_argument(
        "--captures",
        choices=get_args(Captures),
        default="red",
        help="quic, webtransport: keep the captures of red cases only (default), or of all",
    )


def open_stages(
    arguments: argparse.Namespace,
    workspace: Workspace,
    backend: Backend,
    cases: Sequence[Case],
    images: Mapping[str, Future[Image | Unavailable]],
    folder: Path,
) -> Stages:
    """The stages for cases of the workspace's suite.

    :param images: of everybody who takes part, the simulator among them
    :param folder: of the shard
    :raises BuildError: what the network is made of is not there
    :raises EngineError: the engine has no simulated network, or there is nothing to read captures with
    """
    if workspace.suite.words is TRANSPORT:
        suite = TransportSuite(
            workspace.versions,
            deadline=arguments.timeout,
            factor=arguments.timeout_factor,
            strict_exit=arguments.strict_exit,
        )
        return TransportStages(backend.engine(), suite)
    check_tshark()
    engine = backend.network()
    support: dict[str, Image] = {}
    for version in workspace.suite.auxiliary_images.needed(cases, workspace.simulator):
        image = images[version.id].result()
        if isinstance(image, Unavailable):
            raise BuildError(
                "no-network",
                f"the image of the {version.id} is not there: {image.text}",
                why="every case of this suite is played over it",
                hint=f"build it with `nox -s build-images -- --suite {workspace.suite}`",
            )
        support[version.id] = image
    return NetworkStages(
        engine=engine,
        versions=workspace.versions,
        support=support,
        compliance=Compliance(folder, factor=arguments.timeout_factor),
        seeded=workspace.simulator is None,
        seed=arguments.seed,
        deadline=arguments.timeout,
        factor=arguments.timeout_factor,
        captures=arguments.captures,
        operator={name: os.environ[name] for name in OPERATOR_VARIABLES if os.environ.get(name)},
    )


def check_tshark() -> None:
    """Before anything runs: without it no case could be judged."""
    found = tshark_version()
    if found < MINIMUM:
        raise EngineError(
            "tshark-old",
            f"tshark {'.'.join(map(str, found))} is too old to judge captures with",
            why=f"the oldest that will do is {'.'.join(map(str, MINIMUM))}",
            hint="take it from a newer release of your distribution",
        )
