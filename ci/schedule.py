"""Which case a free worker takes next: the first one, in the shard's order, whose images are both there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from ci.images import Image, Unavailable
from ci.model import Case

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
    """

    def __init__(self, cases: Iterable[Case], images: Mapping[str, Future[Image | Unavailable]]) -> None:
        self._waiting = list(cases)
        self._images = images
        self._changed = threading.Condition()
        self._closed = False
        for future in images.values():
            future.add_done_callback(self._wake)

    def take(self, cancelled: Callable[[], bool]) -> Ready | Unrunnable | None:
        """The next case, waiting for images if need be; None when there is none left or the run is over."""
        with self._changed:
            while self._waiting and not self._closed and not cancelled():
                for position, case in enumerate(self._waiting):
                    found = self._state(case)
                    if found is not None:
                        del self._waiting[position]
                        return found
                self._changed.wait(timeout=0.5)
            return None

    def close(self) -> tuple[Case, ...]:
        """Hand out nothing more; returns what was left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return tuple(self._waiting)

    def _state(self, case: Case) -> Ready | Unrunnable | None:
        found: dict[str, Image] = {}
        for version in (case.dialer, case.listener):
            future = self._images[version]
            if not future.done():
                continue
            image = future.result()
            if isinstance(image, Unavailable):
                return Unrunnable(case, version, image)
            found[version] = image
        return Ready(case, found) if {case.dialer, case.listener} == set(found) else None

    def _wake(self, _: object) -> None:
        with self._changed:
            self._changed.notify_all()
