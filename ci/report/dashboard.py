"""The README's dashboard: merged results → Markdown, one square table per stack.

The tables keep the bytes of the established format (header cell, separator lengths, sorting by code unit,
symbols), because other programs read them. There the order of tables depends on the run; here it is fixed:
standalone transports first, then transport, secure channel, muxer. What the format has no
place for stands below.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from typing_extensions import assert_never

from ci.merged import Merged, MergedCase, ShardState
from ci.model import Outcome, Stack
from ci.report.lacking import notes, shown_and_absent, why
from ci.report.markdown import cell, linkable, template
from ci.report.order import by_code_unit, stack_order

__all__ = ["render", "tables"]

# Both arrows carry U+FE0F, and two spaces follow the backslash.
CORNER: Final = "⬇️ dialer 📞 \\  ➡️ listener 🎧"


@dataclass(frozen=True, kw_only=True)
class _Table:
    words: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]

    @property
    def separator(self) -> tuple[str, ...]:
        return tuple("-" * _code_units(text) for text in self.header)


def render(merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the README's markers: the tables, then what was not run and a legend.

    A white circle is a cell that is not in the matrix or has no result. Errors are white too, since they say
    nothing about the two versions; a note below their table counts and explains them. Versions without a
    single result are in no table; a closing list names them with the reason.

    :param run_url: of the CI run; every symbol becomes a link to it
    :raises ConfigurationError: `run-url` if the URL cannot stand in a table
    """
    shown, absent = shown_and_absent(merged)
    return template("dashboard.md.jinja").render(
        tables=_tables(merged, shown, _symbols(run_url)),
        absent=_absent_list(merged, absent),
        missing=[shard.shard for shard in merged.shards if shard.state is ShardState.MISSING],
        truncated=[shard.shard for shard in merged.shards if shard.state is ShardState.TRUNCATED],
    )


def tables(merged: Merged, *, run_url: str | None = None) -> str:
    """Only the tables: byte for byte what the established renderer makes of the same cells, in our order."""
    shown, _ = shown_and_absent(merged)
    return template("tables.md.jinja").render(tables=_tables(merged, shown, _symbols(run_url)), notes=False)


# --- tables -----------------------------------------------------------------------------------------------


def _symbols(run_url: str | None) -> Mapping[str, str]:
    names = ("green", "yellow", "red", "white")
    if run_url is None:
        return {name: f":{name}_circle:" for name in names}
    return {name: f"[:{name}_circle:]({linkable(run_url)})" for name in names}


def _colour(case: MergedCase | None) -> str:
    if case is None:
        return "white"
    outcome = case.result.outcome
    if outcome is Outcome.PASSED:
        return "green" if case.result.flaky is None else "yellow"
    if outcome in (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNSUPPORTED):
        return "red"
    if outcome in (Outcome.NOT_RUN, Outcome.ERROR):
        return "white"
    assert_never(outcome)


def _tables(merged: Merged, shown: frozenset[str], symbols: Mapping[str, str]) -> list[_Table]:
    groups: dict[Stack, list[MergedCase]] = {}
    for case in merged.cases:
        if case.dialer in shown and case.listener in shown:
            groups.setdefault(case.stack, []).append(case)
    return [_table(stack, groups[stack], symbols) for stack in sorted(groups, key=stack_order)]


def _table(stack: Stack, cases: Sequence[MergedCase], symbols: Mapping[str, str]) -> _Table:
    cells = {(case.dialer, case.listener): case for case in cases}
    versions = sorted({version for pair in cells for version in pair}, key=by_code_unit)
    return _Table(
        words=tuple(cell(word) for word in stack.words),
        header=(CORNER, *map(cell, versions)),
        rows=tuple(
            (cell(dialer), *(symbols[_colour(cells.get((dialer, listener)))] for listener in versions))
            for dialer in versions
        ),
        notes=tuple(notes(cases)),
    )


# --- below the tables -------------------------------------------------------------------------------------


def _absent_list(merged: Merged, absent: Sequence[str]) -> list[str]:
    """One line per reason with the versions it keeps out of the tables."""
    versions: dict[str, list[str]] = {}
    for version in absent:
        cases = [case for case in merged.cases if version in (case.dialer, case.listener)]
        # A version against itself tells its own reason; other cells may be the other side's fault.
        own = [case for case in cases if case.dialer == case.listener] or cases
        reason, _ = max(Counter(map(why, own)).items(), key=lambda item: (item[1], item[0]))
        versions.setdefault(reason, []).append(
            f"{cell(version)} ({len(cases)} {'cell' if len(cases) == 1 else 'cells'})"
        )
    return [f"{', '.join(names)}{reason}" for reason, names in versions.items()]


# --- small things -----------------------------------------------------------------------------------------


def _code_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
