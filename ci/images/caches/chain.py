"""Several caches, asked in order: the first that has an image gives it, and a fault of one costs a warning."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci.errors import EngineError
from ci.images.caches.base import CacheOutageError

if TYPE_CHECKING:
    from ci.images.caches.base import ImageCache, ImageStore, Limits

__all__ = ["CacheChain", "Place"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cache, and what is done with it."""

    cache: ImageCache
    reads: bool
    writes: bool


class CacheChain:
    """The caches of one run. Safe to use from several threads.

    :param warn: told once of each cache that is in trouble, and of each entry that is of no use
    """

    def __init__(self, places: Sequence[Place], limits: Limits, warn: Callable[[str], None]) -> None:
        self.places = tuple(places)
        self._limits = limits
        self._warn = warn
        self._lock = threading.Lock()
        self._out: set[tuple[int, bool]] = set()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._limits.stopped.set()

    def has(self, tag: str, store: ImageStore) -> bool:
        """Whether one of them that is read has this image, found out without fetching it."""
        return any(
            self._asked(number, place, lambda cache: cache.has(tag, store), f"it is not known whether it has {tag}")
            for number, place in self._read()
        )

    def restore(
        self, tag: str, store: ImageStore, *, objection: Callable[[], str | None] = lambda: None, then: str = ""
    ) -> str | None:
        """Give an image to the engine; which cache had it, None where none has.

        :param objection: asked of what the engine has got: why it is not the image that is meant, None where it is
        :param then: what is done where it cannot be had, for the warning
        :raises EngineError: the engine does not answer
        """

        def restored(cache: ImageCache) -> bool:
            if not cache.restore(tag, store):
                return False
            if (why := objection()) is None:
                return True
            # Another archive has been put under this name, by someone with the right to write there.
            store.forget(tag)
            cache.distrust(tag)
            raise OSError(why)

        for number, place in self._read():
            if self._asked(number, place, restored, f"{tag} could not be loaded{then}"):
                return place.cache.describe()
        return None

    def save(self, tag: str, store: ImageStore) -> None:
        """Keep an image wherever one is to be kept."""
        for number, place in enumerate(self.places):
            if not place.writes or self._is_out(number, writing=True):
                continue
            try:
                place.cache.save(tag, store)
            except CacheOutageError as error:
                self._set_aside(number, error, writing=True)
            except (OSError, EngineError) as error:
                self._warn(f"cache {place.cache.describe()}: {tag} could not be kept: {error}")

    def _read(self) -> Iterator[tuple[int, Place]]:
        for number, place in enumerate(self.places):
            if place.reads and not self._is_out(number, writing=False):
                yield number, place

    def _asked(self, number: int, place: Place, question: Callable[[ImageCache], bool], failed: str) -> bool:
        try:
            return question(place.cache)
        except CacheOutageError as error:
            self._set_aside(number, error, writing=False)
        except OSError as error:
            self._warn(f"cache {place.cache.describe()}: {failed}: {error}")
        return False

    def _is_out(self, number: int, *, writing: bool) -> bool:
        with self._lock:
            return (number, writing) in self._out

    def _set_aside(self, number: int, error: CacheOutageError, *, writing: bool) -> None:
        """Said once: the other images would tell the same, and each would be waited for."""
        with self._lock:
            if (number, writing) in self._out:
                return
            self._out.add((number, writing))
        what = "nothing more is kept there" if writing else "it is not asked again"
        self._warn(f"cache {self.places[number].cache.describe()}: {error}; {what}")
