"""Images as files in a folder: how one CI job hands them to the next, and a cache between runs."""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import zstandard

from ci.util.given_files import open_given

if TYPE_CHECKING:
    from ci.images.caches.base import ImageStore

__all__ = ["ArchiveFolder"]

# What an archive says of itself; which of them counts is up to the engine.
_DESCRIPTIONS: Final = ("manifest.json", "repositories", "index.json")
_MOST_DESCRIPTION: Final = 1 << 20
_NAME: Final = "io.containerd.image.name"
_BLOCK: Final = 1 << 20


class ArchiveFolder:
    """A folder of `docker save` archives, compressed with a checksum, one file per image tag.

    Files appear whole or not at all. One that is damaged by its own account, or holds anything but the image it is
    named for, is removed; what an engine will not take is written anew when that image is kept the next time.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._refused: set[str] = set()

    def path(self, tag: str) -> Path:
        return self._folder / (tag.replace("/", "_").replace(":", "-") + ".tar.zst")

    def describe(self) -> str:
        return f"archives in {self._folder}"

    def save(self, tag: str, store: ImageStore) -> None:
        """Keep an image.

        :raises OSError: the folder cannot be written
        :raises EngineError: the engine does not answer
        """
        target = self.path(tag)
        if target.exists() and tag not in self._refused:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        try:
            with os.fdopen(descriptor, "wb") as file:
                compressor = zstandard.ZstdCompressor(level=3, write_checksum=True, threads=-1)
                with compressor.stream_writer(file, closefd=False) as writer:
                    for chunk in store.export(tag):
                        writer.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        self._refused.discard(tag)

    def restore(self, tag: str, store: ImageStore) -> bool:
        """Give an image to the engine; False if it is not kept here.

        :raises OSError: the archive is of no use and was removed, or cannot be read, or the engine does not take it
        :raises EngineError: the engine does not answer; that says nothing about the archive
        """
        source = self.path(tag)
        if not source.exists():
            return False
        try:
            with _content(source) as reader:
                _check(reader, tag)
        except (zstandard.ZstdError, tarfile.TarError, ValueError) as error:
            # Whatever is wrong with it, it will be wrong the next time too.
            with contextlib.suppress(OSError):
                source.unlink()
            msg = f"the archive {source.name} is damaged and was removed: {error}"
            raise OSError(msg) from error
        with _content(source) as reader:
            complaint = store.load(reader)
        if complaint is not None:
            # Its disk may be full, so this is no reason to throw the archive away.
            self._refused.add(tag)
            msg = f"the engine does not take the archive {source.name}: {complaint}"
            raise OSError(msg)
        return True


@contextmanager
def _content(source: Path) -> Iterator[IO[bytes]]:
    with open_given(source) as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        yield reader


def _check(reader: IO[bytes], tag: str) -> None:
    """Read an archive to its end, and see that it holds this image and would name no other.

    :raises ValueError, TarError, ZstdError: it is not whole, or holds something else
    """
    said: dict[str, Any] = {}
    names: set[str] = set()
    links: set[str] = set()
    with tarfile.open(fileobj=reader, mode="r|") as archive:
        for entry in archive:
            name = posixpath.normpath(entry.name.lstrip("/"))
            if any(parent in links for parent in _parents(name)):
                msg = f"{entry.name} is below a link"
                raise ValueError(msg)
            if not (entry.isreg() or entry.isdir()):
                links.add(name)
            if name in _DESCRIPTIONS:
                if name in said or not entry.isreg() or entry.size > _MOST_DESCRIPTION:
                    msg = f"a second, or no proper, {name}"
                    raise ValueError(msg)
                content = archive.extractfile(entry)
                said[name] = json.loads(content.read()) if content is not None else None
            names.add(name)
    while reader.read(_BLOCK):
        pass  # the checksum is at the end
    try:
        found, needed = _tags(said), _files(said["manifest.json"])
    except (KeyError, TypeError, AttributeError) as error:
        msg = f"it does not say what it holds ({type(error).__name__}: {error})"
        raise ValueError(msg) from error
    if found != {tag}:
        msg = f"it holds {', '.join(sorted(found)) or 'nothing'} and not {tag} alone"
        raise ValueError(msg)
    if lost := needed - names:
        msg = f"it lacks {min(lost)}"
        raise ValueError(msg)


def _parents(name: str) -> Iterator[str]:
    while name := posixpath.dirname(name):
        yield name


def _tags(said: dict[str, Any]) -> set[str]:
    """Every name that an engine could give to something in the archive, whichever description it reads."""
    found = {tag for image in said["manifest.json"] for tag in image["RepoTags"] or ()}
    found |= {f"{name}:{tag}" for name, tags in said.get("repositories", {}).items() for tag in tags}
    for image in said.get("index.json", {}).get("manifests", ()):
        name = (image.get("annotations") or {}).get(_NAME)
        if name is not None:
            found.add(name.removeprefix("docker.io/").removeprefix("library/"))
    return found


def _files(manifest: list[dict[str, Any]]) -> set[str]:
    [image] = manifest
    return {posixpath.normpath(name) for name in (image["Config"], *image["Layers"])}
