"""Rows of `versions.yaml` as text, so that one can be added without touching what people wrote around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.config.yaml_source import Problems, as_word, read
from ci.errors import ConfigurationError
from ci.util.suggest import shown_path

if TYPE_CHECKING:
    from ci.config.yaml_source import Node

__all__ = ["NewRow", "VersionsText", "first_row"]

_BOM: Final = "\ufeff"


def first_row(identifier: str, family: str, folder: str) -> str:
    """The row of a family's first version as the skeleton is: what it can do, and both generations of the contract."""
    return (
        f"- id: {as_word(identifier)}\n"
        f"  family: {as_word(family)}\n"
        f"  build: {as_word(folder)}\n"
        "  transports: [tcp]\n"
        "  secureChannels: [noise]\n"
        "  muxers: [yamux]\n"
        "  contract: unified\n"
        "  timeoutSecs: 30"
    )


@dataclass(frozen=True, kw_only=True)
class NewRow:
    """A row to add.

    :param text: its lines, beginning with `- ` in the first column, no line break at the end
    :param after: id of the row it belongs behind; None for the end of the list
    """

    text: str
    after: str | None = None


class VersionsText:
    """The text of a versions file that `ci.config.catalogue.load` accepts.

    :raises ConfigurationError: it cannot be read
    """

    def __init__(self, path: Path) -> None:
        problems = Problems()
        root = read(path, problems)
        problems.raise_if_any()
        # The marks count the characters behind a byte order mark.
        self._text = path.read_bytes().decode("utf-8").removeprefix(_BOM)
        self._prefix = _BOM if path.read_bytes().startswith(_BOM.encode()) else ""
        self._path = path
        entries = root.any_entries("the file", problems) if root is not None else None
        self._list = (entries or {})["versions"][1]
        self._rows: dict[str, Node] = {}
        for item in self._list.items("`versions`", problems) or ():
            fields = item.any_entries("a version", problems) or {}
            self._rows[fields["id"][1].word("`id`", problems) or ""] = item

    @property
    def indentation(self) -> int:
        """Columns before the dash of a row."""
        return 2 if self._list.in_brackets else self._list.place.column - 1

    def copy(self, identifier: str, words: Mapping[str, str]) -> str:
        """A row as it is written, comments inside included, with some of its words replaced.

        :param words: what each of these becomes where it is a whole value, or the beginning of a path
        """
        row = self._rows[identifier]
        text, at = "", row.start
        for start, end, word in row.words():
            text += self._text[at:start]
            text += as_word(_replaced(word, words)) if _replaced(word, words) != word else self._text[start:end]
            at = end
        text += self._text[at : row.end]
        margin = " " * (row.place.column - 1)
        lines = text.replace("\r\n", "\n").split("\n")
        return "\n".join(
            [f"- {lines[0]}", *(f"  {line.removeprefix(margin)}" if line.strip() else "" for line in lines[1:])]
        )

    def indented(self, row: NewRow) -> str:
        """The row as it may be pasted into this file."""
        margin = " " * self.indentation
        return "\n".join(f"{margin}{line}" if line else "" for line in row.text.split("\n"))

    def with_rows(self, rows: Sequence[NewRow]) -> bytes:
        """The file with the rows added, each behind an empty line; every other byte as it was.

        :raises ConfigurationError: the list is written in a way that has no lines to add
        """
        if self._list.in_brackets or any(row.in_brackets for row in self._rows.values()):
            raise ConfigurationError(
                "rows-in-brackets",
                f"{shown_path(self._path)}: cannot add a row, the list is written in brackets",
                why="rows are added as lines, and `{…}` and `[…]` may run on over the end of any",
                hint="leave --write out and add the row that is printed by hand",
            )
        newline = "\r\n" if "\r\n" in self._text else "\n"
        text = self._text
        last = next(reversed(self._rows))
        for row in sorted(rows, key=lambda it: self._rows[it.after or last].end, reverse=True):
            end = self._rows[row.after or last].end
            # A comment on the last line of a row is the row's.
            line_end = min((at for at in (text.find("\n", end), text.find("\r", end)) if at >= 0), default=len(text))
            added = f"\n\n{self.indented(row)}".replace("\n", newline)
            text = text[:line_end] + added + text[line_end:]
        return (self._prefix + text).encode()


def _replaced(word: str, words: Mapping[str, str]) -> str:
    for old, new in words.items():
        if word == old or word.startswith(f"{old}/"):
            return new + word[len(old) :]
    return word
