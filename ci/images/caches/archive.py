"""An image as a file: `docker save`, compressed, and checked to its end before an engine sees any of it."""

from __future__ import annotations

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

import zstandard

from ci.util.given_files import open_given

__all__ = ["checked", "opened", "pack"]

# What an archive says of itself; which of them counts is up to the engine.
_DESCRIPTIONS: Final = ("manifest.json", "repositories", "index.json")
_MOST_DESCRIPTION: Final = 1 << 20
_NAME: Final = "io.containerd.image.name"
# Unpacked. What claims to be more would fill the disk.
_MOST_BYTES: Final = 16 << 30
_BLOCK: Final = 1 << 20


def pack(chunks: Iterable[bytes], target: IO[bytes]) -> str:
    """Write an archive, compressed and with a checksum; returns its SHA-256 as 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True, threads=-1).compressobj()

    def write(block: bytes) -> None:
        hasher.update(block)
        target.write(block)

    for chunk in chunks:
        write(compressor.compress(chunk))
    write(compressor.flush())
    return hasher.hexdigest()


def checked(source: Path, *, sha256: str, tag: str) -> None:
    """Read an archive to its end, and see that it is the one meant, holds this image, and would name no other.

    :raises ValueError: it is another, is not whole, or holds something else
    :raises OSError: it cannot be read
    """
    hasher = hashlib.sha256()
    with open_given(source) as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
    if hasher.hexdigest() != sha256:
        raise ValueError("its content is not what was written there")
    try:
        with opened(source) as reader:
            _check(cast("IO[bytes]", _Bounded(reader, _MOST_BYTES)), tag)
    except (zstandard.ZstdError, tarfile.TarError) as error:
        raise ValueError(str(error)) from error


@contextmanager
def opened(source: Path) -> Iterator[IO[bytes]]:
    """What an archive holds, as the engine takes it."""
    with open_given(source) as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        yield reader


class _Bounded:
    """A file that is read from front to back, up to a point.

    :raises ValueError: there is more
    """

    def __init__(self, reader: IO[bytes], most: int) -> None:
        self._reader = reader
        self._left = most

    def read(self, size: int) -> bytes:
        block = self._reader.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise ValueError("unpacked it is larger than any image")
        return block


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
