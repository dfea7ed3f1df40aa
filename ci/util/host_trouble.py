"""What the host refuses – room, permission, files – told as what it is, wherever in a command it comes up."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from ci.errors import ConfigurationError, EngineError, InteropError

__all__ = ["host_trouble"]

_ELSEWHERE: Final = "name a folder that can be written: `--results FOLDER`, `INTEROP_CACHE=/some/folder`"
# Reference, why it usually happens, what to do.
_KNOWN: Final[Mapping[int, tuple[str, str, str]]] = {
    errno.ENOSPC: (
        "disk-full",
        "the disk that holds it is full",
        f"make room (`nox -s gc` lists what earlier runs have left), or {_ELSEWHERE}",
    ),
    errno.EFBIG: (
        "file-too-large",
        "this process may not write files as large as that, or its file system cannot hold them",
        f"raise the limit (`ulimit -f unlimited`), or {_ELSEWHERE}",
    ),
    errno.EDQUOT: ("disk-full", "your quota is used up", f"make room, or {_ELSEWHERE}"),
    errno.EROFS: ("read-only", "it is on a disk mounted for reading only", _ELSEWHERE),
    errno.EACCES: ("not-yours", "it belongs to somebody else, or may not be written", _ELSEWHERE),
    errno.EPERM: ("not-yours", "it belongs to somebody else, or may not be written", _ELSEWHERE),
    errno.EMFILE: (
        "too-many-files",
        "this process may not open as many files as its cases need",
        "raise the limit (`ulimit -n 4096`), or take fewer `--workers`",
    ),
}


# Of a path that somebody has named, or that a name made: no host could open it.
_IMPOSSIBLE: Final[Mapping[int, str]] = {
    errno.ENOTDIR: "one of the folders on the way there is a file",
    errno.EISDIR: "there is a folder where a file should be",
    errno.ENAMETOOLONG: "a name, or the path as a whole, is longer than the file system takes",
    errno.ELOOP: "links on the way there lead in a circle",
}


def host_trouble(error: OSError) -> InteropError | None:
    """The error as one of ours; None where it looks like a mistake of this program instead."""
    number = error.errno or 0
    known = _KNOWN.get(number)
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    if number in _IMPOSSIBLE:
        hint = "look at the paths of the command line and of the environment"
        return ConfigurationError("no-such-path", what, why=_IMPOSSIBLE[number], hint=hint)
    if known is None:
        return None
    reference, why, hint = known
    return EngineError(reference, what, why=why, hint=f"{hint}; finished cases are kept, the same command goes on")
