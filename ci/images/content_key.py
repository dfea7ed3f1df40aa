"""The content key of a folder that becomes an image: equal keys, equal inputs of the build.

Hashed are the files `make` would see: links are followed, and what git ignores is left out by reading the
`.gitignore` files from the root of the checkout down to the folder and inside it. No git program is needed,
and none is asked, so a file that is ignored and tracked all the same does not count.

Into the key go, each preceded by its length so that no two inputs can look alike: every file's path relative
to the folder, whether its owner may execute it, and its content; the build arguments; the platform. Not in it
is what lies outside the folder (a Makefile included from elsewhere, the base image): a caller to whom that
matters passes it as an argument.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pathspec import GitIgnoreSpec

from ci.errors import ConfigurationError
from ci.util.given_files import read_given
from ci.util.suggest import shown, shown_path

__all__ = ["FileHashes", "content_key"]

# Changes whenever the recipe of the key changes, so that keys of two recipes never meet.
_RECIPE: Final = b"interop content key 1"
_BLOCK_BYTES: Final = 1 << 20
_NO_ARGUMENTS: Final[Mapping[str, str]] = MappingProxyType({})


def content_key(
    folder: Path,
    *,
    arguments: Mapping[str, str] = _NO_ARGUMENTS,
    platform: str = "",
    root: Path | None = None,
    hashes: FileHashes | None = None,
) -> str:
    """The key of `folder`, 64 hexadecimal digits.

    :param arguments: build arguments, name → value
    :param platform: such as `linux/amd64`; empty where the key is to hold for all
    :param root: the checkout's root; without it the nearest folder above that has a `.git`, else `folder`
    :param hashes: of files that were read for another key; without it all are read
    :raises ConfigurationError: the folder or a file in it cannot be read, a link leads nowhere or in a circle
    """
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise _unusable(folder, "it is not a folder")
        files = sorted(_files(folder, root), key=lambda file: file.name)
        return _digest(files, arguments, platform, hashes or FileHashes())
    except OSError as error:
        where = Path(error.filename) if isinstance(error.filename, str) else folder
        raise _unusable(where, error.strerror or str(error)) from None


class FileHashes:
    """Digests of files, each read once however many folders link to it, as long as it does not change."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], bytes] = {}

    def of(self, path: str) -> bytes:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            # The last of them no program can set back.
            identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            if (known := self._known.get(identity)) is not None:
                return known
            hasher = hashlib.sha256()
            while block := file.read(_BLOCK_BYTES):
                hasher.update(block)
        return self._known.setdefault(identity, hasher.digest())


@dataclass(frozen=True, kw_only=True)
class _File:
    name: bytes  # relative to the folder, as the file system spells it
    path: str
    executable: bool


def _digest(files: Sequence[_File], arguments: Mapping[str, str], platform: str, hashes: FileHashes) -> str:
    hasher = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            hasher.update(len(part).to_bytes(8, "big"))
            hasher.update(part)

    add(_RECIPE, platform.encode(), str(len(arguments)).encode(), str(len(files)).encode())
    for name, value in sorted(arguments.items()):
        add(os.fsencode(name), os.fsencode(value))
    for file in files:
        add(file.name, b"executable" if file.executable else b"plain", hashes.of(file.path))
    return hasher.hexdigest()


# --- which files ------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Rules:
    """The rules of one `.gitignore`, for paths below the folder it stands in."""

    above: str  # what to cut off a path below that folder
    spec: GitIgnoreSpec


def _files(folder: Path, root: Path | None) -> Iterator[_File]:
    top = Path(os.path.abspath(folder))  # noqa: PTH100 - resolve() would follow the links whose names count here
    root = _checkout(top) if root is None else Path(os.path.abspath(root))  # noqa: PTH100
    above = [parent for parent in reversed(top.parents) if parent == root or root in parent.parents]
    rules = tuple(rule for parent in above for rule in _rules(str(parent)))
    yield from _walk(str(top), b"", rules, ())


def _checkout(folder: Path) -> Path:
    return next((f for f in (folder, *folder.parents) if (f / ".git").exists()), folder)


def _rules(folder: str) -> Iterator[_Rules]:
    try:
        text = read_given(Path(folder, ".gitignore")).decode(errors="surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return
    yield _Rules(above=folder.rstrip("/") + "/", spec=GitIgnoreSpec.from_lines(text.split("\n")))


def _walk(folder: str, name: bytes, rules: tuple[_Rules, ...], inside: tuple[tuple[int, int], ...]) -> Iterator[_File]:
    """The files below `folder`.

    :param name: `folder` relative to the top, with a closing slash
    :param inside: the device and inode of every folder on the way here, to notice a circle
    """
    status = os.stat(folder)  # noqa: PTH116 - plain strings: this loop sees every file of node_modules-sized trees
    identity = (status.st_dev, status.st_ino)
    if identity in inside:
        raise _unusable(Path(folder), "a link leads back to a folder it stands in")
    inside = (*inside, identity)
    rules = (*rules, *_rules(folder))
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == ".git":
                continue
            relative = name + os.fsencode(entry.name)
            if _is_folder(entry):
                if not _ignored(entry.path + "/", rules):
                    yield from _walk(entry.path, relative + b"/", rules, inside)
            elif not _ignored(entry.path, rules):
                yield _file(entry, relative)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself: harmless where it is ignored, and refused with its name where not
        return False


def _file(entry: os.DirEntry[str], name: bytes) -> _File:
    try:
        mode = entry.stat().st_mode
    except OSError as error:
        if entry.is_symlink():
            target = shown(os.readlink(entry.path))  # noqa: PTH115
            raise _unusable(Path(entry.path), f"a link to {target}: {error.strerror}") from None
        raise
    if not stat.S_ISREG(mode):
        raise _unusable(Path(entry.path), "neither a file, a folder nor a link to one")
    return _File(name=name, path=entry.path, executable=bool(mode & stat.S_IXUSR))


def _ignored(path: str, rules: Sequence[_Rules]) -> bool:
    """As git decides: the last pattern that fits, in the deepest file that has one, wins."""
    for rule in reversed(rules):
        verdict = rule.spec.check_file(path[len(rule.above) :]).include
        if verdict is not None:
            return verdict
    return False


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        "no-content-key",
        f"cannot fingerprint {shown_path(path)}: {reason}",
        why="the key covers every file of the folder that git does not ignore, links followed",
        hint="repair or remove it, or add it to .gitignore if no build needs it",
    )
