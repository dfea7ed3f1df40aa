"""Where this user keeps what took long to make: toolchains, builds, downloads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["cache_folder"]

VARIABLE: Final = "INTEROP_CACHE"


def cache_folder(environment: Mapping[str, str]) -> Path | None:
    """`$INTEROP_CACHE`, else `$XDG_CACHE_HOME/interop-matrix`, else `~/.cache/interop-matrix`; None without a home."""
    if named := environment.get(VARIABLE):
        return Path(named)
    if shared := environment.get("XDG_CACHE_HOME"):
        return Path(shared) / "interop-matrix"
    if home := environment.get("HOME"):
        return Path(home) / ".cache" / "interop-matrix"
    return None
