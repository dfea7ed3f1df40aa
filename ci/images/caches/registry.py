"""The kinds of image cache, a line each: what stands before the colon of `--archives`, and what opens one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from ci.images.caches.base import ImageCache

__all__ = ["CACHES", "open_cache"]

# Given what stands behind the colon, each raises `ConfigurationError` where that makes no sense.
CACHES: Final[dict[str, str]] = {
    "folder": "ci.images.caches.archives:ArchiveFolder",
}
_USUAL: Final = "folder"


def open_cache(place: str) -> ImageCache:
    """The cache at `KIND:PLACE`; what names no kind is a folder.

    :raises ConfigurationError: see `CACHES`
    """
    kind, colon, rest = place.partition(":")
    if not colon or kind not in CACHES:
        kind, rest = _USUAL, place
    module, _, name = CACHES[kind].partition(":")
    return cast("ImageCache", getattr(importlib.import_module(module), name)(rest))
