"""Archives of images and a real engine: damaged ones, ones of something else, and an engine that is in trouble."""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import zstandard

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.images import Images
from ci.images.base import Unavailable
from ci.images.caches import archive
from ci.images.caches.base import Limits
from ci.images.caches.chain import CacheChain, Place
from ci.images.caches.directory import Directory
from ci.images.caches.entries import ArchiveCache, Entry, entry_name
from ci.model import BuildRecipe, Transport, Version
from ci.util.json_document import canonical

pytestmark = pytest.mark.docker


class Shelf:
    """An archive folder and a throw-away image in it, which the engine no longer has."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.folder = folder
        self.archives = ArchiveCache(Directory(folder))
        self.word = secrets.token_hex(4)
        self.tag = f"interop/shelf-{self.word}:{'a' * 16}"
        self._stack = ExitStack()
        self.make(self.tag)
        self.archives.save(self.tag, daemon)
        self.forget(self.tag)

    @property
    def file(self) -> Path:
        entry = self.archives.entry(self.tag)
        assert entry is not None
        return self.folder / entry.archive

    def make(self, tag: str) -> None:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(secrets.token_hex(8)))
        repository, _, name = tag.rpartition(":")
        self.daemon.api.import_image_from_data(layer.getvalue(), repository=repository, tag=name)
        self._stack.callback(self.forget, tag)

    def forget(self, tag: str) -> None:
        remove: Any = self.daemon.api.remove_image
        with suppress(docker.errors.NotFound):
            remove(tag)

    def members(self) -> dict[str, bytes]:
        """Name → content of what is in the archive."""
        packed = self.file.read_bytes()
        found = {}
        with tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().decompress(packed, 1 << 24))) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                if content is not None:
                    found[entry.name] = content.read()
        return found

    def write(self, members: dict[str, bytes], *, link: tuple[str, str] | None = None) -> None:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            if link is not None:
                entry = tarfile.TarInfo(link[0])
                entry.type, entry.linkname = tarfile.SYMTYPE, link[1]
                tar.addfile(entry)
            for name, content in members.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(raw.getvalue())
        # By somebody who may write there: what names the archive fits it.
        named = Entry(tag=self.tag, sha256=hashlib.sha256(packed).hexdigest(), bytes=len(packed))
        (self.folder / named.archive).write_bytes(packed)
        (self.folder / entry_name(self.tag)).write_bytes(canonical(named))

    def has(self, tag: str) -> bool:
        return self.daemon.image(tag) is not None

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def shelf(daemon: Daemon, tmp_path: Path) -> Iterator[Shelf]:
    it = Shelf(daemon, tmp_path / "archives")
    yield it
    it.close()


def other(shelf: Shelf) -> str:
    return f"interop/other-{shelf.word}:{'c' * 16}"


def manifest_of_other(shelf: Shelf, members: dict[str, bytes]) -> bytes:
    manifest = json.loads(members["manifest.json"])
    manifest[0]["RepoTags"] = [other(shelf)]
    return json.dumps(manifest).encode()


def name_other_alone(shelf: Shelf, members: dict[str, bytes]) -> None:
    shelf.write(members | {"manifest.json": manifest_of_other(shelf, members)})


def name_other_too(shelf: Shelf, members: dict[str, bytes]) -> None:
    manifest = json.loads(members["manifest.json"])
    manifest[0]["RepoTags"].append(other(shelf))
    shelf.write(members | {"manifest.json": json.dumps(manifest).encode()})


def hold_two(shelf: Shelf, members: dict[str, bytes]) -> None:
    manifest = json.loads(members["manifest.json"])
    manifest.append(manifest[0] | {"RepoTags": [other(shelf)]})
    shelf.write(members | {"manifest.json": json.dumps(manifest).encode()})


def say_it_twice(shelf: Shelf, members: dict[str, bytes]) -> None:
    shelf.write(members | {"./manifest.json": manifest_of_other(shelf, members)})


def say_it_behind_a_link(shelf: Shelf, members: dict[str, bytes]) -> None:
    shelf.write(members | {"here/manifest.json": manifest_of_other(shelf, members)}, link=("here", "."))


def lack_a_layer(shelf: Shelf, members: dict[str, bytes]) -> None:
    shelf.write({name: content for name, content in members.items() if not name.endswith("layer.tar")})


def say_nothing(shelf: Shelf, members: dict[str, bytes]) -> None:
    shelf.write({name: content for name, content in members.items() if name != "manifest.json"})


@pytest.mark.parametrize(
    "forge",
    [name_other_alone, name_other_too, hold_two, say_it_twice, say_it_behind_a_link, lack_a_layer, say_nothing],
)
def test_an_archive_gives_no_image_a_name_but_its_own(
    shelf: Shelf, forge: Callable[[Shelf, dict[str, bytes]], None]
) -> None:
    forge(shelf, shelf.members())
    with pytest.raises(OSError, match="is damaged"):
        shelf.archives.restore(shelf.tag, shelf.daemon)
    assert not shelf.has(other(shelf))
    assert not shelf.has(shelf.tag)


def test_one_that_unpacks_to_more_than_any_image_is_read_no_further(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "_MOST_BYTES", 4096)
    with pytest.raises(OSError, match="larger than any image"):
        shelf.archives.restore(shelf.tag, shelf.daemon)
    assert not shelf.has(shelf.tag)


def test_what_the_engine_does_not_take_is_no_hit_and_is_written_anew(shelf: Shelf) -> None:
    """Whole by its own account, and no image: the configuration is none."""
    members = shelf.members()
    config = json.loads(members["manifest.json"])[0]["Config"]
    shelf.write(members | {config: b"{"})
    said: list[str] = []
    chain = CacheChain([Place(cache=shelf.archives, reads=True, writes=True)], Limits(), said.append)
    images = Images(shelf.daemon, root=Path("/nowhere"), key_of=lambda _: "a" * 64, caches=chain)
    version = Version(
        id=f"shelf-{shelf.word}",
        family="shelf",
        source=BuildRecipe(folder="impls/shelf"),
        transports=(Transport(name="quic-v1"),),
    )
    assert images.tag(version, "a" * 64) == shelf.tag
    assert isinstance(images.find(version), Unavailable)
    [warning] = said
    assert "does not take the archive" in warning
    assert "built instead" not in warning  # `find` builds nothing

    shelf.make(shelf.tag)
    shelf.archives.save(shelf.tag, shelf.daemon)
    shelf.forget(shelf.tag)
    assert ArchiveCache(Directory(shelf.folder)).restore(shelf.tag, shelf.daemon)


def test_an_image_of_another_key_is_no_hit_whatever_it_is_called(shelf: Shelf) -> None:
    """Whole, and named for it: what it was built as says otherwise."""
    said: list[str] = []
    chain = CacheChain([Place(cache=shelf.archives, reads=True, writes=False)], Limits(), said.append)
    images = Images(shelf.daemon, root=Path("/nowhere"), key_of=lambda _: "a" * 64, caches=chain, warn=said.append)
    version = Version(
        id=f"shelf-{shelf.word}",
        family="shelf",
        source=BuildRecipe(folder="impls/shelf"),
        transports=(Transport(name="quic-v1"),),
    )
    assert isinstance(images.find(version), Unavailable)
    assert not shelf.has(shelf.tag)
    [warning] = said
    assert warning.endswith("could not be loaded: what is kept by that name is an image of unknown origin")

    # The next that is kept is written over it.
    before = shelf.file
    shelf.make(shelf.tag)
    shelf.archives.save(shelf.tag, shelf.daemon)
    assert shelf.file != before
