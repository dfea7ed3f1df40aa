"""`oci:HOST/PATH`: images in a registry, pulled and pushed by the engine under the tag that holds their content key.

The engine's own credentials count (`docker login`); where a registry lets everybody read, none are needed for that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.images.caches.base import CacheOutageError

if TYPE_CHECKING:
    from ci.images.caches.base import ImageStore, Limits

__all__ = ["Registry", "open_registry"]

# A host, which has a dot, a colon or is localhost, and a path; as the reference grammar of Docker has it.
_PLACE: Final = re.compile(
    r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+(?=:))(?::[0-9]+)?"
    r"(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
# How registries and engines word that there is no image of this name.
_NOT_THERE: Final = re.compile(r"manifest unknown|not found|NAME_UNKNOWN|MANIFEST_UNKNOWN|name unknown", re.IGNORECASE)


def open_registry(url: str, limits: Limits) -> Registry:
    """:raises ConfigurationError: it names no registry"""
    # GitHub's owners may have capitals, names of images may not.
    place = url.partition(":")[2].strip("/").lower()
    if not _PLACE.fullmatch(place):
        raise ConfigurationError(
            "no-such-cache",
            f"`{url}` names no registry",
            why="a host and a path are needed, without https://",
            hint="such as oci:ghcr.io/owner/interop",
        )
    return Registry(place, limits)


class Registry:
    """A cache in a registry: `interop/go-v0.51:key` is `HOST/PATH/interop/go-v0.51:key` there."""

    def __init__(self, place: str, limits: Limits) -> None:
        self._place = place
        self._limits = limits
        self._distrusted: set[str] = set()

    def describe(self) -> str:
        return f"oci:{self._place}"

    def reference(self, tag: str) -> str:
        return f"{self._place}/{tag}"

    def restore(self, tag: str, store: ImageStore) -> bool:
        reference = self.reference(tag)
        complaint = store.fetch(reference, self._limits)
        if complaint is not None:
            if _NOT_THERE.search(complaint):
                return False
            raise CacheOutageError(f"{reference} cannot be pulled: {complaint}")
        store.alias(reference, tag)
        store.forget(reference)
        return True

    def has(self, tag: str, store: ImageStore) -> bool:
        complaint = store.published(self.reference(tag), self._limits)
        if complaint is not None and not _NOT_THERE.search(complaint):
            raise CacheOutageError(f"it cannot be asked for {tag}: {complaint}")
        return complaint is None

    def distrust(self, tag: str) -> None:
        self._distrusted.add(tag)

    def save(self, tag: str, store: ImageStore) -> None:
        if tag not in self._distrusted and self.has(tag, store):
            return
        reference = self.reference(tag)
        store.alias(tag, reference)
        try:
            complaint = store.publish(reference, self._limits)
        finally:
            store.forget(reference)
        if complaint is not None:
            raise CacheOutageError(f"{reference} cannot be pushed: {complaint}")
