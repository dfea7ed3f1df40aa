"""Read a published dashboard back: what it says of each cell.

The dashboard in a README is a promise to its readers. Reading it back lets a run be held against it without
keeping any other file. The transport suite's is in the established format, which other repositories have too
(contract, section 3); those of the suites over a simulated network are read as `interop_dashboard` writes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ci.model import Case, Exercise, Stack, SuiteName
from ci.report.interop_matrix import Mark, Sign
from ci.report.markers import section
from ci.suites.quic.catalogue import cases_of

__all__ = ["green_cases", "published_cells"]

HEADING: Final = re.compile(r"^## Using: (?P<stack>.+)$")
# Alone, or linked to the run it came from.
SYMBOL: Final = re.compile(r"^\[?:(?P<colour>[a-z]+)_circle:(?:\]\([^)]*\))?$")
CELL_SEPARATOR: Final = re.compile(r"(?<!\\)\|")
# A line of a cell of tests, `✕(M,B◷)`, and what is in it; a measurement, `G: 9123 (± 45) kbps≈` or `G: ✕`.
SIGN: Final = f"(?P<sign>[{''.join(map(re.escape, Sign))}])"
MARK: Final = f"(?P<mark>[{''.join(Mark)}]?)"
TESTS: Final = re.compile(rf"{SIGN}\((?P<entries>[^()]*)\)")
TEST: Final = re.compile(rf"(?P<abbreviation>\w+){MARK}")
MEASUREMENT: Final = re.compile(rf"(?P<abbreviation>\w+): (?:{SIGN}|\d+ \(± \d+\) kbps){MARK}")
COLOURS: Final = {
    Sign.PASSED: "green",
    Sign.UNSUPPORTED: "grey",
    Sign.FAILED: "red",
    Sign.ERROR: "white",
    Sign.NOT_RUN: "white",
}


def green_cases(markdown: str, suite: SuiteName = "transport") -> frozenset[Case]:
    """The cases that the suite's dashboard in `markdown` shows as green.

    :raises ConfigurationError: as `published_cells`
    """
    return frozenset(case for case, colour in published_cells(markdown, suite).items() if colour == "green")


def published_cells(markdown: str, suite: SuiteName = "transport") -> dict[Case, str]:
    """Colour of each cell: `green`, `yellow`, `red` or `white`. What is no dashboard is passed over.

    Of the suites over a simulated network, what stands between the suite's markers is read; there `grey` is what an
    endpoint does not do, and what counts as that although it failed is still `red`.

    :raises ConfigurationError: there is no one proper pair of markers, see `ci.report.markers.section`
    """
    if suite == "transport":
        return dict(_stack_cells(markdown.splitlines()))
    return dict(_exercise_cells(section(markdown, suite).splitlines(), suite))


# --- over a simulated network -----------------------------------------------------------------------------


def _exercise_cells(lines: list[str], suite: SuiteName) -> Iterator[tuple[Case, str]]:
    names = {test.abbreviation: test.name for test in cases_of(suite)} if suite != "transport" else {}
    servers: list[str] = []
    for line in lines:
        cells = _row(line)
        if not cells:
            servers = []
        elif not servers:
            servers = cells[1:]
        elif set(client := cells[0]) != {"-"}:
            for server, cell in zip(servers, cells[1:], strict=False):
                for abbreviation, colour in _entries(cell):
                    if abbreviation in names:
                        yield Case(client, server, Exercise(suite, names[abbreviation])), colour


def _entries(cell: str) -> Iterator[tuple[str, str]]:
    """Abbreviation and colour of what stands in one cell."""
    for line in cell.split("<br>"):
        if tests := TESTS.fullmatch(line):
            for test in filter(None, map(TEST.fullmatch, tests["entries"].split(","))):
                yield test["abbreviation"], _colour(Sign(tests["sign"]), Mark(test["mark"]))
        elif measurement := MEASUREMENT.fullmatch(line):
            sign = Sign(measurement["sign"] or Sign.PASSED)
            yield measurement["abbreviation"], _colour(sign, Mark(measurement["mark"]))


def _colour(sign: Sign, mark: Mark) -> str:
    return {Mark.FLAKY: "yellow", Mark.AUTOMATIC: "red"}.get(mark, COLOURS[sign])


# --- stacks -----------------------------------------------------------------------------------------------


def _stack_cells(lines: list[str]) -> Iterator[tuple[Case, str]]:
    stack: Stack | None = None
    listeners: list[str] = []
    for line in lines:
        heading = HEADING.match(line)
        if heading:
            stack, listeners = _stack(heading["stack"]), []
            continue
        cells = _row(line)
        if not cells:
            listeners = []
        elif stack is not None:
            if not listeners:
                listeners = cells[1:]
            elif set(cells[0]) != {"-"}:
                for listener, cell in zip(listeners, cells[1:], strict=False):
                    symbol = SYMBOL.match(cell)
                    if symbol is not None:
                        yield Case(cells[0], listener, stack), symbol["colour"]


def _row(line: str) -> list[str]:
    """The cells of a table's line; none of any other line."""
    return [cell.strip() for cell in CELL_SEPARATOR.split(line)[1:-1]] if line.startswith("|") else []


def _stack(text: str) -> Stack:
    words = [word.strip() for word in text.split(",")]
    return Stack(*words[:3])
