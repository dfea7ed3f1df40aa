"""An image that is named by a path and not by a reference: an archive that is loaded, or a folder that is built."""

from __future__ import annotations

import re
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.docker.address import require_docker_command
from ci.errors import BuildError, InteropError
from ci.images.base import Image, Unavailable
from ci.model import ReasonCode
from ci.util.given_files import open_given
from ci.util.suggest import shown_path

if TYPE_CHECKING:
    from ci.engines.docker.daemon import Daemon
    from ci.images.build_commands import Commands

__all__ = ["OwnImages", "names_a_path"]

_LOADED: Final = re.compile(r"Loaded image(?: ID)?: (\S+)")


def names_a_path(reference: str) -> bool:
    """References of images never begin like this."""
    return reference.startswith(("/", "./", "../"))


class OwnImages:
    """Images by path, each made once in a run.

    :param commands: what `docker build` is run with
    """

    def __init__(self, daemon: Daemon, commands: Commands) -> None:
        self._daemon = daemon
        self._commands = commands
        self._lock = threading.Lock()
        self._known: dict[str, Image | Unavailable] = {}

    def find(self, path: str) -> Image | Unavailable:
        with self._lock:
            if path not in self._known:
                self._known[path] = self._made(Path(path))
            return self._known[path]

    def _made(self, path: Path) -> Image | Unavailable:
        try:
            digest = self._built(path) if path.is_dir() else self._loaded(path)
        except InteropError as error:
            return Unavailable(code=ReasonCode.BUILD_FAILED, text=error.message)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text=f"{shown_path(path)} cannot be loaded: {reason}")
        return Image(digest=digest)

    def _loaded(self, path: Path) -> str:
        with open_given(path) as archive:
            said = self._daemon.load_whole(archive)
        names = _LOADED.findall(said)
        found = {(self._daemon.image(name) or {}).get("Id") for name in names} - {None}
        if len(found) != 1:
            raise ValueError(f"it holds {len(found)} images, and one is needed" if names else said.strip()[-300:])
        return str(found.pop())

    def _built(self, folder: Path) -> str:
        require_docker_command(self._daemon.address.environment)
        if not (folder / "Dockerfile").is_file():
            raise BuildError("local-build", f"{shown_path(folder)} holds no Dockerfile")
        with tempfile.TemporaryDirectory() as scratch:
            digest = Path(scratch) / "id"
            words = ["docker", "build", "--iidfile", str(digest), "."]
            self._commands.run(words, log=Path(scratch) / "build.log", folder=folder.absolute())
            return digest.read_text(encoding="ascii").strip()
