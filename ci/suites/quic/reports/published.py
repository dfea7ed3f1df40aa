"""Read a published section back: what it says of each test case.

It is read as `ci.suites.quic.reports.dashboard` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ci.model import Case, SuiteWords
from ci.reports.footnotes import REFERENCE
from ci.reports.markdown import row_of
from ci.suites.quic.reports.matrix import Mark, Sign
from ci.suites.quic.testcases.registry import cases_of

__all__ = ["PublishedTest", "published_tests"]

# A line of a cell of tests, `✕(M,B◷)`, and what is in it; a measurement, `G: 9123 (± 45) kbps≈` or `G: ✕`.
SIGN: Final = f"(?P<sign>[{''.join(map(re.escape, Sign))}])"
MARK: Final = f"(?P<mark>[{''.join(Mark)}]?)"
TESTS: Final = re.compile(rf"{SIGN}\((?P<entries>[^()]*)\)")
NOTE: Final = rf"(?P<note>(?:{REFERENCE})?)"
TEST: Final = re.compile(rf"(?P<abbreviation>\w+){MARK}{NOTE}")
RATE: Final = r"(?P<rate>\d+) \(± (?P<deviation>\d+)\) kbps"
MEASUREMENT: Final = re.compile(rf"(?P<abbreviation>\w+): (?:{SIGN}|{RATE}){MARK}{NOTE}")
COLOURS: Final = {
    Sign.PASSED: "green",
    Sign.UNSUPPORTED: "grey",
    Sign.FAILED: "red",
    Sign.ERROR: "white",
    Sign.NOT_RUN: "white",
}


@dataclass(frozen=True, kw_only=True)
class PublishedTest:
    """What a dashboard says of one case over a simulated network.

    :param note: that it is as expected
    :param rate: of a measurement that passed, its mean and deviation in kbit/s
    """

    case: Case
    sign: Sign
    mark: Mark
    note: str = ""
    rate: tuple[float, float] | None = None

    @property
    def colour(self) -> str:
        if self.note:
            return "yellow"
        return {Mark.FLAKY: "yellow", Mark.AUTOMATIC: "red"}.get(self.mark, COLOURS[self.sign])


def published_tests(section: str, suite: SuiteWords) -> Iterator[PublishedTest]:
    """The cases in what stands between the markers of a suite over a simulated network, in its order."""
    names = {test.abbreviation: test.name for test in cases_of(suite)}
    servers: list[str] = []
    for line in section.splitlines():
        cells = row_of(line)
        if not cells:
            servers = []
        elif not servers:
            servers = cells[1:]
        elif set(client := cells[0]) != {"-"}:
            for server, cell in zip(servers, cells[1:], strict=False):
                for found, sign in _entries(cell):
                    if name := names.get(found["abbreviation"]):
                        words = found.groupdict()
                        rate = (float(words["rate"]), float(words["deviation"])) if words.get("rate") else None
                        case = suite.case(client, server, name)
                        mark = Mark(found["mark"])
                        yield PublishedTest(case=case, sign=sign, mark=mark, note=found["note"], rate=rate)


def _entries(cell: str) -> Iterator[tuple[re.Match[str], Sign]]:
    """What stands in one cell, with its sign."""
    for line in cell.split("<br>"):
        if tests := TESTS.fullmatch(line):
            for test in filter(None, map(TEST.fullmatch, tests["entries"].split(","))):
                yield test, Sign(tests["sign"])
        elif measurement := MEASUREMENT.fullmatch(line):
            yield measurement, Sign(measurement["sign"] or Sign.PASSED)
