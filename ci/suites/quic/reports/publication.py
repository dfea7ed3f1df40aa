"""The published section of a suite over a simulated network: brought up to date by a part of a run, read back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final

from ci.model import Case, Expectation, Expected, Outcome, SuiteWords
from ci.reports.markers import section as section_of
from ci.reports.missing import fewer, without
from ci.reports.runs import with_run
from ci.results.aggregate import Flaky, Result
from ci.results.merged import Merged, MergedCase
from ci.suites.base import Publication
from ci.suites.quic.judge import RATE
from ci.suites.quic.reports import dashboard
from ci.suites.quic.reports.matrix import Mark, Sign
from ci.suites.quic.reports.published import PublishedTest, published_tests
from ci.suites.quic.words import QUIC as QUIC_WORDS
from ci.suites.quic.words import WEBTRANSPORT as WEBTRANSPORT_WORDS

__all__ = ["QUIC", "WEBTRANSPORT", "as_case", "cells", "with_part"]

_OUTCOMES: Final = {
    Sign.PASSED: Outcome.PASSED,
    Sign.UNSUPPORTED: Outcome.UNSUPPORTED,
    Sign.FAILED: Outcome.FAILED,
    Sign.ERROR: Outcome.ERROR,
    Sign.NOT_RUN: Outcome.NOT_RUN,
}


def with_part(section: str, now: Merged, sentence: str, suite: SuiteWords) -> str:
    """A published section with the results of a later run in the place of its own.

    :param now: the cases of that run which have a result
    :param sentence: what run it is
    """
    before = {it.key: it for it in map(as_case, published_tests(section, suite))}
    frame = dashboard.read_frame(section)
    filled = sum(not before[it.key].result.outcome.conclusive for it in now.cases if it.key in before)
    cases = before | {it.key: it for it in now.cases}
    shown = {version for it in cases.values() for version in it.pair}
    absent = (without(line, shown, dashboard.WHY) for line in frame.absent)
    later = dashboard.frame_of(now)
    frame = replace(
        frame,
        footnotes=(*later.footnotes, *frame.footnotes),
        notes=fewer(frame.notes, filled),
        absent=tuple(filter(None, absent)),
        runs=with_run(frame.runs, sentence, len(before)),
    )
    return dashboard.text(replace(now, cases=tuple(cases.values())), frame)


def as_case(test: PublishedTest) -> MergedCase:
    """As much of a case as its place in the dashboard tells.

    That a failure counts as unsupported is worked out anew, since it depends on all other cases.
    """
    outcome = {Mark.TIMED_OUT: Outcome.TIMED_OUT, Mark.AUTOMATIC: Outcome.FAILED}.get(test.mark, _OUTCOMES[test.sign])
    mean, deviation = test.rate or (None, None)
    return MergedCase(
        expectation=_noted(test),
        case=test.case,
        result=Result(
            outcome=outcome,
            # How many of how many is not published.
            flaky=Flaky(passed=1, of=2) if test.mark is Mark.FLAKY else None,
            metrics={} if mean is None or deviation is None else {RATE: mean, f"{RATE}Deviation": deviation},
        ),
    )


def _noted(test: PublishedTest) -> Expectation | None:
    """As much of what is known of it as the note tells: which entry it is, and that it was met."""
    if not test.note:
        return None
    expect = Expected.FLAKY if test.mark is Mark.FLAKY else Expected.FAIL
    return Expectation(id=test.note.removeprefix("[^").removesuffix("]"), select=(), expect=expect)


def cells(section: str, suite: SuiteWords) -> dict[Case, str]:
    """Colour of each test case in what stands between the suite's markers."""
    return {test.case: test.colour for test in published_tests(section, suite)}


def _publication(suite: SuiteWords) -> Publication:
    return Publication(
        render=dashboard.render,
        alone=partial(dashboard.render, findings=None),
        with_part=lambda text, now, sentence, _: with_part(text, now, sentence, suite),
        cells=lambda markdown: cells(section_of(markdown, suite.marker), suite),
    )


QUIC: Final = _publication(QUIC_WORDS)
WEBTRANSPORT: Final = _publication(WEBTRANSPORT_WORDS)
