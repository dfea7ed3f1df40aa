"""Checks on a shard's folder before anything in it is trusted: it may come from a stranger's pull request."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.util.given_files import open_given

if TYPE_CHECKING:
    from ci.results.records import EvidenceFile

__all__ = ["check_folder", "is_altered", "path_problem"]

_SEPARATORS: Final = "/\\"
# What nearly all are: parts of plain letters, none of which begins with a dot.
_USUAL: Final = re.compile(r"[\w~-][\w.~-]*(?:/[\w~-][\w.~-]*)*", re.ASCII)


def path_problem(path: str) -> str | None:
    """Why an evidence path is refused, or None: it must be relative and never leave the folder, on any system.

    A backslash alone does no harm: runs of earlier versions kept the names that programs gave their files.
    """
    if _USUAL.fullmatch(path) is not None:
        return None
    if not path or "\x00" in path:
        return "it is empty or holds a NUL"
    if path[0] in _SEPARATORS or path[1:2] == ":":
        return "it is absolute"
    if any(part in ("", ".", "..") for part in path.replace("\\", "/").split("/")):
        return "it leaves its folder, or is not in its shortest form"
    return None


def check_folder(folder: Path) -> frozenset[str]:
    """The files below a folder, relative to it with `/`.

    Refused is a folder in which a link leads outside, or in which something is neither file nor folder: reports open
    what records name, so a link to `/etc/passwd` would be published, and a FIFO would hang them.

    :raises ConfigurationError: `evidence-escapes`
    """
    root = os.path.realpath(folder)
    pending = [str(folder)]
    files = []
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if os.path.commonpath([root, target]) != root:
                        raise _refusal(folder, entry.path, "is a link that leads out of it")
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    files.append(entry.path)
                else:
                    raise _refusal(folder, entry.path, "is neither a file nor a folder")
    cut = len(os.path.join(folder, ""))  # noqa: PTH118 -- as the entries' paths begin
    return frozenset(path[cut:].replace(os.sep, "/") for path in files)


def is_altered(path: Path, kept: EvidenceFile) -> bool:
    """Whether a file is not, byte for byte, what its record says was kept."""
    digest = hashlib.sha256()
    try:
        if path.stat().st_size != kept.size:
            return True
        with open_given(path) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return True
    return digest.hexdigest() != kept.sha256


def _refusal(folder: Path, path: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        "evidence-escapes",
        f"{folder}: {os.path.relpath(path, folder)!r} {problem}",
        why="no shard of ours makes such a thing; the folder was tampered with",
        hint="do not use results of this origin",
    )
