"""Archives of images and a real engine: damaged ones, ones of something else, and an engine that is in trouble."""

from __future__ import annotations

import io
import json
import secrets
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import docker.errors
import pytest
import zstandard
from engine_fronts import engine_front

from ci.engines.docker.daemon import Daemon, connect
from ci.engines.docker.images import Images
from ci.errors import EngineError
from ci.images.base import Unavailable
from ci.images.caches.archives import ArchiveFolder
from ci.model import BuildRecipe, Transport, Version

pytestmark = pytest.mark.docker


class Shelf:
    """An archive folder and a throw-away image in it, which the engine no longer has."""

    def __init__(self, daemon: Daemon, folder: Path) -> None:
        self.daemon = daemon
        self.archives = ArchiveFolder(folder)
        self.word = secrets.token_hex(4)
        self.tag = f"interop/shelf-{self.word}:{'a' * 16}"
        self.file = self.archives.path(self.tag)
        self._stack = ExitStack()
        self.make(self.tag)
        self.archives.save(self.tag, daemon)
        self.forget(self.tag)

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
        self.file.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(raw.getvalue()))

    def has(self, tag: str) -> bool:
        return self.daemon.image(tag) is not None

    def close(self) -> None:
        self._stack.close()


@pytest.fixture
def shelf(daemon: Daemon, tmp_path: Path) -> Iterator[Shelf]:
    it = Shelf(daemon, tmp_path / "archives")
    yield it
    it.close()


def test_what_was_kept_comes_back(shelf: Shelf) -> None:
    assert not shelf.has(shelf.tag)
    assert shelf.archives.restore(shelf.tag, shelf.daemon)
    assert shelf.has(shelf.tag)
    assert shelf.archives.restore(f"interop/none:{'b' * 16}", shelf.daemon) is False


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    # Of the checksum, which is last: everything else would decompress as it should.
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"no archive"])
def test_a_damaged_archive_is_removed_and_never_reaches_the_engine(
    shelf: Shelf, damage: Callable[[bytes], bytes]
) -> None:
    shelf.file.write_bytes(damage(shelf.file.read_bytes()))
    with pytest.raises(OSError, match="is damaged and was removed"):
        shelf.archives.restore(shelf.tag, shelf.daemon)
    assert not shelf.file.exists()
    assert not shelf.has(shelf.tag)


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
    with pytest.raises(OSError, match="is damaged and was removed"):
        shelf.archives.restore(shelf.tag, shelf.daemon)
    assert not shelf.file.exists()
    assert not shelf.has(other(shelf))
    assert not shelf.has(shelf.tag)


def test_what_the_engine_does_not_take_is_no_hit_and_is_written_anew(shelf: Shelf) -> None:
    """Whole by its own account, and no image: the configuration is none."""
    members = shelf.members()
    config = json.loads(members["manifest.json"])[0]["Config"]
    shelf.write(members | {config: b"{"})
    said: list[str] = []
    images = Images(
        shelf.daemon, root=Path("/nowhere"), key_of=lambda _: "a" * 64, cache=shelf.archives, warn=said.append
    )
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
    assert shelf.file.exists()

    shelf.make(shelf.tag)
    shelf.archives.save(shelf.tag, shelf.daemon)
    shelf.forget(shelf.tag)
    assert ArchiveFolder(shelf.file.parent).restore(shelf.tag, shelf.daemon)


def test_an_engine_in_trouble_costs_no_archive(shelf: Shelf, tmp_path: Path) -> None:
    before = shelf.file.read_bytes()
    host = shelf.daemon.address.host
    with engine_front(host, tmp_path / "engine.sock", hangs_up_on=b"/images/load") as front:
        with closing(connect({"DOCKER_HOST": front.host})) as client, pytest.raises(EngineError):
            shelf.archives.restore(shelf.tag, Daemon(client, run="tests"))
        assert any(b"/images/load" in line for line in front.seen)
    assert shelf.file.read_bytes() == before
