"""Which engine a command runs on: the arguments that say so, and what is opened by them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ci.engines.backend import EngineOptions
from ci.engines.registry import AUTO, ENGINES, open_backend
from ci.images.caches.registry import open_cache

if TYPE_CHECKING:
    import argparse

    from ci.commands.workspace import Workspace
    from ci.engines.backend import Backend
    from ci.images.caches.base import ImageCache
    from ci.terminal.console import Console

__all__ = ["add_archive_argument", "add_engine_argument", "archives", "backend_for", "engine_choices"]

ARCHIVES_VARIABLE: Final = "INTEROP_ARCHIVES"


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


def add_archive_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--archives",
        metavar="FOLDER",
        default=os.environ.get(ARCHIVES_VARIABLE) or None,
        help=f"keep images there as files too, and take them from there (default: ${ARCHIVES_VARIABLE})",
    )


def archives(arguments: argparse.Namespace) -> ImageCache | None:
    """:raises ConfigurationError: see `ci.images.caches.registry.open_cache`"""
    return open_cache(arguments.archives) if arguments.archives else None


def backend_for(
    choice: str,
    workspace: Workspace,
    console: Console,
    *,
    run: str,
    archives: ImageCache | None = None,
    keep: bool = False,
) -> Backend:
    """The engine of the user's choice.

    :param run: the run's name, by which what the engine makes is marked
    :param keep: what the engine makes for a slot outlives it, unless it ends with an error
    :raises EngineError: what was asked for does not answer
    """
    options = EngineOptions(
        root=workspace.root,
        key_of=lambda folder, platform: workspace.content_key(folder, platform=platform),
        run=run,
        cache=archives,
        keep=keep,
        info=console.info,
        warn=console.warn,
        environment=os.environ,
    )
    return open_backend(choice, options)
