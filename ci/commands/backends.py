"""Which engine runs the cases of a command, together with where its images come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from ci.engines.docker.daemon import Daemon, connect, sweep
from ci.engines.docker.engine import DockerEngine
from ci.engines.docker.helper_image import ensure_base, helper_image
from ci.engines.docker.images import Images
from ci.engines.docker.networks import NetworkEngine
from ci.engines.local.builds import Builds
from ci.engines.local.engine import LocalEngine
from ci.errors import EngineError
from ci.images.base import unwatched
from ci.images.build_commands import Commands
from ci.images.caches.folder import Stopped
from ci.model import BuildRecipe, Version
from ci.util.text import counted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from ci.commands.workspace import Workspace
    from ci.engines.base import Engine
    from ci.engines.docker.archives import ArchiveFolder
    from ci.images.base import ImageReport, Provider, Watch
    from ci.terminal.console import Console

__all__ = ["CHOICES", "Backend", "EngineChoice", "add_engine_argument", "open_backend"]

EngineChoice: TypeAlias = Literal["auto", "docker", "local"]
CHOICES: Final[tuple[EngineChoice, ...]] = get_args(EngineChoice)


def add_engine_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine",
        choices=CHOICES,
        default="auto",
        help="docker: containers; local: processes of this machine; auto: docker when it answers (default)",
    )


@dataclass(frozen=True, kw_only=True)
class Backend:
    """An engine, not yet started, and its images.

    :param why: one line for the user: which engine it is and why
    :param small: nobody expects the whole matrix of it: a covering part is what people want first
    :param provider: where the images come from
    :param prepare: makes what every image is made with, before any is; raises `BuildError`
    :param engine: makes the engine; may take its time the first time, raises `BuildError` or `EngineError`
    :param network: the same for suites over a simulated network; raises `EngineError` where there can be none
    """

    why: str
    small: bool
    provider: Provider
    prepare: Callable[[Iterable[Version], Watch], None]
    engine: Callable[[], Engine]
    network: Callable[[], NetworkEngine]

    def provide(
        self, versions: tuple[Version, ...], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        """Build or fetch for these versions; `report` is told about each as soon as it is done, from any thread.

        What is pulled is asked for before anything is made, so that nobody learns after the builds that it is not to
        be had.
        """
        built = tuple(it for it in versions if isinstance(it.source, BuildRecipe))
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="pull") as pool:
            pulls = pool.submit(self.provider.provide, tuple(it for it in versions if it not in built), report)
            with suppress(Stopped):  # the provider, too, will build nothing any more
                self.prepare(versions, watch)
            self.provider.provide(built, report, watch)
            pulls.result()


def open_backend(
    choice: EngineChoice,
    workspace: Workspace,
    console: Console,
    *,
    run: str,
    archives: ArchiveFolder | None = None,
    keep: bool = False,
) -> Backend:
    """The engine of the user's choice.

    :param run: the run's name, by which what the engine makes is marked
    :param keep: what Docker makes for a slot outlives it, unless it ends with an error
    :raises EngineError: Docker was asked for and does not answer
    """
    if choice == "local":
        return _local(workspace, run, "engine: local processes, as asked for")
    try:
        daemon = Daemon(connect(), run=run, keep=keep)
    except EngineError as error:
        if choice == "docker":
            raise
        return _local(workspace, run, f"engine: local processes, because {_first_line(error)}")
    reason = "as asked for" if choice == "docker" else "because it answers"
    return _docker(daemon, workspace, console, reason, archives)


def _docker(
    daemon: Daemon, workspace: Workspace, console: Console, reason: str, archives: ArchiveFolder | None
) -> Backend:
    # What runs in the engine is for the engine's platform, which need not be the host's.
    version = daemon.call(daemon.api.version)
    key_of = partial(workspace.content_key, platform=f"{version['Os']}/{version['Arch']}")

    commands = Commands(daemon.address.environment)

    def prepare(versions: Iterable[Version], watch: Watch) -> None:
        if any(isinstance(it.source, BuildRecipe) for it in versions):
            ensure_base(daemon, workspace.root, commands=commands, watch=watch)
        helper_image(daemon, workspace.root, commands=commands, watch=watch)

    def helper() -> str:
        if swept := sweep(daemon.api):
            console.info(
                f"removed {counted(swept, 'container or network', 'containers and networks')} that a killed run had"
                " left behind"
            )
        return helper_image(daemon, workspace.root, commands=commands)

    # The usual one needs no address.
    where = f" at {daemon.address}" if daemon.address.context or not daemon.address.is_local else ""
    images = Images(daemon, root=workspace.root, key_of=key_of, archives=archives, warn=console.warn, commands=commands)
    return Backend(
        why=f"engine: docker {version['Version']}{where}, {reason}",
        small=False,
        provider=images,
        prepare=prepare,
        engine=lambda: DockerEngine(daemon, helper=helper()),
        network=lambda: NetworkEngine(daemon, helper=helper()),
    )


def _local(workspace: Workspace, run: str, why: str) -> Backend:
    builds = Builds.of_user(workspace.root, os.environ)
    return Backend(
        why=why,
        small=True,
        provider=builds,
        prepare=lambda *_: None,
        engine=lambda: LocalEngine(builds.program, redis_server=str(builds.redis_server()), run=run),
        network=_no_network,
    )


def _no_network() -> NetworkEngine:
    raise EngineError(
        "no-simulated-network",
        "local processes share one loopback interface: there is no network to simulate between them",
        why="the suites quic and webtransport need fixed addresses and a simulator between both sides",
        hint="start Docker and run the same command again; the transport suite runs without",
    )


def _first_line(error: EngineError) -> str:
    return error.message.splitlines()[0]
