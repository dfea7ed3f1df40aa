"""A run's private folder on this host: gone with the run, or at the next start if the run was killed.

Whether its owner still lives is told by a lock on the folder, which the kernel releases when the owner ends, however
it ends. Unlike a process id, that holds across containers which share a folder for temporary files, and is never
used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from ci.errors import EngineError

__all__ = ["remove_tree", "scratch_folder", "sweep_folders", "tree_size"]

PREFIX: Final = "interop-local-"
# A folder gets its name only once it is locked: before that, its owner cannot be told from a dead one.
UNLOCKED_PREFIX: Final = "interop-new-"


@contextmanager
def scratch_folder(name: str, parent: Path | None = None) -> Iterator[Path]:
    """A new folder that only this user can look into, with all its content gone when the block ends.

    :param name: part of its name, for people who look at it
    :param parent: where; by default the system's place for temporary files
    :raises EngineError: it cannot be made there
    """
    parent = parent or Path(tempfile.gettempdir())
    with ExitStack() as stack:
        try:
            made = Path(tempfile.mkdtemp(prefix=UNLOCKED_PREFIX, dir=parent))
            lock = os.open(made, os.O_RDONLY)
            stack.callback(os.close, lock)
            with contextlib.suppress(OSError):  # a file system without locks: what is left there is never swept
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder = made.rename(parent / f"{PREFIX}{name}-{made.name.removeprefix(UNLOCKED_PREFIX)}")
        except OSError as error:
            raise EngineError(
                "scratch-folder",
                f"no folder can be made in {parent}: {error}",
                why="it is full, read-only, or not this user's",
                hint="make room, or name another place in TMPDIR",
            ) from error
        stack.callback(remove_tree, folder)
        yield folder


def sweep_folders(parent: Path | None = None) -> int:
    """Remove the folders of this user's runs that are no more. Returns how many those were."""
    removed = 0
    for folder in (parent or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        except OSError:
            continue  # not a folder, not ours, or somebody else removes it just now
        try:
            if os.fstat(lock).st_uid == os.geteuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(folder)
                removed += 1
        except OSError:
            continue  # its owner lives
        finally:
            os.close(lock)
    return removed


def tree_size(folder: Path) -> int:
    """Bytes that a folder takes up on disk; what goes away meanwhile is not counted."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(path, name).lstat().st_blocks * 512
    return total


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, as far as that is possible: a program may have taken rights from its own files."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        for path, names, _ in os.walk(folder):
            for inner in (Path(path, name) for name in names):
                if not inner.is_symlink():
                    with contextlib.suppress(OSError):
                        inner.chmod(0o700)  # before it is descended into
        shutil.rmtree(folder, ignore_errors=True)
