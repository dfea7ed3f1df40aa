"""What `doctor` found: a table on a terminal, plain lines elsewhere, data for programs.

Signs as well as colours, so that either is enough. A wide terminal has the impact of what is missing, and what to do
about it, beside the finding; a narrow one below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ci.commands.doctor_checks.finding import Diagnosis, Finding, Section, State
from ci.reports.screen import Screen

__all__ = ["as_data", "show"]

# Columns from which there is room for two columns of text.
WIDE: Final = 110
_SIGNS: Final = {State.OK: "✔", State.WARN: "!", State.MISSING: "✘"}
_STYLES: Final = {State.OK: "green", State.WARN: "yellow", State.MISSING: "red"}


def as_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """For `--json`; see docs/commands.md."""
    return {
        "schema": 1,
        "ready": diagnosis.ready,
        "engine": diagnosis.engine,
        "why": diagnosis.why,
        "summary": list(diagnosis.summary),
        "sections": [
            {"title": section.title, "findings": [asdict(finding) for finding in section.findings]}
            for section in diagnosis.sections
        ],
    }


def show(console: Screen, diagnosis: Diagnosis) -> None:
    """Every finding, then what it comes to."""
    names = max(len(finding.name) for section in diagnosis.sections for finding in section.findings)
    for section in diagnosis.sections:
        if console.terminal:
            _table(console, section, names)
        else:
            _lines(console, section, names)
    for text, style in _verdict(diagnosis):
        if console.terminal:
            console.show(Padding(console.styled(text, style), (0, 1)))
        else:
            console.info(text)


def _verdict(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    if diagnosis.ready:
        yield f"The main job can run: engine {diagnosis.engine}, because {diagnosis.why}.", "bold green"
    elif diagnosis.engine is not None:
        yield f"The main job cannot run; engine {diagnosis.engine} would do, because {diagnosis.why}.", "bold red"
    else:
        yield f"The main job cannot run: {diagnosis.why}.", "bold red"
    for sentence in diagnosis.summary:
        yield sentence, ""


# --- a terminal -------------------------------------------------------------------------------------------


def _table(console: Screen, section: Section, names: int) -> None:
    wide = console.rich.width >= WIDE and any(it.impact or it.advice for it in section.findings)
    console.show(Padding(console.styled(section.title, "bold"), (0, 1)))
    table = Table(box=None, show_header=False, padding=(0, 1), expand=wide)
    table.add_column(width=1)
    table.add_column(width=names, no_wrap=True)
    table.add_column(ratio=1 if wide else None, overflow="fold")
    if wide:
        table.add_column(ratio=1, overflow="fold")
    for finding in section.findings:
        sign = console.styled(console.symbol(_SIGNS[finding.state], _plain(finding)), _STYLES[finding.state])
        value = console.styled(finding.value)
        more = [*_consequences(console, finding)]
        if wide:
            table.add_row(sign, finding.name, value, Text("\n").join(more))
        else:
            table.add_row(sign, finding.name, Text("\n").join([value, *more]))
    console.show(table)
    console.info("")


def _plain(finding: Finding) -> str:
    return {State.OK: " ", State.WARN: "!", State.MISSING: "X"}[finding.state]


def _consequences(console: Screen, finding: Finding) -> Iterator[Text]:
    if finding.impact:
        yield console.styled(f"impact: {finding.impact}", _STYLES[finding.state])
    if finding.advice:
        yield console.styled(f"do this: {finding.advice}", "dim")


# --- a log ------------------------------------------------------------------------------------------------


def _lines(console: Screen, section: Section, names: int) -> None:
    console.info(section.title)
    for finding in section.findings:
        parts = [finding.value]
        parts += [f"impact: {finding.impact}"] if finding.impact else []
        parts += [f"do this: {finding.advice}"] if finding.advice else []
        console.info(f"  {finding.state:7}  {finding.name:{names}}  {'; '.join(parts)}")
    console.info("")
