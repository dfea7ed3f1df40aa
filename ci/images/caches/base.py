"""A cache of images: an optimisation that may be lost at any time, and what an engine must offer to fill and use it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, Protocol

__all__ = ["CacheOutageError", "ImageCache", "ImageStore", "Limits"]


class CacheOutageError(OSError):
    """What is wrong is wrong with the whole cache, so there is no use in asking it for the next image."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a cache that is somewhere else is waited for. Beyond that, building is the better choice.

    :param connect: seconds until somebody answers there
    :param silence: seconds without a byte
    :param pause: seconds at most before a question that failed for a reason that may pass is asked once more
    :param answer: seconds for a short answer, whatever its size
    :param slowest: bytes a second; an archive gets `answer` and what its size takes at this speed
    :param stopped: set once nobody wants an image any more
    """

    connect: float = 10.0
    silence: float = 30.0
    pause: float = 10.0
    answer: float = 30.0
    slowest: float = 1e6
    stopped: threading.Event = field(default_factory=threading.Event)


class ImageStore(Protocol):
    """An engine, as a cache sees it. Each method raises `EngineError` where the engine does not answer."""

    def export(self, tag: str) -> Iterable[bytes]:
        """An image as an archive (`docker save`).

        :raises EngineError: the engine has no such image
        """

    def load(self, archive: IO[bytes]) -> str | None:
        """Give the engine an archive of images; None once it has them, else why it does not take them, in its words."""

    def fetch(self, reference: str, limits: Limits) -> str | None:
        """Pull an image from a registry; None once it is there, else why it is not, in the engine's words."""

    def publish(self, reference: str, limits: Limits) -> str | None:
        """Push an image to a registry; None once that is done, else why it could not be, in the engine's words."""

    def published(self, reference: str, limits: Limits) -> str | None:
        """None if a registry has an image of this name for those who ask as we do, else what it said."""

    def alias(self, old: str, new: str) -> None:
        """Give an image a second name; what has that name loses it."""

    def forget(self, name: str) -> None:
        """Take a name from an image; one that nothing has is no error."""


class ImageCache(Protocol):
    """Keeps images outside the engine, by the tag that holds their content key. Used from several threads at once."""

    def describe(self) -> str:
        """What it is and where, in a few words, without secrets."""

    def has(self, tag: str, store: ImageStore) -> bool:
        """Whether this image is kept here, found out without fetching it.

        :raises OSError: it cannot be told
        """

    def restore(self, tag: str, store: ImageStore) -> bool:
        """Give an image to the engine; False if it is not kept here.

        :raises CacheOutageError: the cache does not answer, or not to us
        :raises OSError: what is kept is of no use, or cannot be read, or the engine does not take it
        :raises EngineError: the engine does not answer; that says nothing about what is kept
        """

    def save(self, tag: str, store: ImageStore) -> None:
        """Keep an image, unless it is kept already.

        :raises CacheOutageError: nothing can be kept here, or not by us
        :raises OSError: there is no room, or it cannot be written
        :raises EngineError: see `restore`
        """

    def distrust(self, tag: str) -> None:
        """What is kept of this image is of no use, as has turned out after it was given: `save` writes over it."""
