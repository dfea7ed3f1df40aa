"""Read a published dashboard back: which cells it says are green (contract, section 3).

The dashboard in a README is a promise to its readers. Reading it back lets a run be held against it without
keeping any other file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ci.model import Case, Stack

__all__ = ["green_cases"]

HEADING: Final = re.compile(r"^## Using: (?P<stack>.+)$")
# Alone, or linked to the run it came from.
GREEN: Final = re.compile(r"^\[?:green_circle:(?:\]\([^)]*\))?$")
CELL_SEPARATOR: Final = re.compile(r"(?<!\\)\|")


def green_cases(markdown: str) -> frozenset[Case]:
    """The cases that the dashboard in `markdown` shows as green; rows and tables that are no dashboard are skipped."""
    return frozenset(_green(markdown.splitlines()))


def _green(lines: list[str]) -> Iterator[Case]:
    stack: Stack | None = None
    listeners: list[str] = []
    for line in lines:
        heading = HEADING.match(line)
        if heading:
            stack, listeners = _stack(heading["stack"]), []
        elif not line.startswith("|"):
            listeners = []
        elif stack is not None:
            cells = [cell.strip() for cell in CELL_SEPARATOR.split(line)[1:-1]]
            if not listeners:
                listeners = cells[1:]
            elif set(cells[0]) != {"-"}:
                for listener, cell in zip(listeners, cells[1:], strict=False):
                    if GREEN.match(cell):
                        yield Case(cells[0], listener, stack)


def _stack(text: str) -> Stack:
    words = [word.strip() for word in text.split(",")]
    return Stack(*words[:3])
