"""What keeps a version from running in a container, and the room its image would take."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ci.engines.docker.helper_image import BASE, helper_tag
from ci.engines.requirements import GB, toolchain_of
from ci.model import PublishedImage

if TYPE_CHECKING:
    from ci.engines.requirements import HostFacts
    from ci.model import Version

__all__ = ["has_base", "has_image", "missing_requirement", "registry_of", "room"]

# An image about which nothing is known, pulled or built.
_SOME_IMAGE_BYTES: Final = 0.8 * GB


def has_image(host: HostFacts, version: Version) -> bool:
    """Whether the engine has what this version is run from."""
    if host.images is None:
        return False
    source = version.source
    return (source.reference if isinstance(source, PublishedImage) else host.tags.get(version.id)) in host.images


def has_base(host: HostFacts) -> bool:
    """Whether the engine has what images are built on."""
    return BASE in (host.images or ())


def missing_requirement(host: HostFacts, version: Version) -> str | None:
    """Why this version cannot run in a container; None where it can."""
    if host.images is None:
        return "needs Docker"
    # Every case needs the runner's own image beside the peers'.
    of_helper = None if helper_tag() in host.images else _missing_for_base(host)
    if has_image(host, version):
        return of_helper
    if isinstance(version.source, PublishedImage):
        return _missing_for_pull(host, version.source.reference) or of_helper
    if missing := {"docker", "make"} - host.usable:
        return f"building images needs {' and '.join(sorted(missing))}"
    toolchain = toolchain_of(version)
    if toolchain is not None and not host.reaches(toolchain.registry):
        return f"{toolchain.registry} is out of reach"
    return _missing_for_base(host)


def _missing_for_pull(host: HostFacts, reference: str) -> str | None:
    registry = registry_of(reference)
    if registry is None:
        return "there is no such image in the engine"
    return None if host.reaches(registry) else f"{registry} is out of reach"


def _missing_for_base(host: HostFacts) -> str | None:
    """Why nothing can be made from the base image, the runner's own helper neither."""
    if not host.reaches("Debian"):
        return "the Debian mirror is out of reach"
    if has_base(host) or host.reaches("Docker Hub") or host.can_bootstrap:
        return None
    return "there is no base image: Docker Hub is out of reach, and making one takes root and debootstrap"


def room(host: HostFacts, version: Version) -> float:
    """Bytes that this version's image will still take, an estimate."""
    if has_image(host, version) or missing_requirement(host, version) is not None:
        return 0
    toolchain = toolchain_of(version)
    return _SOME_IMAGE_BYTES if toolchain is None else toolchain.image_bytes


def registry_of(reference: str) -> str | None:
    """The registry an image is pulled from, by the names in `registries`; None for a bare id."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", reference):
        return None
    host, slash, _ = reference.partition("/")
    if host in ("docker.io", "index.docker.io"):
        return "Docker Hub"
    return host if slash and ("." in host or ":" in host or host == "localhost") else "Docker Hub"
