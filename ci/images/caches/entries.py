"""Images as files with an index entry each, on anything that keeps files by name: a folder, a web server, a bucket.

Of an image are kept its archive, named after its own SHA-256, and a small JSON file named after the image's tag that
says which archive it is. The archive is written first, so where there is a JSON file there is an archive; two writers
at once leave two archives, and the JSON file of one of them.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Protocol

import msgspec

from ci.images.caches.archive import checked, opened, pack
from ci.images.caches.base import CacheOutageError
from ci.util.json_document import canonical, decode_as

if TYPE_CHECKING:
    from ci.images.caches.base import ImageStore

__all__ = ["ArchiveCache", "Entry", "Files", "entry_name"]

MOST_ENTRY_BYTES: Final = 1 << 16


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of an image.

    :ivar tag: the image's name in an engine
    :ivar sha256: of the compressed archive, 64 hexadecimal digits
    :ivar bytes: of the compressed archive
    """

    tag: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    bytes: Annotated[int, msgspec.Meta(ge=0, le=1 << 32)]

    @property
    def archive(self) -> str:
        return f"sha256-{self.sha256}.tar.zst"


class Files(Protocol):
    """Something that keeps files by name. Names are letters, digits and `.-_`."""

    def describe(self) -> str:
        """What it is and where, in a few words, without secrets."""

    def read(self, name: str, *, most_bytes: int) -> bytes | None:
        """A small file; None where there is none of that name.

        :raises CacheOutageError: nothing can be read here
        :raises OSError: this one cannot be read, or is larger
        """

    @contextmanager
    def local(self, name: str, *, size: int) -> Iterator[Path | None]:
        """A large file as one of this machine's for as long as the block lasts; None where there is none.

        :raises CacheOutageError, OSError: see `read`
        """

    def write(self, name: str, content: Path) -> None:
        """Keep a file, whole or not at all.

        :raises CacheOutageError: nothing can be written here, or not by us
        :raises OSError: this one could not be written
        """


class ArchiveCache:
    """A cache of images in files."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._lock = threading.Lock()
        # Whole, and no engine's taste: they are written anew when the image is kept the next time.
        self._refused: set[str] = set()

    def describe(self) -> str:
        return self._files.describe()

    def entry(self, tag: str) -> Entry | None:
        """What is kept of an image.

        :raises CacheOutageError, OSError: see `Files.read`; or what is there is no entry, or that of another image
        """
        name = entry_name(tag)
        content = self._files.read(name, most_bytes=MOST_ENTRY_BYTES)
        if content is None:
            return None
        try:
            entry = decode_as(content, Entry)
        except ValueError as error:
            msg = f"{name} is damaged: {error}"
            raise OSError(msg) from error
        if entry.tag != tag:
            msg = f"{name} is damaged: it is of another image, {entry.tag}"
            raise OSError(msg)
        return entry

    def has(self, tag: str, store: ImageStore) -> bool:
        del store  # a file says it all
        return self.entry(tag) is not None

    def restore(self, tag: str, store: ImageStore) -> bool:
        entry = self.entry(tag)
        if entry is None:
            return False
        try:
            self._load(entry, tag, store)
        except OSError:
            self.distrust(tag)
            raise
        return True

    def distrust(self, tag: str) -> None:
        with self._lock:
            self._refused.add(tag)

    def _load(self, entry: Entry, tag: str, store: ImageStore) -> None:
        with self._files.local(entry.archive, size=entry.bytes) as archive:
            if archive is None:
                msg = f"{entry.archive} is not there, although {entry_name(tag)} names it"
                raise OSError(msg)
            try:
                checked(archive, sha256=entry.sha256, tag=tag)
            except ValueError as error:
                msg = f"the archive of {tag} is damaged: {error}"
                raise OSError(msg) from error
            with opened(archive) as reader:
                complaint = store.load(reader)
        if complaint is not None:
            msg = f"the engine does not take the archive of {tag}: {complaint}"
            raise OSError(msg)

    def save(self, tag: str, store: ImageStore) -> None:
        if self._kept(tag, store):
            return
        with tempfile.TemporaryDirectory(prefix="interop-image-") as scratch:
            packed = Path(scratch) / "image.tar.zst"
            with packed.open("wb") as file:
                sha256 = pack(store.export(tag), file)
            entry = Entry(tag=tag, sha256=sha256, bytes=packed.stat().st_size)
            self._files.write(entry.archive, packed)
            described = Path(scratch) / "entry.json"
            described.write_bytes(canonical(entry) + b"\n")
            self._files.write(entry_name(tag), described)
        with self._lock:
            self._refused.discard(tag)

    def _kept(self, tag: str, store: ImageStore) -> bool:
        """Whether there is nothing to do; what is there and of no use is written over."""
        with self._lock:
            if tag in self._refused:
                return False
        try:
            return self.has(tag, store)
        except CacheOutageError:
            raise
        except OSError:
            return False


def entry_name(tag: str) -> str:
    """`interop/go-v0.51:67f49df844eded2c` → `interop_go-v0.51-67f49df844eded2c.json`."""
    return tag.replace("/", "_").replace(":", "-") + ".json"
