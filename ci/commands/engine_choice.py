"""Which engine a command runs on: the arguments that say so, and what is opened by them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci.engines.backend import EngineOptions
from ci.engines.registry import AUTO, ENGINES, open_backend
from ci.images.base import PullPolicy
from ci.images.caches.base import Limits
from ci.images.caches.chain import CacheChain, Place
from ci.images.caches.registry import open_cache
from ci.runner.workers import most_workers

if TYPE_CHECKING:
    import argparse

    from ci.commands.workspace import Workspace
    from ci.engines.backend import Backend
    from ci.terminal.console import Console

__all__ = [
    "ImageChoice",
    "add_engine_argument",
    "add_image_arguments",
    "backend_for",
    "backend_to_run_on",
    "caches_of",
    "engine_choices",
    "image_choice",
]

# Addresses of image caches, with spaces in between.
FROM_VARIABLE: Final = "INTEROP_CACHE_FROM"
TO_VARIABLE: Final = "INTEROP_CACHE_TO"


def engine_choices() -> tuple[str, ...]:
    return (AUTO, *ENGINES)


def add_engine_argument(parser: argparse.ArgumentParser) -> None:
    known = "; ".join(f"{name}: {kind.called}" for name, kind in ENGINES.items())
    first = next(iter(ENGINES))
    parser.add_argument(
        "--engine",
        choices=engine_choices(),
        default=AUTO,
        help=f"{known}; {AUTO}: {first} when it answers (default)",
    )


def add_image_arguments(parser: argparse.ArgumentParser) -> None:
    """Where images come from."""
    group = parser.add_argument_group("images")
    group.add_argument(
        "--cache",
        action="append",
        default=[],
        metavar="URL",
        help="take images from there, and keep them there where that may be written: dir:FOLDER, oci:HOST/PATH, "
        "s3:BUCKET/PREFIX, https://…; may be repeated, the first that has one gives it (docs/caches.md)",
    )
    group.add_argument(
        "--pull",
        choices=[it.value for it in PullPolicy],
        default=PullPolicy.MISSING.value,
        help="when published images are pulled (default: missing)",
    )
    group.add_argument(
        "--platform", metavar="OS/PROCESSOR", help="such as linux/arm64; what the engine would emulate is not run"
    )


@dataclass(frozen=True, kw_only=True)
class ImageChoice:
    """What was said of where images come from. See `EngineOptions`."""

    caches: CacheChain | None = None
    pull: PullPolicy = PullPolicy.MISSING
    platform: str | None = None
    jobs: int = 1


def image_choice(arguments: argparse.Namespace, console: Console, *, jobs: int = 1) -> ImageChoice:
    """:raises ConfigurationError: see `ci.images.caches.registry.open_cache`"""
    return ImageChoice(
        caches=caches_of(arguments.cache, os.environ, console.warn),
        pull=PullPolicy(arguments.pull),
        platform=arguments.platform,
        jobs=jobs,
    )


def caches_of(urls: Sequence[str], environment: Mapping[str, str], warn: Callable[[str], None]) -> CacheChain | None:
    """Those of the command line, then those of the variables; each once."""
    reads = [*urls, *environment.get(FROM_VARIABLE, "").split()]
    writes = {*urls, *environment.get(TO_VARIABLE, "").split()}
    known = dict.fromkeys([*reads, *environment.get(TO_VARIABLE, "").split()])
    if not known:
        return None
    limits = Limits()
    places = [Place(cache=open_cache(url, limits), reads=url in reads, writes=url in writes) for url in known]
    return CacheChain(places, limits, warn)


def backend_for(
    choice: str,
    workspace: Workspace,
    console: Console,
    *,
    run: str,
    images: ImageChoice | None = None,
    workers: int = 1,
    keep: bool = False,
) -> Backend:
    """The engine of the user's choice.

    :param run: the run's name, by which what the engine makes is marked
    :param workers: cases at once at most
    :param keep: what the engine makes for a slot outlives it, unless it ends with an error
    :raises EngineError: what was asked for does not answer
    """
    images = images or ImageChoice()
    options = EngineOptions(
        root=workspace.root,
        key_of=lambda folder, platform: workspace.content_key(folder, platform=platform),
        run=run,
        caches=images.caches,
        jobs=images.jobs,
        pull=images.pull,
        platform=images.platform,
        workers=workers,
        keep=keep,
        info=console.info,
        warn=console.warn,
        environment=os.environ,
    )
    return open_backend(choice, options)


def backend_to_run_on(
    choice: str, arguments: argparse.Namespace, workspace: Workspace, console: Console, *, run: str
) -> Backend:
    """The engine for as many cases at once as the arguments allow. See `backend_for`."""
    return backend_for(
        choice,
        workspace,
        console,
        run=run,
        images=image_choice(arguments, console),
        workers=most_workers(arguments.workers, os.cpu_count() or 1),
    )
