"""Which case a free worker takes next: the first one, in the shard's order, whose images are both there.

A worker may reserve the one it will most likely take next, to prepare it. Another that finds no other case takes it
over.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from ci.errors import InteropError
from ci.images.base import Image, Unavailable
from ci.model import Case, ReasonCode
from ci.runner.case_errors import bug_text

__all__ = ["Ready", "Schedule", "Unrunnable"]


@dataclass(frozen=True)
class Ready:
    """A case whose two images are there, by version id."""

    case: Case
    images: Mapping[str, Image]


@dataclass(frozen=True)
class Unrunnable:
    """A case that will never run here, with the version whose image cannot be had."""

    case: Case
    version: str
    why: Unavailable


class Schedule:
    """Hands out every case exactly once. Safe to use from several workers.

    Builds and pulls may still be under way: a case becomes available when both its images are, so that quick
    ones run while slow ones build.

    :param images: a future per version id
    :param rank: asked anew each time; cases of a higher rank wait until there are none of a lower one
    """

    def __init__(
        self,
        cases: Iterable[Case],
        images: Mapping[str, Future[Image | Unavailable]],
        *,
        rank: Callable[[Case], int] = lambda _: 0,
    ) -> None:
        self._waiting = list(cases)
        self._rank = rank
        self._unrunnable: list[Unrunnable] = []
        self._images = images
        self._reserved: dict[int, Ready] = {}
        self._changed = threading.Condition()
        self._closed = False
        for version, future in images.items():
            future.add_done_callback(partial(self._provided, version))

    def take(self, cancelled: Callable[[], bool], worker: int = 0, *, look: bool = False) -> Ready | Unrunnable | None:
        """The next case, waiting for images if need be; None when there is none left or the run is over.

        What cannot run is handed out at once: a count of what is left must not include it for long.

        :param worker: who asks; it is given what it has reserved, unless that has fallen behind others in rank
        :param look: only look: a case that can be run stays where it is
        :raises InteropError, OSError: what kept an image from being looked for, and would any other
        """
        with self._changed:
            while (self._waiting or self._unrunnable or self._reserved) and not self._closed and not cancelled():
                if self._unrunnable:
                    return self._unrunnable.pop()
                ready = self._own(worker) or self._first() or self._anybodys()
                if ready is not None:
                    if not look:
                        self._hand_out(ready)
                    return ready
                self._changed.wait(timeout=0.5)
            return None

    def reserve(self, worker: int) -> Ready | None:
        """The case that a worker will take next, if nothing changes meanwhile; None where none is to be had now."""
        with self._changed:
            ready = None if self._closed or self._unrunnable else self._first()
            if ready is not None:
                self._waiting.remove(ready.case)
                self._reserved[worker] = ready
            return ready

    def _own(self, worker: int) -> Ready | None:
        ready = self._reserved.get(worker)
        if ready is not None and self._waiting and self._rank(ready.case) > self._lowest_rank():
            del self._reserved[worker]
            self._waiting.append(ready.case)
            return None
        return ready

    def _first(self) -> Ready | None:
        lowest = self._lowest_rank()
        candidates = (self._ready(case) for case in self._waiting if self._rank(case) == lowest)
        return next((ready for ready in candidates if ready is not None), None)

    def _anybodys(self) -> Ready | None:
        """Nobody waits for an image here while another worker keeps a case that could be run."""
        return next(iter(self._reserved.values()), None)

    def _hand_out(self, ready: Ready) -> None:
        for worker, reserved in self._reserved.items():
            if reserved is ready:
                del self._reserved[worker]
                return
        self._waiting.remove(ready.case)

    def is_empty(self) -> bool:
        """Whether nothing is left to take."""
        with self._changed:
            return self._closed or not (self._waiting or self._unrunnable or self._reserved)

    def close(self) -> tuple[Case, ...]:
        """Hand out nothing more; returns what was left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            reserved = (ready.case for ready in self._reserved.values())
            return (*self._waiting, *reserved, *(item.case for item in self._unrunnable))

    def _lowest_rank(self) -> int:
        # Nearly always the first one has it, and a shard has thousands.
        usual = any(self._rank(case) == 0 for case in self._waiting)
        return 0 if usual else min(map(self._rank, self._waiting), default=0)

    def _ready(self, case: Case) -> Ready | None:
        found: dict[str, Image] = {}
        for version in case.pair:
            future = self._images[version]
            if not future.done():
                return None
            image = _found(future)
            if isinstance(image, Unavailable):
                return None
            found[version] = image
        return Ready(case, found)

    def _provided(self, version: str, future: Future[Image | Unavailable]) -> None:
        with self._changed:
            image = None if future.cancelled() or _concerns_all(future) else _found(future)
            if isinstance(image, Unavailable):
                gone = [case for case in self._waiting if version in case.pair]
                self._unrunnable += [Unrunnable(case, version, image) for case in gone]
                self._waiting = [case for case in self._waiting if version not in case.pair]
            self._changed.notify_all()


def _concerns_all(future: Future[Image | Unavailable]) -> bool:
    error = future.exception()
    return isinstance(error, (InteropError, OSError)) or not isinstance(error, (Exception, type(None)))


def _found(future: Future[Image | Unavailable]) -> Image | Unavailable:
    """What was found; a mistake of ours in looking for one image costs the cases that need it, and no other."""
    error = future.exception()
    if isinstance(error, Exception) and not _concerns_all(future):
        return Unavailable(code=ReasonCode.BUG, text=bug_text(error), error=error)
    return future.result()
