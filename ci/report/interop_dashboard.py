"""The README's dashboards of the suites quic and webtransport: merged results → Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ci.merged import ShardState
from ci.model import Outcome, ReasonCode
from ci.report.interop_matrix import Entry, Mark, Matrix, Sign, interop_matrix
from ci.report.lacking import notes
from ci.report.markdown import cell, code, linkable, template

if TYPE_CHECKING:
    from ci.merged import Merged

__all__ = ["render"]

_WHY_ABSENT: Final = {
    ReasonCode.PLANNED_OUT: "their images cannot be had",
    ReasonCode.BUILD_FAILED: "they did not build",
    ReasonCode.NOT_COMPLIANT: "they do not answer 127 to a test case that does not exist",
}
_MARKS: Final = {
    Mark.FLAKY: "flaky: passed, but not every time",
    Mark.TIMED_OUT: "not finished in time",
    Mark.AUTOMATIC: "failed with every counterpart, which counts as unsupported",
}


def render(merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the markers: what run it is, tests, measurements, what was not run, and a legend.

    :param run_url: of the CI run, linked from the first line
    :raises ConfigurationError: `run-url` if the URL cannot be linked; the results are of another suite, or hold a test
        case nobody knows
    """
    matrix = interop_matrix(merged)
    shown = [case for case in merged.cases if not {case.dialer, case.listener} & set(matrix.absent)]
    measurement = next((test for test in matrix.tests if test.is_measurement), None)
    return template("interop.md.jinja").render(
        head=_head(merged, run_url),
        matrix=matrix,
        header=[cell(server) for server in matrix.servers],
        tests=list(_rows(matrix, measurements=False)),
        measurements=list(_rows(matrix, measurements=True)),
        repetitions=measurement.repetitions if measurement else 0,
        notes=list(notes(shown)),
        absent=_absent(merged, matrix.absent),
        marks=[f"{mark} {_MARKS[mark]}" for mark in Mark if mark in matrix.marks and mark in _MARKS],
        missing=[shard.shard for shard in merged.shards if shard.state is ShardState.MISSING],
        truncated=[shard.shard for shard in merged.shards if shard.state is ShardState.TRUNCATED],
    )


# --- what run it is ---------------------------------------------------------------------------------------


def _head(merged: Merged, run_url: str | None) -> str:
    runs = list(dict.fromkeys(shard.run for shard in merged.shards if shard.run is not None))
    began = [attempt.started_at for case in merged.cases for attempt in case.attempts if attempt.started_at]
    name = f"Run{'s' if len(runs) > 1 else ''} {', '.join(map(code, runs))}" if runs else "A run"
    if run_url is not None:
        name = f"[{name}]({linkable(run_url)})"
    counts = merged.counts
    came_to = ", ".join(
        f"{counts.of(outcome)} {outcome.replace('-', ' ')}" for outcome in Outcome if counts.of(outcome)
    )
    return f"{name}{f' of {_day(min(began))}' if began else ''}: {counts.planned} cases, {came_to or 'none'}."


def _day(timestamp: str) -> str:
    """`21 November 2026`; whatever is no time as inert text."""
    try:
        moment = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    except ValueError:
        return code(timestamp)
    return f"{moment.day} {moment:%B %Y}"


# --- tables -----------------------------------------------------------------------------------------------


def _rows(matrix: Matrix, *, measurements: bool) -> Iterator[list[str]]:
    for client in matrix.clients:
        cells = [matrix.cell(client, server) for server in matrix.servers]
        if measurements:
            yield [cell(client), *("<br>".join(map(_measured, it.measurements)) for it in cells)]
        else:
            yield [cell(client), *("<br>".join(_line(*line) for line in it.lines) for it in cells)]


def _line(sign: Sign, entries: Iterable[Entry]) -> str:
    return f"{sign}({','.join(f'{entry.abbreviation}{entry.mark}' for entry in entries)})"


def _measured(entry: Entry) -> str:
    return f"{entry.abbreviation}: {entry.rate or entry.sign}{entry.mark}"


# --- what is in no table ----------------------------------------------------------------------------------


def _absent(merged: Merged, absent: Sequence[str]) -> list[str]:
    """One line per kind of reason, with the versions it keeps out of the tables."""
    versions: dict[str, list[str]] = {}
    for version in absent:
        cases = [case for case in merged.cases if version in (case.dialer, case.listener)]
        # A case with a version that did take part tells this one's reason; another may be the other side's fault.
        own = [case for case in cases if not {case.dialer, case.listener} & (set(absent) - {version})] or cases
        codes = Counter(case.result.reason.code for case in own if case.result.reason is not None)
        most = max(codes, key=lambda it: (codes[it], it.value), default=None)
        text = "no reason is known" if most is None else f"{most}: {_WHY_ABSENT.get(most, 'see the results')}"
        versions.setdefault(text, []).append(cell(version))
    return [f"{', '.join(names)} ({text})" for text, names in sorted(versions.items())]
