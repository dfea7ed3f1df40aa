"""What runs have left behind on this host's disk: builds and downloads in the cache folder, private folders of runs.

A cache entry is `KIND/NAME/complete.json`, guarded by `locks/KIND-NAME.lock`; one that is being made is called
`NAME.making`. The time of its `complete.json` is that of its last use. A run's private folder is locked by the run
itself. Results are evidence and are never looked at here.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ci.engines.gc import Kind, Leftover, Owner
from ci.errors import EngineError

__all__ = ["LocalLeftovers", "a_run_lives"]

COMPLETE: Final = "complete.json"
LOCKS: Final = "locks"
MAKING: Final = ".making"
# What the package managers of builds keep, and the builds' own logs.
DOWNLOADS: Final = ("pip", "uv", "npm", "go", "go-build", "logs")
SCRATCH: Final = "interop-local-"
SCRATCH_NEW: Final = "interop-new-"


class LocalLeftovers:
    """Of this user.

    :param caches: folders that may be the cache
    :param temporary: where runs make their private folders; by default the system's place for temporary files
    """

    def __init__(self, *, caches: Sequence[Path], temporary: Path | None = None) -> None:
        self._caches = caches
        self._temporary = temporary or Path(tempfile.gettempdir())

    def find(self) -> Sequence[Leftover]:
        found = list(self._scratch())
        for cache in self._caches:
            if (cache / LOCKS).is_dir():  # else it is no cache of ours, whatever the variable says
                found.extend(self._entries(cache))
                found.extend(self._downloads(cache))
        return found

    def remove(self, it: Leftover) -> None:
        path = Path(it.handle)
        try:
            with _locked(_lock_of(path, it.kind)) as free:
                if not free:
                    raise EngineError("in-use", f"{path} is in use", why="a run began to use it just now")
                _remove_tree(path)
        except OSError as error:
            raise EngineError(
                "not-removed",
                f"{path} cannot be removed: {error.strerror or error}",
                why="it, or something in it, is not this user's",
            ) from error

    # --- looking --------------------------------------------------------------------------------------

    def _scratch(self) -> Iterator[Leftover]:
        for folder in sorted(self._temporary.glob("interop-*")):
            if folder.name.startswith((SCRATCH, SCRATCH_NEW)) and _mine(folder):
                yield Leftover(
                    kind=Kind.SCRATCH,
                    name=str(folder),
                    handle=str(folder),
                    age=_age(folder),
                    size=_size(folder),
                    owner=Owner.GONE if _is_free(folder) else Owner.ALIVE,
                )

    def _entries(self, cache: Path) -> Iterator[Leftover]:
        for place in sorted(cache.glob("*/*")):
            kind = place.parent
            if kind.name in (LOCKS, *DOWNLOADS) or kind.is_symlink() or place.is_symlink():
                continue
            complete = place / COMPLETE
            half_made = place.name.endswith(MAKING)
            if not (complete.is_file() or (half_made and place.is_dir())):
                continue
            yield Leftover(
                kind=Kind.CACHE,
                name=f"{kind.name}/{place.name}",
                handle=str(place),
                age=_age(place if half_made else complete),
                size=_noted_size(complete) or _size(place),
                owner=Owner.SHARED,
                needed="" if _is_free(_lock_of(place, Kind.CACHE)) else "somebody makes it just now",
            )

    def _downloads(self, cache: Path) -> Iterator[Leftover]:
        known = {kind.name for kind in cache.iterdir() if any(kind.glob(f"*/{COMPLETE}"))}
        foreign = {it.name for it in cache.iterdir()} - known - {LOCKS, *DOWNLOADS, "builds", "toolchains"}
        for name in DOWNLOADS:
            folder = cache / name
            if folder.is_dir() and not folder.is_symlink():
                yield Leftover(
                    kind=Kind.CACHE,
                    name=f"{name} (downloads)" if name != "logs" else name,
                    handle=str(folder),
                    age=_age(folder, *folder.iterdir(), *folder.glob("*/*")),
                    size=_size(folder),
                    owner=Owner.SHARED,
                    # A cache folder that holds something else may be the user's home, and `go` the user's own.
                    needed=f"{cache} holds other things too, such as {min(foreign)}" if foreign else "",
                )


def a_run_lives(found: Sequence[Leftover]) -> bool:
    """Whether any of these belongs to a run that lives, or may live elsewhere."""
    return any(it.owner in (Owner.ALIVE, Owner.UNKNOWN) for it in found)


# --- files ------------------------------------------------------------------------------------------------


def _lock_of(path: Path, kind: Kind) -> Path:
    """The file or folder that a process locks while it uses `path`."""
    if kind is Kind.SCRATCH:
        return path
    return path.parent.parent / LOCKS / f"{path.parent.name}-{path.name.removesuffix(MAKING)}.lock"


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether the lock could be had, which is then held; what does not exist cannot be locked by anybody."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def _is_free(path: Path) -> bool:
    try:
        with _locked(path) as free:
            return free
    except OSError:
        return False


def _mine(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _age(*paths: Path) -> float | None:
    """Seconds since the latest change among these."""
    moments = []
    for path in paths:
        with contextlib.suppress(OSError):
            moments.append(path.lstat().st_mtime)
    return max(0.0, time.time() - max(moments)) if moments else None


def _noted_size(complete: Path) -> int:
    try:
        return int(json.loads(complete.read_text(encoding="utf-8"))["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _size(folder: Path) -> int:
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(top, name)).st_size  # noqa: PTH118 -- many files
    return total


def _remove_tree(folder: Path) -> None:
    """:raises OSError: something in it cannot be removed"""
    # Go's module cache takes the right to write from its folders, and programs may from theirs.
    for top, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            Path(top).chmod(0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
