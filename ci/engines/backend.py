"""An engine together with where its images come from: what a command has once it knows on what to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci.errors import EngineError
from ci.images.base import PullPolicy, unwatched
from ci.images.caches.folder import Stopped
from ci.model import BuildRecipe, Version

if TYPE_CHECKING:
    from ci.engines.base import Engine
    from ci.images.base import ImageReport, Provider, Watch
    from ci.images.caches.chain import CacheChain

__all__ = ["Backend", "EngineOptions", "no_network"]


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What an engine has to know of the command that opens it.

    :param root: of the checkout
    :param key_of: content key of a build folder, given the platform that what is built there is for
    :param run: the run's name, by which what the engine makes is marked
    :param caches: where images are kept outside the engine, if anywhere
    :param jobs: how many folders are built at once
    :param pull: when published images are pulled
    :param platform: what images must be for, such as `linux/arm64`; None: what the engine runs
    :param workers: cases at once at most
    :param keep: what the engine makes for a slot outlives it, unless it ends with an error
    :param info: tells the user something
    :param warn: tells the user of something that is not as it should be
    :param environment: variables of this process
    """

    root: Path
    key_of: Callable[[str, str], str]
    run: str
    caches: CacheChain | None = None
    jobs: int = 1
    pull: PullPolicy = PullPolicy.MISSING
    platform: str | None = None
    workers: int = 1
    keep: bool = False
    info: Callable[[str], None]
    warn: Callable[[str], None]
    environment: Mapping[str, str]


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
    network: Callable[[], Engine]

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


def no_network() -> Engine:
    """Of an engine that cannot simulate one."""
    raise EngineError(
        "no-simulated-network",
        "local processes share one loopback interface: there is no network to simulate between them",
        why="the suites quic and webtransport need fixed addresses and a simulator between both sides",
        hint="start Docker and run the same command again; the transport suite runs without",
    )
