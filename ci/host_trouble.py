"""What the host refuses – room, permission, files – told as what it is, wherever in a command it comes up."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from ci.errors import EngineError

__all__ = ["host_trouble"]

_ELSEWHERE: Final = "name a folder that can be written: `--results FOLDER`, `INTEROP_CACHE=/some/folder`"
# Reference, why it usually happens, what to do.
_KNOWN: Final[Mapping[int, tuple[str, str, str]]] = {
    errno.ENOSPC: (
        "disk-full",
        "the disk that holds it is full",
        f"make room (`nox -s gc` lists what earlier runs have left), or {_ELSEWHERE}",
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


def host_trouble(error: OSError) -> EngineError | None:
    """The error as one of ours; None where it looks like a mistake of this program instead."""
    known = _KNOWN.get(error.errno or 0)
    if known is None:
        return None
    reference, why, hint = known
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    return EngineError(reference, what, why=why, hint=f"{hint}; finished cases are kept, the same command goes on")
