"""Files that a command is given, by a person, a script or a stranger: what is named may be a pipe or a whole disk."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

__all__ = ["open_given", "read_given"]

_KINDS: Final = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# Windows has pipes elsewhere, and passes no file on; there, text would be read unless told otherwise.
_FLAGS: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
# Of one file read as a whole. The merged results of a hundred thousand cases have a third of it.
_MOST_BYTES: Final = 1 << 30


def open_given(path: Path) -> BinaryIO:
    """Open a file for reading, without ever waiting for somebody to write it.

    :raises OSError: it cannot be opened, or is neither a file nor a link to one; `strerror` says what it is
    :raises ValueError: the path holds a NUL
    """
    descriptor = os.open(path, os.O_RDONLY | _FLAGS)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind == stat.S_IFREG:
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a file", str(path))


def read_given(path: Path, *, most_bytes: int = _MOST_BYTES) -> bytes:
    """The content of such a file.

    :raises OSError: as `open_given`, or it has more than `most_bytes`
    :raises ValueError: as `open_given`
    """
    with open_given(path) as file:
        size = os.fstat(file.fileno()).st_size
        # What tells its size is refused before it fills the memory; not all do (`/proc`).
        data = b"" if size > most_bytes else file.read(most_bytes + 1)
        if max(size, len(data)) > most_bytes:
            raise OSError(errno.EFBIG, f"it is larger than {most_bytes >> 20} MiB", str(path))
        return data
