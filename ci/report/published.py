"""Read a published dashboard back: what it says of each cell (contract, section 3).

The dashboard in a README is a promise to its readers. Reading it back lets a run be held against it without
keeping any other file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ci.model import Case, Stack

__all__ = ["green_cases", "published_cells"]

HEADING: Final = re.compile(r"^## Using: (?P<stack>.+)$")
# Alone, or linked to the run it came from.
SYMBOL: Final = re.compile(r"^\[?:(?P<colour>[a-z]+)_circle:(?:\]\([^)]*\))?$")
CELL_SEPARATOR: Final = re.compile(r"(?<!\\)\|")


def green_cases(markdown: str) -> frozenset[Case]:
    """The cases that the dashboard in `markdown` shows as green."""
    return frozenset(case for case, colour in published_cells(markdown).items() if colour == "green")


def published_cells(markdown: str) -> dict[Case, str]:
    """Colour of each cell: `green`, `yellow`, `red` or `white`. What is no dashboard is passed over."""
    return dict(_cells(markdown.splitlines()))


def _cells(lines: list[str]) -> Iterator[tuple[Case, str]]:
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
                    symbol = SYMBOL.match(cell)
                    if symbol is not None:
                        yield Case(cells[0], listener, stack), symbol["colour"]


def _stack(text: str) -> Stack:
    words = [word.strip() for word in text.split(",")]
    return Stack(*words[:3])
