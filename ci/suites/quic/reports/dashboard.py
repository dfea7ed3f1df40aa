"""The README's dashboards of the suites quic and webtransport: merged results → Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci.model import Outcome, ReasonCode
from ci.reports.footnotes import definitions, needed, read_definitions, reference
from ci.reports.markdown import cell, template
from ci.reports.missing import absent_head, incomplete, notes, read_absent
from ci.reports.runs import paragraph, read_runs, run_sentence
from ci.suites.quic.reports.matrix import Entry, Mark, Matrix, Sign, interop_matrix
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.merged import Merged

__all__ = ["Frame", "frame_of", "read_frame", "render", "text"]

_WHY_ABSENT: Final = {
    ReasonCode.IMAGE_UNAVAILABLE: "their images cannot be had",
    ReasonCode.PLANNED_OUT: "their images cannot be had",
    ReasonCode.BUILD_FAILED: "they did not build",
    ReasonCode.NOT_COMPLIANT: "they do not answer 127 to a test case that does not exist",
}
_MARKS: Final = {
    Mark.FLAKY: "flaky: passed, but not every time",
    Mark.TIMED_OUT: "not finished in time",
    Mark.AUTOMATIC: "failed with every counterpart, which counts as unsupported",
}


_RED: Final = (Outcome.FAILED, Outcome.TIMED_OUT)
_NOTES: Final = re.compile(r"Without a result: (?P<notes>.*)\.")
# As earlier releases wrote the absent versions: in one line.
_ABSENT: Final = re.compile(r"Not run, and in no table: (?P<lines>.*)\.")
# Between absent versions and their reason.
WHY: Final = " ("
_INCOMPLETE: Final = "Incomplete: "
_PART: Final = "What is in no cell was not selected."
# What explains the red cells of the published dashboards.
FINDINGS: Final = "docs/findings.md"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a dashboard says beside its tables, made of a run or read back from where it is published.

    :param runs: which runs the cells come from, oldest first
    :param incomplete: shards that are not whole
    :param notes: what has no result, counted by reason
    :param absent: per reason, the versions that are in no table
    :param footnotes: what the notes behind cells point to, a line each
    :param part: what is in no cell may not have been selected
    """

    runs: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    notes: str = ""
    absent: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()
    part: bool = False


def render(merged: Merged, *, run_url: str | None = None, findings: str | None = FINDINGS) -> str:
    """What goes between the markers: what run it is, tests, measurements, what was not run, and a legend.

    :param run_url: of the CI run, linked from the first line
    :param findings: where a reader learns what is behind a red cell, relative to the file
    :raises ConfigurationError: `run-url` if the URL cannot be linked; the results are of another suite, or hold a test
        case nobody knows
    """
    return text(merged, frame_of(merged, run_url=run_url), findings=findings)


def text(merged: Merged, frame: Frame, *, findings: str | None = FINDINGS) -> str:
    """The tables of these cases in a frame that need not be of the same run."""
    matrix = interop_matrix(merged)
    measurement = next((test for test in matrix.tests if test.is_measurement), None)
    return template("interop.md.jinja").render(
        runs=paragraph(frame.runs, _total(merged)),
        incomplete=frame.incomplete,
        matrix=matrix,
        header=[cell(server) for server in matrix.servers],
        tests=list(_rows(matrix, measurements=False)),
        measurements=list(_rows(matrix, measurements=True)),
        repetitions=measurement.repetitions if measurement else 0,
        notes=frame.notes,
        absent=frame.absent,
        absent_head=absent_head(frame.absent, WHY),
        part=frame.part,
        footnotes=needed(frame.footnotes, map(reference, merged.cases)),
        findings=findings,
        marks=[f"{mark} {_MARKS[mark]}" for mark in Mark if mark in matrix.marks and mark in _MARKS],
    )


def frame_of(merged: Merged, *, run_url: str | None = None) -> Frame:
    """:raises ConfigurationError: see `render`"""
    absent = interop_matrix(merged).absent
    shown = [case for case in merged.cases if not {case.first, case.second} & set(absent)]
    return Frame(
        runs=(run_sentence(merged, run_url),),
        incomplete=tuple(incomplete(merged)),
        notes="; ".join(notes(shown)),
        absent=tuple(_absent(merged, absent)),
        footnotes=definitions(merged),
        part=bool(merged.unselected),
    )


def read_frame(section: str) -> Frame:
    """The frame of a published dashboard; what is something else is passed over."""
    lines = section.splitlines()
    said = next(filter(None, map(_NOTES.fullmatch, lines)), None)
    absent = next(filter(None, map(_ABSENT.fullmatch, lines)), None)
    return Frame(
        runs=read_runs(lines),
        incomplete=tuple(line for line in lines if line.startswith(_INCOMPLETE)),
        notes="" if said is None else said["notes"],
        absent=tuple(read_absent(lines) if absent is None else absent["lines"].split("; ")),
        footnotes=read_definitions(lines),
        part=_PART in lines,
    )


def _total(merged: Merged) -> str:
    """Of cases that may have been read back: which of those that count as unsupported timed out is not published."""
    outcomes = Counter("failed or timed out" if it.result.outcome in _RED else it.result.outcome for it in merged.cases)
    order = (Outcome.PASSED, "failed or timed out", Outcome.UNSUPPORTED, Outcome.NOT_RUN, Outcome.ERROR)
    came_to = ", ".join(f"{outcomes[one]} {one.replace('-', ' ')}" for one in order if outcomes[one])
    return f"{counted(len(merged.cases), 'case')}, {came_to}"


# --- tables -----------------------------------------------------------------------------------------------


def _rows(matrix: Matrix, *, measurements: bool) -> Iterator[list[str]]:
    for client in matrix.clients:
        cells = [matrix.cell(client, server) for server in matrix.servers]
        if measurements:
            yield [cell(client), *("<br>".join(map(_measured, it.measurements)) for it in cells)]
        else:
            yield [cell(client), *("<br>".join(_line(*line) for line in it.lines) for it in cells)]


def _line(sign: Sign, entries: Iterable[Entry]) -> str:
    return f"{sign}({','.join(f'{entry.abbreviation}{entry.mark}{entry.note}' for entry in entries)})"


def _measured(entry: Entry) -> str:
    return f"{entry.abbreviation}: {entry.rate or entry.sign}{entry.mark}{entry.note}"


# --- what is in no table ----------------------------------------------------------------------------------


def _absent(merged: Merged, absent: Sequence[str]) -> list[str]:
    """One line per kind of reason, with the versions it keeps out of the tables."""
    versions: dict[str, list[str]] = {}
    for version in absent:
        cases = [case for case in merged.cases if version in case.pair]
        # A case with a version that did take part tells this one's reason; another may be the other side's fault.
        own = [case for case in cases if not {case.first, case.second} & (set(absent) - {version})] or cases
        codes = Counter(case.result.reason.code for case in own if case.result.reason is not None)
        most = max(codes, key=lambda it: (codes[it], it.value), default=None)
        text = "no reason is known" if most is None else f"{most}: {_WHY_ABSENT.get(most, 'see the results')}"
        versions.setdefault(text, []).append(cell(version))
    return [f"{', '.join(names)} ({text})" for text, names in sorted(versions.items())]
