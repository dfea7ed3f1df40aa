"""Waiting for what takes effect a moment after it was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["eventually"]


def eventually(holds: Callable[[], bool], *, patience: float = 20.0) -> bool:
    """Whether it comes to hold; how long that takes does not matter."""
    until = time.monotonic() + patience
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
