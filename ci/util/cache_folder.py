"""Where this user keeps what took long to make: toolchains, builds, downloads."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["CACHE_VARIABLE", "cache_candidates"]

CACHE_VARIABLE: Final = "INTEROP_CACHE"
_OURS: Final = "interop-matrix"


def cache_candidates(
    environment: Mapping[str, str], *, checkout: Path, macos: bool = sys.platform == "darwin"
) -> tuple[Path, ...]:
    """The folders that may be it; the first that can be written is.

    `$INTEROP_CACHE` and nothing else; or `interop-matrix` in the user's cache folder (by the XDG base directory
    specification; on macOS `~/Library/Caches`), then one in the checkout, for users without a home.
    """
    if given := environment.get(CACHE_VARIABLE):
        return (Path(given).absolute(),)
    last = checkout.absolute() / ".nox" / "cache"
    home, shared = Path(environment.get("HOME", "")), Path(environment.get("XDG_CACHE_HOME", ""))
    # The specification has relative paths ignored; a relative HOME is no better.
    if shared.is_absolute():
        return (shared / _OURS, last)
    if home.is_absolute():
        return (home / ("Library/Caches" if macos else ".cache") / _OURS, last)
    return (last,)
