"""Looks after how much one side of a case writes to disk: what is bounded by no engine fills it for everybody."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["DiskWatch"]

LOOK_SECONDS: Final = 1.0


class DiskWatch:
    """Measures in a thread of its own, from `start` to `stop`.

    :param limit: bytes
    :param measure: how many there are now
    :param end: called once, when there are more than that: told why
    """

    def __init__(self, limit: int, *, measure: Callable[[], int], end: Callable[[str], None]) -> None:
        self._limit = limit
        self._measure = measure
        self._end = end
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="disk-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(10)

    def _watch(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            written = self._measure()
            if written > self._limit and not self._over.is_set():
                have, may = (f"{size / 2**20:,.0f} MiB" for size in (written, self._limit))
                self._end(f"stopped: it had written {have} to its disk, {may} are allowed")
                return
