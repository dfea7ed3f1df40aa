"""Images as files in a folder: how one CI job hands them to the next, and a cache between runs."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

if TYPE_CHECKING:
    from ci.engines.daemon import Daemon

__all__ = ["ArchiveFolder"]


class ArchiveFolder:
    """A folder of `docker save` archives, compressed with a checksum, one file per image tag.

    Files appear whole or not at all; one that turns out to be damaged is removed, so that it is made again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, tag: str) -> Path:
        return self._folder / (tag.replace("/", "_").replace(":", "-") + ".tar.zst")

    def save(self, tag: str, daemon: Daemon) -> None:
        """Keep an image.

        :raises OSError: the folder cannot be written
        """
        target = self.path(tag)
        if target.exists():
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                compressor = zstandard.ZstdCompressor(level=3, write_checksum=True, threads=-1)
                with compressor.stream_writer(file, closefd=False) as writer:
                    for chunk in daemon.api.get_image(tag):
                        writer.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise

    def load(self, tag: str, daemon: Daemon) -> bool:
        """Give an image to the engine; False if it is not kept here.

        :raises OSError: the archive is damaged; it has been removed
        """
        source = self.path(tag)
        if not source.exists():
            return False
        try:
            with source.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
                load: Any = daemon.api.load_image  # the SDK leaves it untyped
                load(reader)
        except Exception as error:
            # Whatever is wrong with it, it will be wrong the next time too.
            with contextlib.suppress(OSError):
                source.unlink()
            msg = f"the archive {source.name} is damaged and was removed: {error}"
            raise OSError(msg) from error
        return True
