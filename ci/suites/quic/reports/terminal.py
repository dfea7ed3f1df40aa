"""The matrix of the suites over a simulated network on a console.

Signs as well as colours, so that either is enough.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.text import Text

from ci.reports.screen import Screen, print_table, that_fit
from ci.suites.quic.reports.matrix import Cell, Entry, Mark, Matrix, Sign, interop_matrix

if TYPE_CHECKING:
    from ci.results.merged import Merged

__all__ = ["matrix_table"]

_CORNER: Final = ("client ↓ server →", "client \\ server")
# On a terminal a line of a cell is broken behind a comma, so that more than one server fits beside another.
_WIDEST: Final = 34
# Sign → plain sign, style, words for the legend.
_SIGNS: Final = {
    Sign.PASSED: ("+", "green", "passed"),
    Sign.UNSUPPORTED: ("?", "bright_black", "unsupported"),
    Sign.FAILED: ("x", "red", "failed or not finished in time"),
    Sign.ERROR: ("!", "magenta", "the harness or the host failed"),
    Sign.NOT_RUN: ("-", "dim", "not run"),
}
_MARKS: Final = {
    Mark.FLAKY: ("~", "flaky"),
    Mark.TIMED_OUT: ("@", "not finished in time"),
    Mark.AUTOMATIC: ("x", "failed with every counterpart, counts as unsupported"),
}

# A cell's lines, top to bottom.
Lines: TypeAlias = "Sequence[Text]"


def matrix_table(console: Screen, merged: Merged) -> None:
    """Clients down, servers across; the test cases by what they came to, then the measurements.

    :raises ConfigurationError: the results hold a test case nobody knows
    """
    matrix = interop_matrix(merged)
    if matrix.has_tests:
        console.info(f"\n{merged.suite}", style="bold")
        _table(console, matrix, {pair: _tests(console, cell) for pair, cell in matrix.cells.items()})
    if matrix.has_measurements:
        console.info(f"\n{merged.suite}: mean and standard deviation", style="bold")
        _table(console, matrix, {pair: _measurements(console, cell) for pair, cell in matrix.cells.items()})
    if matrix.absent:
        console.info(f"not run, and in no table: {', '.join(matrix.absent)}", style="dim")
    signs = ", ".join(f"{console.symbol(sign, plain)} {words}" for sign, (plain, _, words) in _SIGNS.items())
    console.info(f"{signs}; what is in no cell was not selected" if merged.unselected else signs)
    marks = [
        f"{console.symbol(mark, plain)} {words}" for mark, (plain, words) in _MARKS.items() if mark in matrix.marks
    ]
    if marks:
        console.info(f"behind an abbreviation: {', '.join(marks)}")
    console.info(", ".join(f"{test.abbreviation} {test.name}" for test in matrix.tests), style="dim")


def _table(console: Screen, matrix: Matrix, cells: Mapping[tuple[str, str], Lines]) -> None:
    corner = console.styled(console.symbol(*_CORNER))
    names = {name: console.styled(name) for name in (*matrix.clients, *matrix.servers)}
    first = max(corner.cell_len, *(names[client].cell_len for client in matrix.clients))
    columns = {
        server: [names[server], *(line for (_, other), lines in cells.items() if other == server for line in lines)]
        for server in matrix.servers
    }
    for part in that_fit(console, first, columns):
        rows: list[list[Text]] = []
        for client in matrix.clients:
            lines = zip_longest(*(cells.get((client, server), ()) for server in part), fillvalue=Text())
            name = names[client]
            for line in lines:
                rows.append([name, *line])
                name = Text()
            if name is names[client]:
                rows.append([name, *(Text() for _ in part)])
        print_table(console, [corner, *(names[server] for server in part)], rows, left=True)


def _tests(console: Screen, cell: Cell) -> list[Text]:
    found = []
    for sign, entries in cell.lines:
        plain, style, _ = _SIGNS[sign]
        head = f"{console.symbol(sign, plain)}("
        words = [f"{entry.abbreviation}{_mark(console, entry)}" for entry in entries]
        first, *more = _broken(f"{','.join(words)})", _WIDEST if console.terminal else None)
        found.append(console.styled(f"{head}{first}", style))
        # What goes on stands below what it belongs to.
        found += [Text(" " * len(head)).append_text(console.styled(text, style)) for text in more]
    return found


def _measurements(console: Screen, cell: Cell) -> list[Text]:
    found = []
    for entry in cell.measurements:
        plain, style, _ = _SIGNS[entry.sign]
        text = entry.rate or console.symbol(entry.sign, plain)
        found.append(console.styled(f"{entry.abbreviation}: {text}{_mark(console, entry)}", style))
    return found


def _mark(console: Screen, entry: Entry) -> str:
    return console.symbol(entry.mark, _MARKS[entry.mark][0]) if entry.mark in _MARKS else ""


def _broken(text: str, widest: int | None) -> list[str]:
    """Lines that are no wider than that, each but the last ending in a comma; None: one line."""
    lines = [""]
    for word in re.findall("[^,]+,?", text):
        if widest is not None and lines[-1] and len(lines[-1]) + len(word) > widest:
            lines.append("")
        lines[-1] += word
    return lines
