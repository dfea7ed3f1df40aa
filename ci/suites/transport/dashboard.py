"""The README's dashboard of the transport suite: merged results → Markdown, one square table per stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

from typing_extensions import assert_never

from ci.model import Outcome, Proof
from ci.reports.footnotes import definitions, reference
from ci.reports.markdown import cell, linkable
from ci.reports.missing import incomplete, notes, shown_and_absent, why
from ci.reports.runs import run_sentence
from ci.results.merged import Merged, MergedCase
from ci.results.record_lines import REASON_LIMIT
from ci.suites.transport.board import BELIEVED, FLAKY, WHITE, Board, tables_text
from ci.util.text import counted

__all__ = ["board_of", "render", "tables"]

_COLOURS: Final = ("green", "yellow", "red")


def render(merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the README's markers: the tables, what was not run, a legend, and what run it is.

    A white circle is a cell that is not in the matrix or has no result. Errors are white too, since they say
    nothing about the two versions; a note below their table counts and explains them. Versions without a
    single result are in no table; a closing list names them with the reason.

    :param run_url: of the CI run; every symbol of a result becomes a link to it
    :raises ConfigurationError: `run-url` if the URL cannot stand in a table
    """
    return board_of(merged, run_url=run_url).text()


def tables(merged: Merged, *, run_url: str | None = None) -> str:
    """Only the tables: byte for byte what the established renderer makes of the same cells, in our order."""
    return tables_text(board_of(merged, run_url=run_url, established=True))


def board_of(merged: Merged, *, run_url: str | None = None, established: bool = False) -> Board:
    """The run as a dashboard.

    :param established: in the established format, which knows nothing of proof and of expectations
    :raises ConfigurationError: see `render`
    """
    shown, absent = shown_and_absent(merged)
    symbols = {colour: _symbol(colour, run_url) for colour in _COLOURS} | {"white": WHITE}
    written = cache(cell)  # thousands of cases are of a few versions
    groups: dict[tuple[str, ...], list[MergedCase]] = {}
    for case in merged.cases:
        if case.first in shown and case.second in shown:
            groups.setdefault(tuple(map(written, case.words)), []).append(case)
    return Board(
        tables={
            words: {(written(case.first), written(case.second)): _cell(case, symbols, established) for case in cases}
            for words, cases in groups.items()
        },
        notes={words: note for words, cases in groups.items() if (note := "; ".join(notes(cases)))},
        incomplete=tuple(incomplete(merged)),
        absent=tuple(_absent_list(merged, absent)),
        runs=(run_sentence(merged, run_url),),
        footnotes=definitions(merged),
        part=bool(merged.unselected),
    )


# --- tables -----------------------------------------------------------------------------------------------


def _symbol(colour: str, run_url: str | None) -> str:
    symbol = f":{colour}_circle:"
    return symbol if run_url is None else f"[{symbol}]({linkable(run_url)})"


def _cell(case: MergedCase, symbols: Mapping[str, str], established: bool) -> str:
    colour = _colour(case)
    if established:
        return symbols[colour]
    note = reference(case)
    if note and colour == "red":
        return f"{symbols['yellow']}{note}"
    believed = BELIEVED if case.result.proof is Proof.BELIEVED else ""
    return f"{symbols[colour]}{FLAKY if note else ''}{believed}{note}"


def _colour(case: MergedCase) -> str:
    outcome = case.result.outcome
    if outcome is Outcome.PASSED:
        return "green" if case.result.flaky is None else "yellow"
    if outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNSUPPORTED):
        return "red"
    if outcome in (Outcome.NOT_RUN, Outcome.ERROR):
        return "white"
    assert_never(outcome)


# --- below the tables -------------------------------------------------------------------------------------


def _absent_list(merged: Merged, absent: Sequence[str]) -> list[str]:
    """One line per reason with the versions it keeps out of the tables."""
    versions: dict[str, list[str]] = {}
    for version in absent:
        cases = [case for case in merged.cases if version in case.pair]
        # A version against itself tells its own reason; other cells may be the other side's fault.
        own = [case for case in cases if case.first == case.second] or cases
        reason, _ = max(Counter(why(case, REASON_LIMIT) for case in own).items(), key=lambda item: (item[1], item[0]))
        versions.setdefault(reason, []).append(f"{cell(version)} ({counted(len(cases), 'cell')})")
    return [f"{', '.join(names)}{reason}" for reason, names in versions.items()]
