"""Replaces what stands between a dashboard's markers in a README and touches nothing else.

Each suite has a pair of its own, and a README may hold any of them. A marker counts where a line consists of it
alone; one quoted in a sentence or inside code is text. Everything outside keeps its bytes, and the
new text takes the line ends of the start marker's line. A file in which any pair is broken is left alone, whichever
is asked for: nobody can tell then what belongs to whom.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, overload

from ci.errors import ConfigurationError
from ci.model import SuiteName
from ci.reports.code_lines import code_lines
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.text import counted

__all__ = ["MARKERS", "Body", "Pair", "check_file", "replace", "section", "update_file"]


# What is to stand between the markers, or how it is made of what stands there.
Body: TypeAlias = "str | Callable[[str], str]"


@dataclass(frozen=True)
class Pair:
    """The two lines that a dashboard stands between."""

    start: bytes
    end: bytes


MARKERS: Final[Mapping[SuiteName, Pair]] = {
    # The bytes are fixed by the established dashboards.
    "transport": Pair(b"<!--INTEROP_DASHBOARD_START-->", b"<!--INTEROP_DASHBOARD_END-->"),
    "quic": Pair(b"<!--QUIC_DASHBOARD_START-->", b"<!--QUIC_DASHBOARD_END-->"),
    "webtransport": Pair(b"<!--WEBTRANSPORT_DASHBOARD_START-->", b"<!--WEBTRANSPORT_DASHBOARD_END-->"),
}

_BOM: Final = b"\xef\xbb\xbf"
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_DIFF_LINES: Final = 40


_STARTS: Final = {pair.start: pair for pair in MARKERS.values()}
_WORDS: Final = frozenset(word for pair in MARKERS.values() for word in (pair.start, pair.end))


@overload
def replace(text: bytes, body: Body, suite: SuiteName = ...) -> bytes: ...
@overload
def replace(text: str, body: Body, suite: SuiteName = ...) -> str: ...
def replace(text: bytes | str, body: Body, suite: SuiteName = "transport") -> bytes | str:
    """The text with `body` between the markers of `suite`, on lines of its own.

    :raises ConfigurationError: `markers-missing`, `markers-doubled`, `markers-reversed`, `markers-nested`;
        `markers-in-body` if the new text holds a marker line itself, which the next update could not survive
    """
    if isinstance(text, str):
        encoded = replace(text.encode("utf-8", "surrogatepass"), body, suite)
        return encoded.decode("utf-8", "surrogatepass")
    region = _region(text, suite)
    new = body if isinstance(body, str) else body(text[region.begin : region.end].decode("utf-8", "replace"))
    lines = [line.removesuffix(b"\r") for line in new.encode("utf-8", "replace").split(b"\n")]
    if not lines[-1]:
        lines.pop()
    if any(line.strip() in _WORDS for line in lines):
        raise ConfigurationError(
            "markers-in-body",
            "the text to put between the markers holds a marker itself",
            hint="this is a mistake in the report, not in the file",
        )
    inside = b"".join(line + region.line_end for line in lines)
    return text[: region.begin] + inside + text[region.end :]


def section(text: str, suite: SuiteName) -> str:
    """What stands between the markers of `suite`.

    :raises ConfigurationError: as `replace`
    """
    encoded = text.encode("utf-8", "surrogatepass")
    region = _region(encoded, suite)
    return encoded[region.begin : region.end].decode("utf-8", "surrogatepass")


def update_file(path: Path, body: Body, suite: SuiteName = "transport") -> bool:
    """Bring the file up to date; whether it had to change. An up-to-date file is not written at all.

    :raises ConfigurationError: as `replace`, and `markers-file` if the file cannot be read or written; it is
        left as it was
    """
    before = _read(path, suite)
    after = _replaced(path, before, body, suite)
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


def check_file(path: Path, body: Body, suite: SuiteName = "transport") -> str | None:
    """None if the file is up to date, else a short unified diff to what it should be. Writes nothing."""
    before = _read(path, suite)
    after = _replaced(path, before, body, suite)
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


def _read(path: Path, suite: SuiteName) -> bytes:
    try:
        return read_given(path)
    except OSError as error:
        pair = MARKERS[suite]
        raise ConfigurationError(
            "markers-file",
            f"cannot read {path}: {error.strerror or error}",
            hint=f"give a file that holds the lines {pair.start.decode()} and {pair.end.decode()}",
        ) from error


def _replaced(path: Path, text: bytes, body: Body, suite: SuiteName) -> bytes:
    try:
        return replace(text, body, suite)
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


def _region(text: bytes, suite: SuiteName) -> _Region:
    markers = _markers(text)
    regions = {
        name: _checked(markers, pair)
        for name, pair in MARKERS.items()
        if name == suite or any(marker.word in (pair.start, pair.end) for marker in markers)
    }
    wanted = regions.pop(suite)
    for name, other in regions.items():
        if other.lines[0] < wanted.lines[1] and wanted.lines[0] < other.lines[1]:
            raise ConfigurationError(
                "markers-nested",
                f"the markers of the suites {suite} and {name} are not one pair after the other",
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
    code = code_lines(outside) if _WORDS.intersection(words) else frozenset()
    markers: list[_Marker] = []
    ended_by: bytes | None = None
    for number, (line, word) in enumerate(zip(lines, words, strict=True)):
        if word in _WORDS and (ended_by is not None or number not in code):
            line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
            markers.append(_Marker(word, number + 1, begin, begin + len(line), line_end))
            if word in _STARTS:
                ended_by = _STARTS[word].end
                end = words.index(ended_by, number) if ended_by in words[number:] else len(lines)
                # Code that begins in between ends with it.
                outside[number + 1 : end] = [b"\n"] * (end - number - 1)
                code = code_lines(outside)
            elif word == ended_by:
                ended_by = None
        begin += len(line)
    return markers
