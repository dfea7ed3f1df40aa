"""The folder in which toolchains and builds are kept: entries that are there whole or not at all.

An entry is made in a folder of another name and then renamed, under a lock that the kernel drops when its holder
dies. So two runs at once make it once, and what a killed run leaves half-made is swept by the next that wants it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ci.errors import EngineError
from ci.util.cache_folder import CACHE_VARIABLE, cache_candidates

__all__ = ["Cache", "Stopped", "cache_folder"]

_COMPLETE: Final = "complete.json"
_LOCK_POLL_SECONDS: Final = 0.1


class Stopped(Exception):  # noqa: N818 -- not an error: somebody asked for it
    """The work was called off."""


def cache_folder(environment: Mapping[str, str], *, checkout: Path, macos: bool = sys.platform == "darwin") -> Path:
    """Where this user's cache is: the first of `cache_candidates` that can be written; it exists from now on.

    :raises EngineError: none of them can be written
    """
    troubles = []
    for folder in cache_candidates(environment, checkout=checkout, macos=macos):
        trouble = _trouble(folder)
        if trouble is None:
            return folder
        troubles.append(trouble)
    if environment.get(CACHE_VARIABLE):
        raise EngineError(
            "no-cache-folder",
            f"{CACHE_VARIABLE} is no use: {troubles[0]}",
            why="toolchains and builds are kept there",
            hint=f"name a folder you may write, or unset {CACHE_VARIABLE}",
        )
    raise EngineError(
        "no-cache-folder",
        "\n  ".join(["there is no folder to keep toolchains and builds in:", *troubles]),
        why="neither your cache folder nor the checkout can be written",
        hint=f"name a folder that can: {CACHE_VARIABLE}=/some/folder",
    )


def _trouble(folder: Path) -> str | None:
    """Why the folder cannot be used, found out by using it: permission bits say little of root or of mounts."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return f"{folder}: {error.strerror or error}"


class Cache:
    """Entries by kind and name, where the name ends in a key of all that decides what is in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stopped = threading.Event()

    def place(self, kind: str, name: str) -> Path:
        """Where an entry is, once it is there."""
        return self.folder / kind / name

    def find(self, kind: str, name: str) -> Path | None:
        """The entry, marked as used just now so that it is not swept as old; None where there is none."""
        place = self.place(kind, name)
        if not (place / _COMPLETE).is_file():
            return None
        with contextlib.suppress(OSError):
            os.utime(place / _COMPLETE)
        return place

    def size(self, kind: str, name: str) -> int:
        """Bytes of an entry as they were counted when it was made; 0 where there is none."""
        try:
            return int(json.loads((self.place(kind, name) / _COMPLETE).read_text(encoding="utf-8"))["bytes"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def make(
        self,
        kind: str,
        name: str,
        build: Callable[[Path], None],
        *,
        usable: Callable[[Path], bool] = lambda _: True,
    ) -> Path:
        """The entry, made by `build` in the folder given to it unless one that is `usable` is there already.

        Waits where somebody else is making it. Whatever `build` raises leaves no new entry.

        :raises Stopped: `stop` was called while waiting
        :raises EngineError: the cache folder cannot be locked
        """
        place = self.place(kind, name)
        with self._locked(f"{kind}-{name}"):
            if (found := self.find(kind, name)) is not None and usable(found):
                return place
            making = place.with_name(f"{name}.making")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(parents=True)
            try:
                build(making)
                content = json.dumps({"bytes": _bytes(making), "made": round(time.time())})
                (making / _COMPLETE).write_text(content + "\n", encoding="utf-8")
                shutil.rmtree(place, ignore_errors=True)
                making.rename(place)
            except BaseException:
                shutil.rmtree(making, ignore_errors=True)
                raise
        return place

    def stop(self) -> None:
        """Wait for no lock any more."""
        self._stopped.set()

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        path = self.folder / "locks" / f"{name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file stays: to remove it could remove one that another process has just locked.
        with path.open("w") as lock:
            while True:
                if self._stopped.is_set():
                    raise Stopped
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    self._stopped.wait(_LOCK_POLL_SECONDS)
                except OSError as error:
                    raise EngineError(
                        "cache-lock",
                        f"{path} cannot be locked: {error.strerror or error}",
                        why="its file system has no locks, as some network ones",
                        hint=f"set {CACHE_VARIABLE} to a folder on a local disk",
                    ) from error
            yield


def _bytes(folder: Path) -> int:
    return sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk(folder) for name in names)  # noqa: PTH118
