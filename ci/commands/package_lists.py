"""What the images of a shard were made of, kept in its folder."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Final

from ci.errors import EngineError
from ci.images.base import Image, Provider, Unavailable
from ci.util.atomic import write_atomically

__all__ = ["PACKAGES_FOLDER", "keep_package_lists"]

# In a shard's folder.
PACKAGES_FOLDER: Final = "packages"


def keep_package_lists(folder: Path, images: Mapping[str, Future[Image | Unavailable]], provider: Provider) -> None:
    """What the images were made of, a list per version: two of one key may differ in it."""
    for name, future in images.items():
        image = future.result() if future.done() and not future.cancelled() and not future.exception() else None
        path = folder / PACKAGES_FOLDER / f"{name}.txt"
        if not isinstance(image, Image) or path.exists():
            continue
        with suppress(EngineError):  # it has had its say where a case needed it
            if (packages := provider.packages(image)) is not None:
                path.parent.mkdir(exist_ok=True)
                write_atomically(path, f"{image.digest}\n{packages}".encode())
