"""What a language's way to build is, for `Builds`, and what the ways have in common."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from ci.engines.local.toolchains import Toolchains
    from ci.engines.programs import Program
    from ci.images.build_commands import Commands
    from ci.images.caches.folder import Cache

__all__ = ["Bench", "Recipe", "copy_sources"]

# What other builds leave in a version's folder; git ignores it as well.
_LEFT_BY_BUILDS: Final = ("*image.json", "build.log", "node_modules", "target", "__pycache__")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every recipe works with."""

    cache: Cache
    commands: Commands
    toolchains: Toolchains


class Recipe(Protocol):
    """How a version's folder becomes a program on this machine. The same recipe serves all versions of a language."""

    @property
    def files(self) -> tuple[str, ...]:
        """What a version's folder cannot do without."""

    def missing(self) -> str | None:
        """What this machine needs to have for it, in words that follow `needs`; None where nothing is amiss."""

    def ingredients(self) -> Mapping[str, str]:
        """All that decides what is built, besides the sources: it goes into the content key."""

    def prepare(self) -> None:
        """Install what the program needs when it runs, and is no part of the entry.

        :raises BuildError: it cannot be installed
        """

    def build(self, source: Path, making: Path, log: Path) -> None:
        """Make the entry in `making`, which will be moved once it is complete.

        A file `notes.txt` in it says, a line each, how it differs from what the image holds.

        :raises BuildError: a program failed; its output is in `log`
        """

    def program(self, entry: Path) -> Program | None:
        """What to start, given the finished entry.

        None until `prepare` was called, where that has something to do; and where what it was made for is gone.
        """


def copy_sources(source: Path, to: Path) -> Path:
    """The version's sources with links followed: no build writes into the checkout, which may be read-only."""
    shutil.copytree(source, to, ignore=shutil.ignore_patterns(*_LEFT_BY_BUILDS))
    for path in (to, *to.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)  # as they were in a read-only checkout
    return to
