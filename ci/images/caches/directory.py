"""`dir:FOLDER`: images as files in a folder; how one CI job hands them to the next, and a cache between runs."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ci.errors import ConfigurationError
from ci.images.caches.entries import ArchiveCache
from ci.util.given_files import read_given

if TYPE_CHECKING:
    from ci.images.caches.base import Limits

__all__ = ["Directory", "open_directory"]


def open_directory(url: str, limits: Limits) -> ArchiveCache:
    """:raises ConfigurationError: it names no folder"""
    del limits  # a disk is not waited for
    place = url.partition(":")[2]
    if not place:
        raise ConfigurationError("no-such-cache", f"`{url}` names no folder", hint="such as dir:/var/cache/interop")
    return ArchiveCache(Directory(Path(place).expanduser()))


class Directory:
    """Files in a folder, which is made when the first is written. A file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> str:
        return f"dir:{self._folder}"

    def read(self, name: str, *, most_bytes: int) -> bytes | None:
        try:
            return read_given(self._folder / name, most_bytes=most_bytes)
        except FileNotFoundError:
            return None

    @contextmanager
    def local(self, name: str, *, size: int) -> Iterator[Path | None]:
        del size
        path = self._folder / name
        yield path if path.exists() else None

    def write(self, name: str, content: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, part = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as target, content.open("rb") as source:
                shutil.copyfileobj(source, target, 1 << 20)
                target.flush()
                os.fsync(target.fileno())
            Path(part).chmod(0o644)
            Path(part).replace(self._folder / name)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(part).unlink()
            raise
