"""`check-image`: one image judged by itself, before it meets anybody."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci.commands.build_images import found_or_built
from ci.commands.engine_choice import backend_for
from ci.commands.workspace import VERSIONS, Workspace, add_suite_argument
from ci.conformance.check_endpoint import Surroundings, check_endpoint
from ci.conformance.check_image import add_arguments, check, stacks_from
from ci.conformance.endpoint_report import endpoint_data, render_endpoint
from ci.conformance.report import as_data, render
from ci.engines.docker.daemon import Daemon, connect, sweep
from ci.engines.docker.engine import DockerEngine
from ci.engines.docker.helper_image import helper_image
from ci.engines.docker.networks import NetworkEngine
from ci.errors import ConfigurationError, ExitCode
from ci.model import BuildRecipe, Contract
from ci.suites.quic.auxiliary_images import SIMULATOR, simulator_of
from ci.suites.registry import SUITES
from ci.util.given_files import read_given
from ci.util.suggest import shown_path

if TYPE_CHECKING:
    from ci.conformance.endpoint import EndpointRole
    from ci.model import SuiteWords, Version
    from ci.terminal.console import Console

__all__ = ["configure", "image_named", "run"]

# Families of counterparts that are known to work, in the order in which they are tried: of each the last version that
# plays both roles in the suite.
COUNTERPARTS: Final = ("quic-go", "webtransport-go", "aioquic")
# Arguments that mean something under one contract only.
ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "transport-interop": ("transport", "security", "muxer", "contract"),
    "quic-interop": ("role", "simulator"),
}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "example: nox -s check-image -- my-image:head --transport tcp --transport quic-v1\n"
        "example: nox -s check-image -- my-endpoint:head --suite quic --role server"
    )
    add_arguments(parser)
    add_suite_argument(parser)
    parser.add_argument(
        "--role",
        choices=("client", "server", "both"),
        help="quic, webtransport: the role it is tried in (default: both)",
    )
    parser.add_argument(
        "--simulator", metavar="IMAGE", help="quic, webtransport: of another network simulator than ours"
    )
    parser.add_argument("--versions", type=Path, default=VERSIONS, metavar="FILE", help="default: versions.yaml")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    contract = SUITES[arguments.suite].words.contract
    if contract not in CHECKS:
        raise ConfigurationError(
            "no-checks",
            f"there are no checks of images for the suite {arguments.suite}",
            why=f"nobody has written any of the contract {contract}",
            hint="name another suite with --suite",
        )
    others = (name for other, names in ARGUMENTS.items() if other != contract for name in names)
    if foreign := [name for name in others if getattr(arguments, name)]:
        named = next(it for it in SUITES.values() if foreign[0] in ARGUMENTS.get(it.words.contract, ()))
        hint = f", or name the suite: `{' '.join(named.words.option)}`" if named.words.option else ""
        raise ConfigurationError(
            "other-suite",
            f"{' and '.join(f'--{name}' for name in foreign)} means nothing in the suite {arguments.suite}",
            hint=f"leave it out{hint}",
        )
    return CHECKS[contract](arguments, console)


def _transport(arguments: argparse.Namespace, console: Console) -> ExitCode:
    daemon = Daemon(connect(), run="check")
    sweep(daemon.api)
    stacks, required = stacks_from(arguments.transport, arguments.security, arguments.muxer)
    contracts = None
    if arguments.contract:
        contracts = tuple(Contract) if arguments.contract == "both" else (Contract(arguments.contract),)
    engine = DockerEngine(daemon, helper=helper_image(daemon, Path.cwd()))
    with engine.slot(0) as slot:
        report = check(
            daemon,
            slot,
            image_named(arguments.image),
            stacks=stacks,
            required=required,
            contracts=contracts,
            peer=arguments.peer,
            timeout=arguments.timeout,
            tell=(lambda _: None) if arguments.json else console.info,
        )
    return _show(arguments, console, as_data(report), render(report), passed=report.passed)


def _endpoint(arguments: argparse.Namespace, console: Console) -> ExitCode:
    suite = SUITES[arguments.suite].words
    workspace = Workspace.at(arguments.versions)
    simulator = simulator_of(arguments.simulator)
    backend = backend_for("docker", workspace, console, run="check")
    versions = () if arguments.peer else _counterparts(workspace, suite)
    found = found_or_built((simulator, *versions), backend, console, purpose="the image cannot be checked")
    peers = tuple((it.id, found[it.id].digest) for it in versions)
    surroundings = Surroundings(
        peers=peers or ((arguments.peer, image_named(arguments.peer)),),
        simulator=found[simulator.id].digest,
        seeded=simulator is SIMULATOR,
    )
    engine = backend.network()
    assert isinstance(engine, NetworkEngine)  # noqa: S101 -- Docker was asked for
    roles: tuple[EndpointRole, ...] = ("client", "server")
    if arguments.role in roles:
        roles = (arguments.role,)
    with engine.slot(0) as slot:
        report = check_endpoint(
            engine.daemon,
            slot,
            image_named(arguments.image),
            suite,
            roles,
            surroundings,
            open_sandbox=engine.sandbox,
            tell=(lambda _: None) if arguments.json else console.info,
        )
    return _show(arguments, console, endpoint_data(report), render_endpoint(report), passed=report.passed)


# How an image is held to its contract, by the contract of its suite.
CHECKS: Final[Mapping[str, Callable[[argparse.Namespace, Console], ExitCode]]] = {
    "transport-interop": _transport,
    "quic-interop": _endpoint,
}


def _show(
    arguments: argparse.Namespace, console: Console, data: dict[str, Any], text: str, *, passed: bool
) -> ExitCode:
    if arguments.json:
        sys.stdout.write(json.dumps(data, indent=2) + "\n")
    else:
        console.info(text)
        if passed:
            console.info("next: a row for it (docs/versions.md), in a file of its own for --extra-versions")
    return ExitCode.GREEN if passed else ExitCode.FAILED


def _counterparts(workspace: Workspace, suite: SuiteWords) -> tuple[Version, ...]:
    """The versions that the image meets unless another one is named."""
    able = [it for it in workspace.catalogue.of(suite) if it.part == "both" and isinstance(it.source, BuildRecipe)]
    last = {it.family: it for it in able}
    if found := tuple(last[family] for family in COUNTERPARTS if family in last):
        return found
    raise ConfigurationError(
        "no-counterpart",
        f"versions.yaml has no {' or '.join(COUNTERPARTS)} built here that plays both roles in the suite {suite}",
        why="an endpoint by itself shows little",
        hint="name the image of a counterpart with --peer",
    )


def image_named(name: str) -> str:
    """The image as the engine knows it: `name` itself, or the id in the `image.json` of that name that `make` wrote.

    The folder of a version stands for its `image.json`.

    :raises ConfigurationError: there is such a file and it holds no id, or `make` has not written it yet
    """
    path = Path(name)
    if (path / "Makefile").is_file():
        path /= "image.json"
    elif not name.endswith("image.json"):
        return name
    if not path.is_file():
        if not (path.parent / "Makefile").is_file():
            return name
        raise ConfigurationError(
            "not-built",
            f"there is no {shown_path(path)} yet",
            why="`make` writes it once it has built the image",
            hint=f"make -C {shlex.quote(str(path.parent))}, then the same command again",
        )
    try:
        return str(json.loads(read_given(path))["imageID"])
    except (OSError, ValueError, TypeError, KeyError):
        raise ConfigurationError(
            "no-image-id",
            f"{shown_path(path)} holds no `imageID`",
            why="it was not written by a version's Makefile, or not to its end",
            hint=f"rm {shown_path(path)}, then `make` in its folder",
        ) from None
