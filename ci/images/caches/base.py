"""A cache of images: an optimisation that may be lost at any time, and what an engine must offer to fill and use it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Protocol

__all__ = ["ImageCache", "ImageStore"]


class ImageStore(Protocol):
    """An engine, as a cache sees it."""

    def export(self, tag: str) -> Iterable[bytes]:
        """An image as an archive (`docker save`).

        :raises EngineError: the engine does not answer, or has no such image
        """

    def load(self, archive: IO[bytes]) -> str | None:
        """Give the engine an archive of images; None once it has them, else why it does not take them, in its words.

        :raises EngineError: the engine does not answer
        """


class ImageCache(Protocol):
    """Keeps images outside the engine, by the tag that holds their content key."""

    def describe(self) -> str:
        """What it is and where, in a few words."""

    def restore(self, tag: str, store: ImageStore) -> bool:
        """Give an image to the engine; False if it is not kept here.

        :raises OSError: what is kept is of no use, or cannot be read, or the engine does not take it
        :raises EngineError: the engine does not answer; that says nothing about what is kept
        """

    def save(self, tag: str, store: ImageStore) -> None:
        """Keep an image.

        :raises OSError: there is no room, or it cannot be written
        """
