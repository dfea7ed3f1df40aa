"""Checks on a shard's folder before anything in it is trusted: it may come from a stranger's pull request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from ci.errors import ConfigurationError

__all__ = ["check_folder", "path_problem"]

_SEPARATORS: Final = "/\\"


def path_problem(path: str) -> str | None:
    """Why an evidence path is refused, or None: it must be relative and never leave the folder, on any system.

    A backslash alone does no harm: runs of earlier versions kept the names that programs gave their files.
    """
    if not path or "\x00" in path:
        return "it is empty or holds a NUL"
    if path[0] in _SEPARATORS or path[1:2] == ":":
        return "it is absolute"
    if any(part in ("", ".", "..") for part in path.replace("\\", "/").split("/")):
        return "it leaves its folder, or is not in its shortest form"
    return None


def check_folder(folder: Path) -> None:
    """Refuse a folder in which a link leads outside, or in which something is neither file nor folder.

    Reports open what records name; a link to `/etc/passwd` would be published, a FIFO would hang them.

    :raises ConfigurationError: `evidence-escapes`
    """
    root = os.path.realpath(folder)
    pending = [str(folder)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    if os.path.commonpath([root, target]) != root:
                        raise _refusal(folder, entry.path, "is a link that leads out of it")
                elif entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    raise _refusal(folder, entry.path, "is neither a file nor a folder")


def _refusal(folder: Path, path: str, problem: str) -> ConfigurationError:
    return ConfigurationError(
        "evidence-escapes",
        f"{folder}: {os.path.relpath(path, folder)!r} {problem}",
        why="no shard of ours makes such a thing; the folder was tampered with",
        hint="do not use results of this origin",
    )
