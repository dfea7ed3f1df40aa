"""Replaces what stands between the dashboard's markers in a README and touches nothing else.

A marker counts where a line consists of it alone; one quoted in a sentence or inside a fenced code block is
text. Everything outside keeps its bytes, and the new text takes the line ends of the start marker's line.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, overload

from ci.atomic import write_atomically
from ci.errors import ConfigurationError

__all__ = ["END", "START", "check_file", "replace", "update_file"]

# The bytes are fixed by the established dashboards.
START: Final = b"<!--INTEROP_DASHBOARD_START-->"
END: Final = b"<!--INTEROP_DASHBOARD_END-->"

_BOM: Final = b"\xef\xbb\xbf"
_FENCE: Final = re.compile(rb" {0,3}(`{3,}|~{3,})(.*)", re.DOTALL)
_LINE: Final = re.compile(rb"[^\n]*\n|[^\n]+")
_DIFF_LINES: Final = 40


@overload
def replace(text: bytes, body: str) -> bytes: ...
@overload
def replace(text: str, body: str) -> str: ...
def replace(text: bytes | str, body: str) -> bytes | str:
    """The text with `body` between its markers, on lines of its own.

    :raises ConfigurationError: `markers-missing`, `markers-doubled`, `markers-reversed`; `markers-in-body` if
        the new text holds a marker line itself, which the next update could not survive
    """
    if isinstance(text, str):
        encoded = replace(text.encode("utf-8", "surrogatepass"), body)
        return encoded.decode("utf-8", "surrogatepass")
    lines = [line.removesuffix(b"\r") for line in body.encode("utf-8", "replace").split(b"\n")]
    if not lines[-1]:
        lines.pop()
    if any(line.strip() in (START, END) for line in lines):
        raise ConfigurationError(
            "markers-in-body",
            "the text to put between the markers holds a marker itself",
            hint="this is a mistake in the report, not in the file",
        )
    region = _region(text)
    inside = b"".join(line + region.line_end for line in lines)
    return text[: region.begin] + inside + text[region.end :]


def update_file(path: Path, body: str) -> bool:
    """Bring the file up to date; whether it had to change. An up-to-date file is not written at all.

    :raises ConfigurationError: as `replace`, and `markers-file` if the file cannot be read or written; it is
        left as it was
    """
    before = _read(path)
    after = _replaced(path, before, body)
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


def check_file(path: Path, body: str) -> str | None:
    """None if the file is up to date, else a short unified diff to what it should be. Writes nothing."""
    before = _read(path)
    after = _replaced(path, before, body)
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
    return "\n".join(diff if more <= 0 else [*diff[:_DIFF_LINES], f"… and {more} more lines"])


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            "markers-file",
            f"cannot read {path}: {error.strerror or error}",
            hint=f"give a file that holds the lines {START.decode()} and {END.decode()}",
        ) from error


def _replaced(path: Path, text: bytes, body: str) -> bytes:
    try:
        return replace(text, body)
    except ConfigurationError as error:
        raise ConfigurationError(error.reference, f"{path}: {error.message}", why=error.why, hint=error.hint) from error


# --- finding the markers ----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Region:
    """What is replaced: from behind the start marker's line to the beginning of the end marker's."""

    begin: int
    end: int
    line_end: bytes


@dataclass(frozen=True)
class _Marker:
    word: bytes
    number: int
    begin: int
    end: int
    line_end: bytes


def _region(text: bytes) -> _Region:
    markers = _markers(text)
    starts = [marker for marker in markers if marker.word == START]
    ends = [marker for marker in markers if marker.word == END]
    for word, found in ((START, starts), (END, ends)):
        if not found:
            raise ConfigurationError(
                "markers-missing",
                f"no line consists of {word.decode()}",
                why="a marker inside a fenced code block, or with other text on its line, does not count",
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
            f"the end marker (line {end.number}) stands before the start marker (line {start.number})",
            hint="exchange the two lines",
        )
    return _Region(begin=start.end, end=end.begin, line_end=start.line_end)


def _markers(text: bytes) -> list[_Marker]:
    """Marker lines outside fenced code. A fence that opens between the markers is not looked at."""
    markers: list[_Marker] = []
    fence: bytes | None = None
    inside = False
    position = 0
    for number, line in enumerate(_LINE.findall(text), 1):
        begin, position = position, position + len(line)
        content = line.removeprefix(_BOM) if number == 1 else line
        word = content.strip()
        if fence is None and word in (START, END):
            line_end = b"\r\n" if line.endswith(b"\r\n") else b"\n"
            markers.append(_Marker(word, number, begin, position, line_end))
            inside = word == START
        elif not inside:
            fence = _fence_after(fence, content)
    return markers


def _fence_after(fence: bytes | None, line: bytes) -> bytes | None:
    """The fence open behind this line: a block ends with at least as many of the marks it began with."""
    found = _FENCE.match(line.rstrip(b"\r\n"))
    if found is None:
        return fence
    marks, rest = found[1], found[2]
    if fence is None:
        # A line of backticks with more backticks behind them is code in a sentence.
        return None if marks[:1] == b"`" and b"`" in rest else marks
    closes = marks[:1] == fence[:1] and len(marks) >= len(fence) and not rest.strip()
    return None if closes else fence
