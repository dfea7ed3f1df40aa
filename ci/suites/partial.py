"""Cells of a run in the place of those that a dashboard has of earlier runs; the others stay as they are.

Only results are put in place: a case that was not run, or broke with the host, says nothing, and what stood there
before stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.model import Outcome
from ci.reports.missing import fewer, without
from ci.reports.runs import share_sentence
from ci.results.aggregate import Flaky, Result
from ci.results.merged import Merged, MergedCase
from ci.suites.published import PublishedTest, published_tests
from ci.suites.quic.judge import RATE
from ci.suites.quic.reports import dashboard as interop_dashboard
from ci.suites.quic.reports.matrix import Mark, Sign
from ci.suites.transport.board import WHY, read_board
from ci.suites.transport.dashboard import board_of
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.suites.transport.board import Board

__all__ = ["render_partial"]

_OUTCOMES: Final = {
    Sign.PASSED: Outcome.PASSED,
    Sign.UNSUPPORTED: Outcome.UNSUPPORTED,
    Sign.FAILED: Outcome.FAILED,
    Sign.ERROR: Outcome.ERROR,
    Sign.NOT_RUN: Outcome.NOT_RUN,
}


def render_partial(section: str, merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the markers of the run's suite instead of `section`.

    Which runs the cells come from is said in it. Doing it twice changes nothing more.

    :raises ConfigurationError: `nothing-measured` if no case of the run has a result; as rendering a whole run
    """
    taken = tuple(case for case in merged.cases if case.result.outcome.conclusive)
    if not taken:
        raise ConfigurationError(
            "nothing-measured",
            "no case of this run has a result that could be put into the dashboard",
            why="its images could not be had, or the harness or the host failed",
            hint="`merge-results` says why each was not run",
        )
    now = replace(merged, cases=taken)
    sentence = share_sentence(merged, taken, run_url)
    if merged.suite == "transport":
        return _board(section, now, sentence, run_url).text()
    return _tests(section, now, sentence)


def _with(runs: tuple[str, ...], sentence: str, before: int) -> tuple[str, ...]:
    """The runs that cells come from, this one among them; what came before is counted where nobody named it."""
    earlier = runs or ((f"Published before: {counted(before, 'case')}.",) if before else ())
    return (*(run for run in earlier if run != sentence), sentence)


# --- stacks -----------------------------------------------------------------------------------------------


def _board(section: str, now: Merged, sentence: str, run_url: str | None) -> Board:
    before, later = read_board(section), board_of(now, run_url=run_url)
    tables = {words: dict(cells) for words, cells in before.tables.items()}
    notes = dict(before.notes)
    for words, cells in later.tables.items():
        table = tables.setdefault(words, {})
        # What is white was not in the matrix, or one of those that the notes count.
        filled = sum(table.get(pair, "").startswith(":white_") for pair in cells)
        table |= cells
        if words in notes:
            notes[words] = fewer(notes[words], filled)
    shown = {version for table in tables.values() for pair in table for version in pair}
    absent = (without(line, shown, WHY) for line in before.absent)
    results = sum(before.colours[colour] for colour in ("green", "yellow", "red"))
    return replace(
        before,
        tables=tables,
        notes={words: note for words, note in notes.items() if note},
        absent=tuple(filter(None, absent)),
        runs=_with(before.runs, sentence, results),
    )


# --- over a simulated network -----------------------------------------------------------------------------


def _tests(section: str, now: Merged, sentence: str) -> str:
    before = {it.key: it for it in map(_as_case, published_tests(section, now.suite))}
    frame = interop_dashboard.read_frame(section)
    filled = sum(not before[it.key].result.outcome.conclusive for it in now.cases if it.key in before)
    cases = before | {it.key: it for it in now.cases}
    shown = {version for it in cases.values() for version in (it.dialer, it.listener)}
    absent = (without(line, shown, interop_dashboard.WHY) for line in frame.absent)
    frame = replace(
        frame,
        notes=fewer(frame.notes, filled),
        absent=tuple(filter(None, absent)),
        runs=_with(frame.runs, sentence, len(before)),
    )
    return interop_dashboard.text(replace(now, cases=tuple(cases.values())), frame)


def _as_case(test: PublishedTest) -> MergedCase:
    """As much of a case as its place in the dashboard tells.

    That a failure counts as unsupported is worked out anew, since it depends on all other cases.
    """
    outcome = {Mark.TIMED_OUT: Outcome.TIMED_OUT, Mark.AUTOMATIC: Outcome.FAILED}.get(test.mark, _OUTCOMES[test.sign])
    mean, deviation = test.rate or (None, None)
    return MergedCase(
        name=test.case.name,
        key=test.case.key,
        case=test.case,
        result=Result(
            outcome=outcome,
            # How many of how many is not published.
            flaky=Flaky(passed=1, of=2) if test.mark is Mark.FLAKY else None,
            metrics={} if mean is None or deviation is None else {RATE: mean, f"{RATE}Deviation": deviation},
        ),
    )
