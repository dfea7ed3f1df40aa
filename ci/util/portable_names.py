"""File names that any system can hold: what strangers call their files, renamed so that it can be undone.

Evidence is uploaded by CI providers, unpacked on other systems and served by web servers. A character that one of them
refuses is written as `%` and two hexadecimal digits per byte, as in a URL, so every URL decoder gives the name back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, unquote

__all__ = ["PortableNames", "is_short", "original_name", "portable_name"]

# Kept besides letters, digits and `_.-~`. Not among them: what Windows and GitHub's artifacts refuse (`" : < > | * ?`,
# backslash, control characters), `%` itself, and whatever is not ASCII: systems spell accents in different ways.
_KEPT: Final = " !#$&'()+,;=@[]^`{}"
# Devices on Windows, whatever follows the first dot.
_DEVICE: Final = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
# Of one part, and of a whole path below the folder of its case: with more, common limits (255, 260 on Windows) are met.
LONGEST_PART: Final = 150
LONGEST_PATH: Final = 180
# Of one part, on the file systems that programs are judged on: what was received has to be seen under its name.
LONGEST_HERE: Final = 255


def portable_name(name: str) -> str:
    """One part of a path, as any system and archive can hold it; `original_name` undoes it.

    Hidden files are renamed too: GitHub's artifacts leave them out.
    """
    portable = quote(os.fsencode(name), safe=_KEPT)
    if _DEVICE.fullmatch(portable) or portable.startswith((".", " ")):
        portable = _escaped(portable[0]) + portable[1:]
    if portable.endswith((".", " ")):
        portable = portable[:-1] + _escaped(portable[-1])
    return portable


def is_short(path: str) -> bool:
    """Whether evidence may be kept under this path, relative to the folder of its case."""
    return len(path) <= LONGEST_PATH and all(len(part) <= LONGEST_PART for part in path.split("/"))


def original_name(path: str) -> str:
    """What a path made of portable names was before; bytes that are no UTF-8 come back as Python's surrogates."""
    return unquote(path, errors="surrogateescape")


class PortableNames:
    """The names of the files in one folder, so that no two of them differ only in case."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def add(self, parts: tuple[str, ...]) -> str | None:
        """The portable path, with `/`, for a file of these parts; None if it has a part that no file system takes."""
        path = "/".join(map(portable_name, parts))
        if self._taken(path):
            # Written as numbers, letters of either case differ in any case.
            path = "/".join("".join(map(_escaped, os.fsencode(part).decode("latin-1"))) for part in parts)
        if any(len(part) > LONGEST_HERE for part in path.split("/")):
            return None
        self._files.add(path.lower())
        self._folders.update(_above(path.lower()))
        return path

    def _taken(self, path: str) -> bool:
        path = path.lower()
        return path in self._files or path in self._folders or any(it in self._files for it in _above(path))


def _above(path: str) -> Iterator[str]:
    """The folders that a path leads through."""
    while path := path.rpartition("/")[0]:
        yield path


def _escaped(character: str) -> str:
    return f"%{ord(character):02X}"
