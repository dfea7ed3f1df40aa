"""Files into a container before it starts, and out of it when it has ended.

Nothing of this machine is mounted: whatever a container does to its files, and as whom, stays in it.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import docker.errors

from ci.engines.docker.daemon import TROUBLE
from ci.spec.attempt import MIB
from ci.util.portable_names import PortableNames

if TYPE_CHECKING:
    from ci.engines.docker.daemon import Daemon

__all__ = ["put_folders", "read_file", "take_folder"]

# Below this an archive is made in memory.
SPOOL: Final = 64 * MIB
MOST_FILES: Final = 10_000


def put_folders(daemon: Daemon, container: str, folders: Mapping[str, Path]) -> None:
    """Put the content of folders into a container that has not started, all of it at once.

    Everything belongs to root there, as what is mounted by root would; anyone may write into the folders themselves.

    :param folders: of this machine, by where their content goes
    :raises EngineError: the engine is in trouble
    :raises OSError: a file of the folder cannot be read
    """
    with tempfile.SpooledTemporaryFile(max_size=SPOOL) as spool:
        with tarfile.open(fileobj=spool, mode="w") as archive:
            for target, source in folders.items():
                root = tarfile.TarInfo(target.strip("/"))
                root.type, root.mode = tarfile.DIRTYPE, 0o777
                archive.addfile(root)
                for path in sorted(source.rglob("*")):
                    name = f"{target.strip('/')}/{path.relative_to(source).as_posix()}"
                    archive.add(path, name, recursive=False, filter=_of_root)
        spool.seek(0)
        daemon.call(daemon.api.put_archive, container, "/", spool)


def _of_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    return entry


def take_folder(daemon: Daemon, container: str, source: str, target: Path, *, most_bytes: int) -> bool:
    """Copy the regular files below `source` in a container to `target`, which is made, under portable names.

    :param most_bytes: of all files together; what comes after that is left behind
    :return: whether everything was copied
    :raises EngineError: the engine is in trouble
    :raises OSError: the disk is full or not ours
    """
    target.mkdir(parents=True, exist_ok=True)
    with _sent(daemon, container, source) as archive:
        # None: it never made that folder, so nothing is missing.
        return archive is None or _extract(archive, target, most_bytes)


def read_file(daemon: Daemon, container: str, source: str, *, most_bytes: int) -> bytes | None:
    """A file of a container, whether that runs or not; None where there is none, or a larger one, or a link.

    :raises EngineError: the engine is in trouble
    """
    with _sent(daemon, container, source) as archive:
        entry = archive.next() if archive is not None else None
        if archive is None or entry is None or not entry.isreg() or entry.size > most_bytes:
            return None
        content = archive.extractfile(entry)
        return content.read(most_bytes) if content is not None else None


@contextmanager
def _sent(daemon: Daemon, container: str, source: str) -> Iterator[tarfile.TarFile | None]:
    """What the engine sends of a path in a container; None where there is nothing.

    :raises EngineError: the engine is in trouble
    """
    try:
        chunks, _ = daemon.api.get_archive(container, source)
    except docker.errors.NotFound:
        yield None
        return
    except TROUBLE as error:
        raise daemon.trouble(str(error)) from error
    try:
        with tarfile.open(fileobj=_Stream(chunks), mode="r|") as archive:
            yield archive
    except tarfile.TarError as error:
        raise daemon.trouble(f"what it sent of {source} is no archive: {error}") from error
    finally:
        daemon.quietly(chunks.close)


def _extract(archive: tarfile.TarFile, target: Path, most_bytes: int) -> bool:
    left, files, whole, names = most_bytes, 0, True, PortableNames()
    for entry in archive:
        # The first part is the folder itself. Links and devices are no files a peer could have received.
        parts = PurePosixPath(entry.name).parts[1:]
        if not entry.isreg() or not parts or ".." in parts or "/" in parts:
            continue
        files += 1
        content = archive.extractfile(entry)
        if content is None or left <= 0 or files > MOST_FILES:
            whole = False
            break
        name = names.add(parts)
        if name is None:
            whole = False
            continue
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            while left > 0 and (block := content.read(min(MIB, left))):
                file.write(block)
                left -= len(block)
        whole = whole and path.stat().st_size == entry.size
    return whole


class _Stream(io.RawIOBase):
    """The chunks of an answer as a file that is read from front to back."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks: Iterator[bytes] = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            while not self._rest:
                self._rest = next(self._chunks)
        except StopIteration:
            return 0
        except TROUBLE as error:
            raise tarfile.ReadError(str(error)) from error
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size
