"""What a run came to against what was expected of it, in lines for a console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci.model import Outcome
from ci.results.aggregate import CaseVerdict
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase

__all__ = ["closing", "expected_lines", "stale_lines"]


def closing(merged: Merged) -> str:
    """One line: `22 passed; 2 red, both expected (py-dials-tls-ws): nothing unexpected`."""
    red = _red(merged)
    parts = [f"{merged.counts.of(Outcome.PASSED)} passed"]
    parts += [f"{merged.counts.flaky} of them flaky"] if merged.counts.flaky else []
    parts += [f"{merged.counts.stale} of them expected to be red"] if merged.counts.stale else []
    taken_over = sum(any(it.reused is not None for it in case.counted_briefs) for case in merged.cases)
    parts += [f"{taken_over} of them reused"] if taken_over else []
    for outcome in (Outcome.UNSUPPORTED, Outcome.ERROR, Outcome.NOT_RUN):
        count = merged.counts.of(outcome)
        count -= sum(case.result.outcome is outcome for case in red)  # counted as red
        parts += [f"{count} {outcome.replace('-', ' ')}"] if count else []
    return f"{', '.join(parts)}; {_of_red(red)}"


def _of_red(red: list[MergedCase]) -> str:
    expected = [case for case in red if case.verdict is CaseVerdict.EXPECTED]
    unexpected = len(red) - len(expected)
    ids = dict.fromkeys(case.expectation.id for case in expected if case.expectation is not None)
    which = f" ({', '.join(ids)})"
    every = {1: "", 2: "both "}.get(len(red), "all ")
    if not red:
        return "none red"
    if not unexpected:
        return f"{len(red)} red, {every}expected{which}: nothing unexpected"
    if not expected:
        return f"{len(red)} red, {every}unexpected"
    return f"{len(red)} red: {len(expected)} expected{which}, {unexpected} unexpected"


def _red(merged: Merged) -> list[MergedCase]:
    wanted = (CaseVerdict.UNEXPECTED, CaseVerdict.EXPECTED)
    return [it for it in merged.cases if it.verdict in wanted and it.result.outcome is not Outcome.PASSED]


def expected_lines(merged: Merged) -> list[str]:
    """A line for each expectation that was met, with how often."""
    met = [case.expectation for case in merged.cases if case.verdict is CaseVerdict.EXPECTED]
    lines = []
    for expectation in dict.fromkeys(met):
        if expectation is not None:
            why = f": {expectation.reason}" if expectation.reason else ""
            lines.append(f"{expectation.id}, {counted(met.count(expectation), 'case')}{why}")
    return lines


def stale_lines(merged: Merged) -> list[str]:
    """A line for each case that is not red although it should have been."""
    return [
        f"{case.name}: {case.expectation.id} says that it would {_would(case)} ({case.expectation.place})"
        for case in merged.cases
        if case.verdict is CaseVerdict.STALE and case.expectation is not None
    ]


def _would(case: MergedCase) -> str:
    assert case.expectation is not None  # noqa: S101 -- asked of stale cases alone
    return "fail" if case.expectation.expect == "fail" else "be unsupported"
