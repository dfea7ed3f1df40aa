"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Replace the file's content in one step; a reader sees the old bytes or the new ones.

    :param content: as a whole, or piece by piece

    A symbolic link stays one and what it names is replaced. An existing file keeps its mode and, where this
    user may set it, its owner.

    :raises OSError: if the folder cannot be written, or there is a pipe, a device or a folder in its place; that is
        then as it was
    """
    target = Path(os.path.realpath(path))
    try:
        before = target.stat()
    except FileNotFoundError:
        before = None
    if before is not None and not stat.S_ISREG(before.st_mode):
        raise OSError(errno.EINVAL, "there is something else than a file", str(target))
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with open(handle, "wb") as file:  # noqa: PTH123 (a descriptor)
            file.writelines([content] if isinstance(content, bytes) else content)
            file.flush()
            if not hasattr(os, "fchmod"):
                pass  # Windows, where a new file has the rights of its folder
            elif before is None:
                os.fchmod(file.fileno(), 0o666 & ~_umask())
            else:
                if (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
                    with contextlib.suppress(PermissionError):
                        os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            os.fsync(file.fileno())
        Path(temporary).replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync_folder(target.parent)


def _umask() -> int:
    # There is no way to ask without setting it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the replacement itself durable; not every file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
