"""The test cases of a run over a simulated network, as reports need them: in order, by name, with abbreviations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci.errors import ConfigurationError
from ci.suites.quic.testcases.registry import cases_of
from ci.suites.quic.words import QUIC, WEBTRANSPORT

if TYPE_CHECKING:
    from ci.results.merged import Merged
    from ci.suites.quic.testcases.base import TestCase

__all__ = ["planned_tests"]


def planned_tests(merged: Merged) -> tuple[TestCase, ...]:
    """Those that were planned, in the suite's order, measurements last.

    :raises ConfigurationError: `test-case-unknown`, of the run as a whole; `suite-unfit` for a suite without test cases
    """
    if merged.suite not in (QUIC, WEBTRANSPORT):
        raise ConfigurationError(
            "suite-unfit",
            f"these are results of the {merged.suite} suite, which has no test cases",
            hint="give merged results of the suite quic or webtransport",
        )
    names = {case.words[0] for case in merged.cases}
    known = tuple(test for test in cases_of(merged.suite) if test.name in names)
    unknown = sorted(names - {test.name for test in known})
    if unknown:
        raise ConfigurationError(
            "test-case-unknown",
            f"the suite {merged.suite} has no test case {', '.join(map(repr, unknown))}",
            why="the results were written by another version of this tool",
            hint="read them with the version that wrote them",
        )
    return known
