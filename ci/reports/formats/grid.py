"""A whole matrix in one small Markdown table: of each pair how many of its cells passed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.reports.families import families_of
from ci.reports.markdown import cell
from ci.reports.missing import shown_and_absent
from ci.reports.order import by_code_unit
from ci.results.aggregate import CaseVerdict

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase

__all__ = ["grid"]

# Of more versions, one row and one column for each family: nobody reads a wider table.
MOST_VERSIONS: Final = 20


def grid(merged: Merged) -> Iterator[str]:
    """Nothing where nothing has a result."""
    shown, _ = shown_and_absent(merged)
    cases = [it for it in merged.cases if it.first in shown and it.second in shown]
    if not cases:
        return
    families = families_of(cases) if len(shown) > MOST_VERSIONS else {}
    pairs: dict[tuple[str, str], list[MergedCase]] = {}
    for case in cases:
        first, second = (families.get(version, version) for version in case.pair)
        pairs.setdefault((first, second), []).append(case)
    rows, columns = (sorted({pair[side] for pair in pairs}, key=by_code_unit) for side in (0, 1))
    begins, answers = merged.suite.roles
    yield f"| {begins} \\ {answers} | {' | '.join(map(cell, columns))} |"
    yield f"| --- |{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {cell(row)} | {' | '.join(_cell(pairs.get((row, column), [])) for column in columns)} |"


def _cell(cases: list[MergedCase]) -> str:
    ran = [case for case in cases if case.result.outcome.conclusive]
    if not ran:
        return "·" if cases else ""
    verdicts = {case.verdict for case in ran}
    red, yellow = CaseVerdict.UNEXPECTED, {CaseVerdict.FLAKY, CaseVerdict.EXPECTED, CaseVerdict.STALE}
    sign = "❌" if red in verdicts else "⚠️" if yellow & verdicts else "✅"
    return f"{sign} {sum(case.result.outcome is Outcome.PASSED for case in ran)}/{len(ran)}"
