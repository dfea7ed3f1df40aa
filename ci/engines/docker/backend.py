"""Docker as a command gets it: the daemon that answers, its images, and both kinds of slot."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ci.engines.backend import Backend, EngineOptions
from ci.engines.docker.daemon import Daemon, connect, sweep
from ci.engines.docker.engine import DockerEngine
from ci.engines.docker.helper_image import ensure_base, helper_image
from ci.engines.docker.images import Images
from ci.engines.docker.networks import NetworkEngine
from ci.images.build_commands import Commands
from ci.images.no_images import NoImages
from ci.model import BuildRecipe, Version
from ci.util.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci.images.base import Provider, Watch

__all__ = ["open_backend"]


def open_backend(options: EngineOptions, reason: str) -> Backend:
    """:param reason: why it was chosen

    :raises EngineError: Docker does not answer
    """
    daemon = Daemon(connect(workers=options.workers), run=options.run, keep=options.keep)
    # What runs in the engine is for the engine's platform, which need not be the host's.
    version = daemon.call(daemon.api.version)
    platform = f"{version['Os']}/{version['Arch']}"
    foreign = options.platform not in (None, platform)
    commands = Commands(daemon.address.environment)

    def prepare(versions: Iterable[Version], watch: Watch) -> None:
        if foreign:
            return
        if any(isinstance(it.source, BuildRecipe) for it in versions):
            ensure_base(daemon, options.root, commands=commands, watch=watch)
        helper_image(daemon, options.root, commands=commands, watch=watch)

    def helper() -> str:
        if swept := sweep(daemon.api):
            found = counted(swept, "container or network", "containers and networks")
            options.info(f"removed {found} that a killed run had left behind")
        return helper_image(daemon, options.root, commands=commands)

    # The usual one needs no address.
    where = f" at {daemon.address}" if daemon.address.context or not daemon.address.is_local else ""
    images: Provider = Images(
        daemon,
        root=options.root,
        key_of=partial(_key_of, options, platform),
        caches=options.caches,
        jobs=options.jobs,
        pull=options.pull,
        platform=platform,
        warn=options.warn,
        commands=commands,
    )
    if foreign:
        # An engine may well start them, in an emulation that is ten times slower: no result of an implementation.
        images = NoImages(f"this host runs {platform}, and {options.platform} was asked for")
    return Backend(
        why=f"engine: docker {version['Version']}{where}, {reason}",
        small=False,
        provider=images,
        prepare=prepare,
        engine=lambda: DockerEngine(daemon, helper=helper()),
        network=lambda: NetworkEngine(daemon, helper=helper()),
    )


def _key_of(options: EngineOptions, platform: str, folder: str) -> str:
    return options.key_of(folder, platform)
