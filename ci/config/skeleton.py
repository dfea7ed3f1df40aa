"""The files a new implementation begins with: a family's first version, or a further one beside those there are.

A folder appears whole or not at all, and nothing that exists is ever written to.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from ci.errors import ConfigurationError
from ci.util.suggest import shown_path

__all__ = ["BUILD_RULES", "Skeleton", "has_rule", "natural_key", "new_family", "new_version"]

# What every version's Makefile includes, relative to the checkout.
BUILD_RULES: Final = "impls/image.mk"
_SOURCE: Final = Path(str(resources.files("ci").joinpath("data/skeleton")))
# Shared by all versions of a family, which hold links to them …
_FAMILY_FILES: Final = ("Dockerfile", "app.py", "ping.py")
# … and what each version has of its own.
_VERSION_FILES: Final = ("Makefile", "requirements.in", "requirements.txt")
# Products of a build, which a copy begins without.
_PRODUCTS: Final = shutil.ignore_patterns(
    "*image.json", "*.tmp", "build.log", "node_modules", "target", ".venv", "__pycache__"
)


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """What was made.

    :param folder: the version's folder
    :param own: the files of the version itself, by name: what differs from one version to the next
    """

    folder: Path
    own: tuple[str, ...]


@contextmanager
def new_family(root: Path, folder: Path, version: str) -> Iterator[Skeleton]:
    """Make `folder` with the skeleton's sources in it and its first version; taken back if the block raises.

    :param root: the checkout
    :raises ConfigurationError: something is there already, or cannot be written
    """
    rules = os.path.relpath(root / BUILD_RULES, folder / version)

    def fill(staging: Path) -> None:
        inner = staging / version
        inner.mkdir(parents=True)
        for name in _FAMILY_FILES:
            shutil.copyfile(_SOURCE / name, staging / name)
            (inner / name).symlink_to(Path("..", name))
        for name in _VERSION_FILES:
            shutil.copyfile(_SOURCE / "version" / name, inner / name)
        makefile = inner / "Makefile"
        makefile.write_text(makefile.read_text(encoding="utf-8").replace("../../image.mk", rules), encoding="utf-8")

    with _made(folder, fill):
        yield Skeleton(folder=folder / version, own=tuple(it for it in _VERSION_FILES if it != "Makefile"))


@contextmanager
def new_version(source: Path, folder: Path) -> Iterator[Skeleton]:
    """Make `folder` like the version's folder `source` beside it, links as links; taken back if the block raises.

    :raises ConfigurationError: something is there already, or cannot be written
    """

    def fill(staging: Path) -> None:
        shutil.copytree(source, staging, symlinks=True, ignore=_PRODUCTS)

    with _made(folder, fill):
        own = sorted(it.name for it in folder.iterdir() if not it.is_symlink() and it.name != "Makefile")
        yield Skeleton(folder=folder, own=tuple(own))


def has_rule(makefile: Path, target: str) -> bool:
    """Whether `make` knows how to make `target` by this file, or by one that it includes from where it can be found."""
    try:
        text = makefile.read_text(encoding="utf-8")
    except OSError:
        return False
    included = (makefile.parent / name for name in re.findall(r"(?m)^include (\S+)$", text))
    return bool(re.search(rf"(?m)^{re.escape(target)}:", text)) or any(has_rule(it, target) for it in included)


def natural_key(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Sorts `v0.10` behind `v0.9`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((True, int(part), "") if part.isdecimal() else (False, 0, part) for part in parts)


@contextmanager
def _made(folder: Path, fill: Callable[[Path], None]) -> Iterator[None]:
    """Fill a folder beside `folder`, give it that name, and remove it again if the block raises."""
    if folder.exists() or folder.is_symlink():
        raise ConfigurationError(
            "folder-exists",
            f"{shown_path(folder)} is there already",
            why="nothing that exists is overwritten",
            hint="choose another name, or remove the folder yourself if nobody needs it",
        )
    staging = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    made = staging
    missing = [parent for parent in folder.parents if not parent.exists()]
    try:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            fill(staging)
            staging.rename(folder)
        except (OSError, shutil.Error) as error:
            raise ConfigurationError(
                "cannot-make-folder",
                f"cannot make {shown_path(folder)}: {getattr(error, 'strerror', None) or error}",
                why="the checkout is read-only, its disk is full, or a file is where a folder should be",
                hint="see whether `touch` works in the folder above, and what `df` says of its disk",
            ) from None
        made = folder
        yield
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        for parent in missing:
            with suppress(OSError):
                parent.rmdir()
        raise
