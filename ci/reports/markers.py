"""Replaces what stands between a dashboard's markers in a README and touches nothing else.

Each suite has a pair with a word of its own, and a README may hold any of them. A marker counts where a line consists
of it alone; one quoted in a sentence or inside code is text. Everything outside keeps its bytes, and the new text takes
the line ends of the start marker's line. A file in which any pair is broken is left alone, whichever is asked for:
nobody can tell then what belongs to whom.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, overload

from ci.errors import ConfigurationError
from ci.reports.code_lines import code_lines
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.text import counted

__all__ = ["Body", "Pair", "check_file", "replace", "section", "update_file"]


# What is to stand between the markers, or how it is made of what stands there.
Body: TypeAlias = "str | Callable[[str], str]"


@dataclass(frozen=True)
class Pair:
    """The two lines that a dashboard stands between, by the word in them."""

    marker: str

    @property
    def start(self) -> bytes:
        return f"<!--{self.marker}_DASHBOARD_START-->".encode()

    @property
    def end(self) -> bytes:
        return f"<!--{self.marker}_DASHBOARD_END-->".encode()


_MARKER: Final = re.compile(rb"<!--(?P<marker>[A-Z]+)_DASHBOARD_(?:START|END)-->")

_BOM: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_DIFF_LINES: Final = 40


@overload
def replace(text: bytes, body: Body, marker: str) -> bytes: ...
@overload
def replace(text: str, body: Body, marker: str) -> str: ...
def replace(text: bytes | str, body: Body, marker: str) -> bytes | str:
    """The text with `body` between the pair of markers with this word, on lines of its own.

    :raises ConfigurationError: `markers-missing`, `markers-doubled`, `markers-reversed`, `markers-nested`;
        `markers-in-body` if the new text holds a marker line itself, which the next update could not survive
    """
    if isinstance(text, str):
        encoded = replace(text.encode("utf-8", "surrogatepass"), body, marker)
        return encoded.decode("utf-8", "surrogatepass")
    region = _region(text, marker)
    new = body if isinstance(body, str) else body(text[region.begin : region.end].decode("utf-8", "replace"))
    lines = [line.removesuffix(b"\r") for line in new.encode("utf-8", "replace").split(b"\n")]
    if not lines[-1]:
        lines.pop()
    if any(_MARKER.fullmatch(line.strip()) for line in lines):
        raise ConfigurationError(
            "markers-in-body",
            "the text to put between the markers holds a marker itself",
            hint="this is a mistake in the report, not in the file",
        )
    inside = b"".join(line + region.line_end for line in lines)
    return text[: region.begin] + inside + text[region.end :]


def section(text: str, marker: str) -> str:
    """What stands between the pair of markers with this word.

    :raises ConfigurationError: as `replace`
    """
    encoded = text.encode("utf-8", "surrogatepass")
    region = _region(encoded, marker)
    return encoded[region.begin : region.end].decode("utf-8", "surrogatepass")


def update_file(path: Path, body: Body, marker: str) -> bool:
    """Bring the file up to date; whether it had to change. An up-to-date file is not written at all.

    :raises ConfigurationError: as `replace`, and `markers-file` if the file cannot be read or written; it is
        left as it was
    """
    before = _read(path, marker)
    after = _replaced(path, before, body, marker)
    if after == before:
        return False
    try:
        write_atomically(path, after)
    except OSError as error:
        raise ConfigurationError(
            "markers-file",
            f"cannot write {path}: {error.strerror or error}",
            why="it is replaced as a whole, so its folder must be writable",
            hint="check the owner of the file's folder and the space on its disk",
        ) from error
    return True


def check_file(path: Path, body: Body, marker: str) -> str | None:
    """None if the file is up to date, else a short unified diff to what it should be. Writes nothing."""
    before = _read(path, marker)
    after = _replaced(path, before, body, marker)
    if after == before:
        return None
    diff = list(
        difflib.unified_diff(
            before.decode("utf-8", "replace").splitlines(),
            after.decode("utf-8", "replace").splitlines(),
            fromfile=str(path),
            tofile=f"{path} (updated)",
            lineterm="",
            n=1,
        )
    )
    if not diff:
        return f"{path} differs from its update only in line ends or in bytes that are no UTF-8"
    more = len(diff) - _DIFF_LINES
    return "\n".join(diff if more <= 0 else [*diff[:_DIFF_LINES], f"… and {counted(more, 'more line')}"])


def _read(path: Path, marker: str) -> bytes:
    try:
        return read_given(path)
    except OSError as error:
        pair = Pair(marker)
        raise ConfigurationError(
            "markers-file",
            f"cannot read {path}: {error.strerror or error}",
            hint=f"give a file that holds the lines {pair.start.decode()} and {pair.end.decode()}",
        ) from error


def _replaced(path: Path, text: bytes, body: Body, marker: str) -> bytes:
    try:
        return replace(text, body, marker)
    except ConfigurationError as error:
        raise ConfigurationError(error.reference, f"{path}: {error.message}", why=error.why, hint=error.hint) from error


# --- finding the markers ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Region:
    """What is replaced: from behind the start marker's line to the beginning of the end marker's.

    :param lines: from where to where it reaches with both markers' lines
    """

    begin: int
    end: int
    lines: tuple[int, int]
    line_end: bytes


@dataclass(frozen=True)
class _Marker:
    word: bytes
    number: int
    begin: int
    end: int
    line_end: bytes

    @property
    def pair(self) -> Pair:
        return _pair_of(self.word)


def _pair_of(word: bytes) -> Pair:
    found = _MARKER.fullmatch(word)
    assert found is not None  # noqa: S101 -- that is how it was found
    return Pair(found["marker"].decode())


def _region(text: bytes, marker: str) -> _Region:
    markers = _markers(text)
    regions = {pair: _checked(markers, pair) for pair in (Pair(marker), *(it.pair for it in markers))}
    wanted = regions.pop(Pair(marker))
    for pair, other in regions.items():
        if other.lines[0] < wanted.lines[1] and wanted.lines[0] < other.lines[1]:
            raise ConfigurationError(
                "markers-nested",
                f"{Pair(marker).start.decode()} and {pair.start.decode()} do not begin one pair after the other",
                why="whichever dashboard is written would wipe out markers of the other",
                hint="let each pair of markers begin only after another has ended",
            )
    return wanted


def _checked(markers: list[_Marker], pair: Pair) -> _Region:
    """Where the one proper pair is; refuses none, several, and one the wrong way round."""
    starts = [marker for marker in markers if marker.word == pair.start]
    ends = [marker for marker in markers if marker.word == pair.end]
    for word, found in ((pair.start, starts), (pair.end, ends)):
        if not found:
            raise ConfigurationError(
                "markers-missing",
                f"no line consists of {word.decode()}",
                why="a marker inside code or `<pre>`, or with other text on its line, does not count",
                hint="put both markers on lines of their own where the dashboard is to stand",
            )
        if len(found) > 1:
            numbers = ", ".join(str(marker.number) for marker in found)
            raise ConfigurationError(
                "markers-doubled",
                f"{word.decode()} stands on several lines: {numbers}",
                why="the dashboard was copied, or a merge conflict was resolved by keeping both sides",
                hint="leave one pair",
            )
    start, end = starts[0], ends[0]
    if end.begin < start.begin:
        raise ConfigurationError(
            "markers-reversed",
            f"the end marker {end.word.decode()} (line {end.number}) stands before the start marker (line "
            f"{start.number})",
            hint="exchange the two lines",
        )
    return _Region(begin=start.end, end=end.begin, lines=(start.begin, end.end), line_end=start.line_end)


def _markers(text: bytes) -> list[_Marker]:
    """Marker lines outside code. What stands between a pair is not looked at: whatever it is, it will be replaced."""
    lines = _LINE.findall(text.removeprefix(_BOM))
    begin = len(text) - sum(map(len, lines))
    words = [line.strip() for line in lines]
    outside = list(lines)
    known = [_MARKER.fullmatch(word) is not None for word in words]
    code = code_lines(outside) if any(known) else frozenset()
    markers: list[_Marker] = []
    ended_by: bytes | None = None
    for number, (line, word) in enumerate(zip(lines, words, strict=True)):
        if known[number] and (ended_by is not None or number not in code):
            line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
            markers.append(_Marker(word, number + 1, begin, begin + len(line), line_end))
            if word == _pair_of(word).start:
                ended_by = _pair_of(word).end
                end = words.index(ended_by, number) if ended_by in words[number:] else len(lines)
                # Code that begins in between ends with it.
                outside[number + 1 : end] = [b"\n"] * (end - number - 1)
                code = code_lines(outside)
            elif word == ended_by:
                ended_by = None
        begin += len(line)
    return markers
