"""What is known of red cells before a run: those the published dashboard shows, and the findings that explain them.

Until expectations are written down elsewhere, a cell is as expected when it was published like that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.model import Outcome
from ci.results.aggregate import CaseVerdict
from ci.suites.dashboards import published_cells

if TYPE_CHECKING:
    from ci.model import Case, SuiteWords
    from ci.results.merged import Merged, MergedCase

__all__ = ["Baseline", "read_baseline"]

_SECTION: Final = re.compile(r"## (?P<number>\d+)\. ")
_NAME: Final = re.compile(r"`(?P<name>[^`\n]+ x [^`\n]+ \([^`\n]*\))`")
FINDINGS: Final = Path("docs/findings.md")


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """What a run is held against.

    :param red: cells published as red, or as passing only at times
    :param findings: a case's name, in which `*` stands for anything, and the section that explains it
    """

    red: frozenset[Case] = frozenset()
    findings: tuple[tuple[str, int], ...] = ()

    def new(self, merged: Merged) -> list[MergedCase]:
        """The red cases that were not published as such."""
        return [case for case in _red(merged) if case.case not in self.red]

    def closing(self, merged: Merged) -> str:
        """One line: `22 passed; 2 red, both known (findings 1): nothing new`."""
        red, new = _red(merged), self.new(merged)
        parts = [f"{merged.counts.of(Outcome.PASSED)} passed"]
        parts += [f"{merged.counts.flaky} of them flaky"] if merged.counts.flaky else []
        for outcome in (Outcome.UNSUPPORTED, Outcome.ERROR, Outcome.NOT_RUN):
            count = merged.counts.of(outcome)
            count -= sum(case.result.outcome is outcome for case in red)  # counted as red
            parts += [f"{count} {outcome.replace('-', ' ')}"] if count else []
        return f"{', '.join(parts)}; {self._of_red(red, new)}"

    def _of_red(self, red: list[MergedCase], new: list[MergedCase]) -> str:
        if not red:
            return "none red"
        known = [case for case in red if case not in new]
        sections = self.sections(known)
        where = f" ({sections})" if sections else ""
        if not new:
            every = {1: "", 2: "both "}.get(len(red), "all ")
            return f"{len(red)} red, {every}known{where}: nothing new"
        if not known:
            return f"{len(red)} red, {'' if len(red) == 1 else 'both ' if len(red) == 2 else 'all '}new"
        return f"{len(red)} red: {len(known)} known{where}, {len(new)} new"

    def sections(self, cases: Iterable[MergedCase]) -> str:
        """`findings 1, 4`: what explains these; empty where nothing does."""
        numbers = {number for case in cases for name, number in self.findings if fnmatchcase(case.name, name)}
        return f"findings {', '.join(map(str, sorted(numbers)))}" if numbers else ""


def read_baseline(readme: Path, suite: SuiteWords) -> Baseline:
    """What the README says of the suite, and the findings beside it; nothing of a file that has no dashboard."""
    try:
        cells = published_cells(readme.read_text(encoding="utf-8", errors="replace"), suite)
    except (OSError, ConfigurationError):
        return Baseline()
    return Baseline(
        red=frozenset(case for case, colour in cells.items() if colour in ("red", "yellow")),
        findings=tuple(_findings(readme.parent / FINDINGS)),
    )


def _findings(path: Path) -> Iterable[tuple[str, int]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    number: int | None = None
    for line in lines:
        if line.startswith("## "):
            section = _SECTION.match(line)
            number = int(section["number"]) if section is not None else None
        elif number is not None:
            for found in _NAME.finditer(line):
                yield found["name"], number


def _red(merged: Merged) -> list[MergedCase]:
    return [case for case in merged.cases if case.verdict is CaseVerdict.UNEXPECTED]
