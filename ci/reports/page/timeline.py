"""What an attempt's evidence says by time: lines of logs, events of Redis or packets, for the timeline of a report.

Each comes from a text file of lines as `ci.spec.capture.interleave` writes them: `+  1.204 dialer/stderr | …`, in
seconds since the case began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from ci.reports.evidence_files import place_of
from ci.util.given_files import open_given
from ci.util.text import clip_middle, printable

if TYPE_CHECKING:
    from ci.results.records import Attempt

__all__ = ["Line", "timeline"]

# What the sides wrote, with what happened to them; beside it what a capture shows, which has a clock of its own.
OUTPUT: Final = "output"
PACKETS: Final = "packets"
# As much of one file is read: it is somebody else's, and may be anything.
MOST_BYTES: Final = 4 << 20
LONGEST_LINE: Final = 400
# What explains a failure stands at the beginning or, more often, at the end.
FIRST_LINES: Final = 150
LAST_LINES: Final = 250
_LINE: Final = re.compile(r"\+ *(?P<at>\d{1,9}\.\d{1,6}) (?P<who>[a-z][a-z0-9_/-]{0,60}) *\| ?(?P<text>.*)")


@dataclass(frozen=True, kw_only=True)
class Line:
    """:param at: milliseconds since the case began, or since the first packet of the capture

    :param clock: which of these: empty, or where the capture was made
    :param lane: who: a role, `redis`, …
    :param stream: `stdout`, `stderr`, or empty
    """

    at: float
    clock: str
    lane: str
    stream: str
    text: str


def timeline(attempt: Attempt, results: Path) -> tuple[tuple[Line, ...], int]:
    """The lines in order, and how many were left out in the middle; none where the evidence is not at hand.

    :param results: folder of the run
    """
    lines: list[Line] = []
    out = 0
    for file in attempt.evidence:
        if file.stream == OUTPUT or file.role == PACKETS:
            place = place_of(attempt, file, results)
            found = [] if place is None else list(_read(place, "" if file.stream == OUTPUT else _clock(file.path)))
            more = max(0, len(found) - FIRST_LINES - LAST_LINES)
            lines += (*found[:FIRST_LINES], *found[FIRST_LINES + more :])
            out += more
    return tuple(lines), out


def _clock(path: str) -> str:
    """`packets left`, of a measurement `packets left, repetition 3`."""
    parts = PurePosixPath(path).parts
    where = PurePosixPath(parts[-1]).stem
    return f"packets {where}" + (f", repetition {parts[-3]}" if len(parts) > 2 and parts[-3].isdigit() else "")


def _read(place: Path, clock: str) -> Iterator[Line]:
    try:
        with open_given(place) as file:
            data = file.read(MOST_BYTES)
    except OSError:
        return
    for line in data.decode("utf-8", errors="replace").split("\n"):
        found = _LINE.match(line)
        if found is not None:
            lane, _, stream = found["who"].partition("/")
            text = clip_middle(printable(found["text"][: 8 * LONGEST_LINE]), LONGEST_LINE)
            at = round(float(found["at"]) * 1000, 1)
            yield Line(at=at, clock=clock, lane=lane, stream=stream, text=text)
