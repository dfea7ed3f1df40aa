"""How many cases are under way at once: so many, or as many as this host has room for.

Two sides that shake hands keep a processor busy, and two processors are through with two cases at once no sooner than
with one after the other. A case that waits for a time limit, a browser or a simulated link needs next to nothing
meanwhile. Which are which nobody knows beforehand, so it is measured: while processors have nothing to do and memory is
left, one more worker takes cases; where there is no room any more, one less.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["AUTO", "HostMeter", "HostUse", "Workers", "most_workers", "next_count"]

# In place of a number of workers.
AUTO: Final = 0
# As many times the processors at most: each slot has networks and containers of its own.
MOST_PER_PROCESSOR: Final = 4
# Share of the processors' time that nobody wants. Between the two, all is as it should be.
ROOM: Final = 0.4
NO_ROOM: Final = 0.15
# How often in a row it has to be so. A slot takes a second to be made, and is busy with that itself.
LOOKS_FOR_MORE: Final = 2
LOOKS_FOR_LESS: Final = 3
LOOK_SECONDS: Final = 1.0
# What one more case may want of it: twice a participant's own limit would be the most, a tenth is usual.
MEMORY_BYTES: Final = 1 << 30
PAUSE_SECONDS: Final = 0.2


@dataclass(frozen=True, kw_only=True)
class HostUse:
    """Of the time since the last look.

    :param idle: share of the processors' time that nobody wanted
    :param memory: bytes that could be had
    """

    idle: float
    memory: int


class HostMeter:
    """Looks at Linux's own counts; on other systems there is nothing to see.

    :param proc: where these counts are
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._before = self._times()

    def look(self) -> HostUse | None:
        """None where nothing can be seen, or no time has passed."""
        before, self._before = self._before, self._times()
        memory = self._memory()
        if before is None or self._before is None or memory is None:
            return None
        total = self._before[0] - before[0]
        return HostUse(idle=(self._before[1] - before[1]) / total, memory=memory) if total > 0 else None

    def _times(self) -> tuple[int, int] | None:
        """In ticks since the start of the host: all of them, and those of nobody; waiting for a disk is waiting."""
        try:
            line = (self._proc / "stat").read_text(encoding="ascii").partition("\n")[0].split()
            ticks = [int(it) for it in line[1:9]]
            return sum(ticks), ticks[3] + ticks[4]
        except (OSError, ValueError, IndexError):
            return None

    def _memory(self) -> int | None:
        try:
            lines = (self._proc / "meminfo").read_text(encoding="ascii").splitlines()
            return next(int(it.split()[1]) * 1024 for it in lines if it.startswith("MemAvailable:"))
        except (OSError, ValueError, IndexError, StopIteration):
            return None


def next_count(count: int, uses: Sequence[HostUse], *, least: int, most: int) -> int:
    """How many workers there should be, with so many now; one more, one less, or as many.

    :param uses: since the last change, the latest last
    """
    more, less = uses[-LOOKS_FOR_MORE:], uses[-LOOKS_FOR_LESS:]
    if len(more) == LOOKS_FOR_MORE and all(it.idle >= ROOM and it.memory >= 2 * MEMORY_BYTES for it in more):
        return min(most, count + 1)
    if uses and uses[-1].memory < MEMORY_BYTES:
        return max(least, count - 1)
    if len(less) == LOOKS_FOR_LESS and all(it.idle < NO_ROOM for it in less):
        return max(least, count - 1)
    return count


def most_workers(count: int, processors: int) -> int:
    """How many there may be at most, given how many were asked for."""
    return MOST_PER_PROCESSOR * processors if count == AUTO else count


class Workers:
    """Which workers may take a case now: those with the lowest numbers. Safe to use from all of them.

    :param count: of them, or `AUTO`
    :param cases: to be run
    :param processors: of the host
    :param meter: None for a number that stays
    """

    def __init__(self, count: int, *, cases: int, processors: int, meter: HostMeter | None = None) -> None:
        self.least = max(1, min(count or processors, cases))
        self.most = max(1, min(most_workers(count, processors), cases))
        self.now = self.least
        self._meter = meter or HostMeter()
        self._changed = threading.Condition()
        self._begun = False

    def begun(self) -> None:
        """The first worker has its slot, or will never have one: until then, making others would only hold it up."""
        with self._changed:
            self._begun = True
            self._changed.notify_all()

    def admitted(self, number: int, over: Callable[[], bool]) -> bool:
        """Wait until this worker may take a case; False where there will be none for it.

        :param over: asked now and then
        """
        with self._changed:
            while not over():
                if number < self.now and (self._begun or number == 0):
                    return True
                self._changed.wait(PAUSE_SECONDS)
        return False

    @contextmanager
    def adapting(self) -> Iterator[None]:
        """Look at the host while the block runs, where the number of workers is not given."""
        if self.most == self.least:
            yield
            return
        done = threading.Event()
        looking = threading.Thread(target=self._adapt, args=(done,), name="workers", daemon=True)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()

    def _adapt(self, done: threading.Event) -> None:
        uses: list[HostUse] = []
        while not done.wait(LOOK_SECONDS):
            use = self._meter.look()
            if use is None or not self._begun:
                continue
            uses.append(use)
            count = next_count(self.now, uses, least=self.least, most=self.most)
            if count != self.now:
                uses.clear()
                with self._changed:
                    self.now = count
                    self._changed.notify_all()
