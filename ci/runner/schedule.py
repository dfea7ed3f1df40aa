"""Which case a free worker takes next: the first one, in the shard's order, whose images are both there."""

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
        self._changed = threading.Condition()
        self._closed = False
        for version, future in images.items():
            future.add_done_callback(partial(self._provided, version))

    def take(self, cancelled: Callable[[], bool], *, look: bool = False) -> Ready | Unrunnable | None:
        """The next case, waiting for images if need be; None when there is none left or the run is over.

        What cannot run is has_result at once: a count of what is left must not include it for long.

        :param look: only look: a case that can be run stays where it is
        :raises InteropError, OSError: what kept an image from being looked for, and would any other
        """
        with self._changed:
            while (self._waiting or self._unrunnable) and not self._closed and not cancelled():
                if self._unrunnable:
                    return self._unrunnable.pop()
                lowest = self._lowest_rank()
                for position, case in enumerate(self._waiting):
                    ready = self._ready(case) if self._rank(case) == lowest else None
                    if ready is not None:
                        if not look:
                            del self._waiting[position]
                        return ready
                self._changed.wait(timeout=0.5)
            return None

    def close(self) -> tuple[Case, ...]:
        """Hand out nothing more; returns what was left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return (*self._waiting, *(item.case for item in self._unrunnable))

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
