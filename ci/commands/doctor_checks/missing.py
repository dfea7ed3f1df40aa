"""What keeps a version from running here, in containers or as a process, and the room it would take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ci.commands.doctor_checks.docker_facts import DockerFacts
from ci.engines.docker.helper_image import BASE, helper_tag
from ci.model import PublishedImage, Version

__all__ = ["Situation", "docker_lack", "docker_room", "local_lack", "local_room", "registry_of"]

GB: Final = 1e9
# An image about which nothing is known, pulled or built.
_SOME_IMAGE_BYTES: Final = 0.8 * GB


@dataclass(frozen=True, kw_only=True)
class _Toolchain:
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
_TOOLCHAINS: Final[Mapping[str, _Toolchain]] = {
    "python": _Toolchain(registry="PyPI", image_bytes=1.3 * GB, process_bytes=0.3 * GB),
    "node": _Toolchain(program="node", registry="npm", image_bytes=1.3 * GB, process_bytes=0.6 * GB),
    "go": _Toolchain(program="go", registry="Go proxy", image_bytes=1.6 * GB, process_bytes=1.5 * GB),
    "rust": _Toolchain(registry="crates.io", image_bytes=2.5 * GB, process_bytes=2.5 * GB),
}


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What of this host decides which versions run.

    :param docker: the engine, where one answers
    :param tags: version → name its image has in the engine, for those built here
    :param usable: programs on PATH that are new enough
    :param lacking: language → what building and running it as a process needs and this host has not
    :param reachable: registry → whether it answers, by the names in `registries`
    :param can_cache: there is a folder in which toolchains and builds can be kept
    :param cached: builds of earlier runs are in the cache folder
    :param can_bootstrap: this user can make a base image from a Debian mirror
    """

    docker: DockerFacts | None
    tags: Mapping[str, str]
    usable: frozenset[str]
    lacking: Mapping[str, str]
    reachable: Mapping[str, bool]
    can_cache: bool = True
    cached: bool = False
    can_bootstrap: bool = False

    def has_image(self, version: Version) -> bool:
        if self.docker is None:
            return False
        if isinstance(version.source, PublishedImage):
            return version.source.reference in self.docker.images
        return self.tags.get(version.id) in self.docker.images

    @property
    def has_base(self) -> bool:
        return self.docker is not None and BASE in self.docker.images

    def reaches(self, registry: str) -> bool:
        """A registry nobody asked is taken to answer."""
        return self.reachable.get(registry, True)


def docker_lack(here: Situation, version: Version) -> str | None:
    """Why this version cannot run in a container; None where it can."""
    if here.docker is None:
        return "needs Docker"
    # Every case needs the runner's own image beside the peers'.
    helper_lack = None if helper_tag() in here.docker.images else _base_lack(here)
    if here.has_image(version):
        return helper_lack
    if isinstance(version.source, PublishedImage):
        return _pull_lack(here, version.source.reference) or helper_lack
    if missing := {"docker", "make"} - here.usable:
        return f"building images needs {' and '.join(sorted(missing))}"
    toolchain = _toolchain(version)
    if toolchain is not None and not here.reaches(toolchain.registry):
        return f"{toolchain.registry} is out of reach"
    return _base_lack(here)


def _pull_lack(here: Situation, reference: str) -> str | None:
    registry = registry_of(reference)
    if registry is None:
        return "there is no such image in the engine"
    return None if here.reaches(registry) else f"{registry} is out of reach"


def _base_lack(here: Situation) -> str | None:
    """Why nothing can be made from the base image, the runner's own helper neither."""
    if not here.reaches("Debian"):
        return "the Debian mirror is out of reach"
    if here.has_base or here.reaches("Docker Hub") or here.can_bootstrap:
        return None
    return "there is no base image: Docker Hub is out of reach, and making one takes root and debootstrap"


def local_lack(here: Situation, version: Version) -> str | None:
    """Why this version cannot run as a process; None where it can."""
    toolchain = _toolchain(version)
    if toolchain is None:
        return "needs Docker"
    if not here.can_cache:
        return "needs a cache folder that can be written"
    wheels = here.reaches("PyPI") or here.cached
    if (lack := here.lacking.get(version.local or "")) is not None:
        return f"needs {lack}"
    for program in ("redis-server", toolchain.program):
        if program is not None and program not in here.usable and not wheels:
            return f"needs {program}, or PyPI for a wheel of it"
    if not (here.reaches(toolchain.registry) or here.cached):
        return f"{toolchain.registry} is out of reach"
    return None


def docker_room(here: Situation, version: Version) -> float:
    """Bytes that this version's image will still take, an estimate."""
    if here.has_image(version) or docker_lack(here, version) is not None:
        return 0
    toolchain = _toolchain(version)
    return _SOME_IMAGE_BYTES if toolchain is None else toolchain.image_bytes


def local_room(here: Situation, version: Version) -> float:
    """Bytes that this version will take as a process, an estimate."""
    toolchain = _toolchain(version)
    return 0 if toolchain is None or local_lack(here, version) is not None else toolchain.process_bytes


def _toolchain(version: Version) -> _Toolchain | None:
    return None if version.local is None else _TOOLCHAINS.get(version.local)


def registry_of(reference: str) -> str | None:
    """The registry an image is pulled from, by the names in `registries`; None for a bare id."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", reference):
        return None
    host, slash, _ = reference.partition("/")
    if host in ("docker.io", "index.docker.io"):
        return "Docker Hub"
    return host if slash and ("." in host or ":" in host or host == "localhost") else "Docker Hub"
