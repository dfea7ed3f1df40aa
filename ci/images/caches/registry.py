"""The kinds of image cache, a line each: what stands before the colon of a cache's address, and what opens one."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, cast

from ci.errors import ConfigurationError
from ci.util.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from ci.images.caches.base import ImageCache, Limits

__all__ = ["CACHES", "open_cache"]

# Given the whole address and how long it is waited for, each raises `ConfigurationError` where that makes no sense.
CACHES: Final[dict[str, str]] = {
    "dir": "ci.images.caches.directory:open_directory",
    "oci": "ci.images.caches.oci:open_registry",
    "s3": "ci.images.caches.s3:open_s3",
    "http": "ci.images.caches.web:open_web",
    "https": "ci.images.caches.web:open_web",
}


def open_cache(url: str, limits: Limits) -> ImageCache:
    """:raises ConfigurationError: there is no such kind, or see `CACHES`"""
    kind, colon, _ = url.partition(":")
    if not colon or kind not in CACHES:
        raise ConfigurationError(
            "no-such-cache",
            f"`{shown(url)}` names no kind of cache" + (did_you_mean(kind, CACHES) if colon else ""),
            why=f"the kinds are {', '.join(f'{it}:' for it in CACHES)}",
            hint=f"for a folder: dir:{shown(url)}",
        )
    module, _, name = CACHES[kind].partition(":")
    return cast("ImageCache", getattr(importlib.import_module(module), name)(url, limits))
