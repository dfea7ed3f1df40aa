"""What becomes of a row of `versions.yaml` in an engine: something to run, or the reason why there is nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

if TYPE_CHECKING:
    from ci.model import ReasonCode, Version

__all__ = [
    "SNAPSHOT_VARIABLE",
    "Image",
    "ImageReport",
    "ImageStatus",
    "Provider",
    "PullPolicy",
    "Unavailable",
    "Watch",
    "unwatched",
]

# A day of Debian's archive that images are built from (impls/base/Makefile): that of another day makes other images.
SNAPSHOT_VARIABLE: Final = "DEBIAN_SNAPSHOT"

# Who shows what is being built: given what it is and where its log grows, a block that lasts as long as the build.
Watch: TypeAlias = Callable[[str, Path], AbstractContextManager[None]]


def unwatched(name: str, log: Path) -> AbstractContextManager[None]:
    """Nobody shows it."""
    del name, log
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Image:
    """What an engine runs for a version.

    :param digest: its id in the engine that runs it
    :param build_key: content key it was built from
    :param notes: what a reader of the results must know of how it was built, such as a dependency that was replaced
    """

    digest: str
    build_key: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unavailable:
    """An image that cannot be had, and why: a reason for every case that needs it.

    :param error: what went wrong in this program while it was looked for
    """

    code: ReasonCode
    text: str
    error: Exception | None = None


class ImageStatus(str, Enum):
    """How an image came to be there, or not."""

    HIT = "hit"
    LOADED = "loaded"
    BUILT = "built"
    PULLED = "pulled"
    FAILED = "failed"
    UNAVAILABLE = "unavailable"

    __str__ = str.__str__


class PullPolicy(str, Enum):
    """When the image of a version that is not built here is pulled."""

    NEVER = "never"
    MISSING = "missing"
    ALWAYS = "always"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class ImageReport:
    """One line of `build-images`: what happened to one version's image.

    :param seconds: of wall time
    :param size: of the image in bytes, 0 where there is none
    :param source: the cache it was loaded from
    """

    version: str
    status: ImageStatus
    seconds: float
    size: int = 0
    source: str | None = None
    image: Image | Unavailable


class Provider(Protocol):
    """Where an engine's images come from. `Images` is Docker's, `Builds` that of local processes."""

    def find(self, version: Version) -> Image | Unavailable:
        """What a case will run, without building anything."""

    def cached(self, version: Version) -> bool:
        """Whether every machine can have this version's image without building it: a registry or a cache has it.

        Found out without fetching it; what the engine has is of this machine alone.
        """

    def packages(self, image: Image) -> str | None:
        """The Debian packages that went into an image that was built here, a line each; None where that is not known.

        :raises EngineError: the engine is in trouble
        """

    def missing_requirement(self, version: Version) -> str | None:
        """What this machine lacks for this version, as far as that is known without trying; None if nothing."""

    def provide(
        self, versions: Iterable[Version], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        """Build or fetch for these versions; `report` is told about each as soon as it is done, from any thread."""

    def stop(self) -> None:
        """End what is under way and begin nothing more: `provide` returns soon, with nothing half-made left."""
