"""What the images of a shard were made of, kept in its folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.images.base import Image, Provider, Unavailable
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.suggest import shown

if TYPE_CHECKING:
    from ci.results.comparison import Comparison

__all__ = ["PACKAGES_FOLDER", "keep_package_lists", "package_differences"]

# In a shard's folder.
PACKAGES_FOLDER: Final = "packages"
MOST_PACKAGES: Final = 20
_MOST_BYTES: Final = 8 << 20


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


def package_differences(comparison: Comparison, base: Path | None, head: Path | None) -> Iterator[str]:
    """Of images that differ although their sources do not: which packages do, where both runs have kept the lists.

    :param base: folder of the run, below which its shards are
    """
    if base is None or head is None:
        return
    changed = {it.what for difference in comparison.differences for it in difference.inputs}
    for what in sorted(changed):
        version = what.removeprefix("image of ")
        if what == version or f"sources of {version}" in changed:
            continue
        then, now = _packages(base, version), _packages(head, version)
        if not then or not now:
            continue
        names = [name for name in {**then, **now} if then.get(name) != now.get(name)]
        for name in names[:MOST_PACKAGES]:
            yield f"packages of {version}: {name}: {then.get(name, 'none')} → {now.get(name, 'none')}"
        if len(names) > MOST_PACKAGES:
            yield f"packages of {version}: and {len(names) - MOST_PACKAGES} more"
        if not names:
            yield f"packages of {version}: the same, so it is something else that the build took from outside"


def _packages(folder: Path, version: str) -> dict[str, str]:
    """Version by where, name and processor, of the first list that can be read."""
    if re.fullmatch("[A-Za-z0-9._-]+", version) is None:
        return {}  # a stranger's name, which might be a pattern or lead elsewhere
    for path in sorted(folder.glob(f"**/{PACKAGES_FOLDER}/{version}.txt")):
        try:
            lines = read_given(path, most_bytes=_MOST_BYTES).decode(errors="replace").splitlines()[1:]
        except OSError:
            continue
        return {shown(name): shown(number) for line in lines for name, _, number in [line.rpartition(" ")]}
    return {}
