"""Clients × servers, and in each cell which test cases came to what (quic-interop contract, section 5.3).

What is shown on a terminal and in Markdown alike. A cell of tests has the three lines of the established matrix, in
its order and with its signs; what that has no word for stands below them, and only where it occurs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.reports.footnotes import reference
from ci.reports.missing import shown_and_absent
from ci.reports.order import by_code_unit
from ci.suites.quic.judge import RATE
from ci.suites.quic.reports.auto_unsupported import auto_unsupported
from ci.suites.quic.reports.planned_tests import planned_tests
from ci.suites.quic.testcases.measurements import Summary

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase
    from ci.suites.quic.testcases.base import TestCase

__all__ = ["Cell", "Entry", "Mark", "Matrix", "Sign", "interop_matrix", "rate"]


class Sign(str, Enum):
    """What a line of a cell says of the test cases on it."""

    PASSED = "✓"
    UNSUPPORTED = "?"
    FAILED = "✕"
    ERROR = "!"
    NOT_RUN = "·"

    __str__ = str.__str__


class Mark(str, Enum):
    """What is not plain about one test case of a line, behind its abbreviation."""

    NONE = ""
    FLAKY = "≈"
    TIMED_OUT = "◷"
    AUTOMATIC = "✕"  # failed, and counts as unsupported

    __str__ = str.__str__


ALWAYS: Final = (Sign.PASSED, Sign.UNSUPPORTED, Sign.FAILED)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One test case or measurement of a pair.

    :param rate: of a measurement that passed: `9123 (± 45) kbps`
    :param note: of what is as expected, see `ci.reports.footnotes`
    """

    abbreviation: str
    sign: Sign
    mark: Mark = Mark.NONE
    rate: str = ""
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """One client with one server; empty where nothing was planned for the two."""

    tests: tuple[Entry, ...] = ()
    measurements: tuple[Entry, ...] = ()

    @property
    def lines(self) -> Sequence[tuple[Sign, tuple[Entry, ...]]]:
        """Of the tests: the three that are always there, then the others where they have something to say."""
        by_sign = {sign: tuple(entry for entry in self.tests if entry.sign is sign) for sign in Sign}
        return [(sign, entries) for sign, entries in by_sign.items() if self.tests and (entries or sign in ALWAYS)]


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Of one run.

    :param tests: what its abbreviations stand for, in order, measurements last
    :param absent: versions without a single result; they have neither row nor column
    """

    tests: tuple[TestCase, ...]
    cells: Mapping[tuple[str, str], Cell]
    absent: tuple[str, ...]

    @cached_property
    def clients(self) -> tuple[str, ...]:
        return tuple(sorted({client for client, _ in self.cells}, key=by_code_unit))

    @cached_property
    def servers(self) -> tuple[str, ...]:
        return tuple(sorted({server for _, server in self.cells}, key=by_code_unit))

    def cell(self, client: str, server: str) -> Cell:
        return self.cells.get((client, server), Cell())

    @property
    def marks(self) -> frozenset[Mark]:
        """Those that occur, for a legend that explains nothing else."""
        return frozenset(entry.mark for cell in self.cells.values() for entry in cell.tests + cell.measurements)

    @property
    def has_tests(self) -> bool:
        return any(cell.tests for cell in self.cells.values())

    @property
    def has_measurements(self) -> bool:
        return any(cell.measurements for cell in self.cells.values())


def interop_matrix(merged: Merged) -> Matrix:
    """:raises ConfigurationError: the results are of another suite, or hold a test case nobody knows"""
    shown, absent = shown_and_absent(merged)
    automatic = auto_unsupported(merged)
    pairs: dict[tuple[str, str], dict[str, MergedCase]] = {}
    for case in merged.cases:
        if case.first in shown and case.second in shown:
            pairs.setdefault(case.pair, {})[case.words[0]] = case
    known = planned_tests(merged)
    return Matrix(
        tests=known,
        absent=tuple(absent),
        cells={
            pair: Cell(*(_entries(known, cases, automatic, measurements=which) for which in (False, True)))
            for pair, cases in pairs.items()
        },
    )


def rate(case: MergedCase) -> str:
    """What a measurement came to, as the established runner writes it; empty where it came to nothing."""
    metrics = case.result.metrics
    if case.result.outcome is not Outcome.PASSED or RATE not in metrics:
        return ""
    return str(Summary(metrics[RATE], metrics.get(f"{RATE}Deviation", 0.0)))


def _entries(
    known: Sequence[TestCase], cases: Mapping[str, MergedCase], automatic: frozenset[str], *, measurements: bool
) -> tuple[Entry, ...]:
    found = []
    for test in known:
        case = cases.get(test.name)
        if case is not None and test.is_measurement is measurements:
            sign, mark = _reading(case, automatic)
            text = rate(case) if measurements else ""
            found.append(Entry(abbreviation=test.abbreviation, sign=sign, mark=mark, rate=text, note=reference(case)))
    return tuple(found)


def _reading(case: MergedCase, automatic: frozenset[str]) -> tuple[Sign, Mark]:
    outcome = case.result.outcome
    if case.key in automatic:
        return Sign.UNSUPPORTED, Mark.AUTOMATIC
    if outcome is Outcome.PASSED and case.result.flaky is not None:
        return Sign.PASSED, Mark.FLAKY
    if outcome is Outcome.TIMED_OUT:
        return Sign.FAILED, Mark.TIMED_OUT
    return _SIGNS[outcome], Mark.NONE


_SIGNS: Final = {
    Outcome.PASSED: Sign.PASSED,
    Outcome.FAILED: Sign.FAILED,
    Outcome.UNSUPPORTED: Sign.UNSUPPORTED,
    Outcome.ERROR: Sign.ERROR,
    Outcome.NOT_RUN: Sign.NOT_RUN,
}
