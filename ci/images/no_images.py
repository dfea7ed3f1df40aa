"""Where there are no images at all, for one reason: every case that needs one is not run, and says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ci.images.base import Image, ImageReport, ImageStatus, Unavailable, Watch, unwatched
from ci.model import ReasonCode

if TYPE_CHECKING:
    from ci.model import Version

__all__ = ["NoImages"]


class NoImages:
    """:param why: the reason, for the results"""

    def __init__(self, why: str) -> None:
        self._why = why

    def find(self, version: Version) -> Unavailable:
        del version
        return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text=self._why)

    def cached(self, version: Version) -> bool:
        """Nothing would be built."""
        del version
        return True

    def packages(self, image: Image) -> None:
        """None are known."""

    def missing_requirement(self, version: Version) -> str | None:
        del version
        return self._why

    def provide(
        self, versions: Iterable[Version], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        del watch
        for version in versions:
            image = self.find(version)
            report(ImageReport(version=version.id, status=ImageStatus.UNAVAILABLE, seconds=0.0, image=image))

    def stop(self) -> None:
        """Nothing is under way."""
