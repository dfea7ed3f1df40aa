"""Images of one tiny layer, for tests of where images come from and go to."""

from __future__ import annotations

import io
import secrets
import tarfile
from typing import Final

from ci.engines.docker.daemon import Daemon

__all__ = ["KEY", "Throwaways", "names"]

# As a tag ends in one; of no sources.
KEY: Final = "a" * 16


class Throwaways:
    """Images of one tiny layer, which are gone from the engine when the test is."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self._names: list[str] = []

    def make(self) -> str:
        tag = f"interop/throwaway-{secrets.token_hex(4)}:{KEY}"
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(secrets.token_hex(8)))
        repository, _, name = tag.rpartition(":")
        self.daemon.api.import_image_from_data(layer.getvalue(), repository=repository, tag=name)
        self._names.append(tag)
        return tag

    def close(self) -> None:
        for name in self._names:
            self.daemon.forget(name)


def names(daemon: Daemon) -> set[str]:
    return {name for image in daemon.api.images() for name in image["RepoTags"] or ()}
