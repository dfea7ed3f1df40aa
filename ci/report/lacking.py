"""What has no result, and why: versions without a single one, and cells beside others that have one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from ci.merged import Merged, MergedCase
from ci.report.markdown import code
from ci.report.order import by_code_unit

__all__ = ["notes", "shown_and_absent", "why"]

_MOST_REASONS: Final = 8


def shown_and_absent(merged: Merged) -> tuple[frozenset[str], list[str]]:
    """Versions with a result, and those without a single one."""
    everyone = {version for case in merged.cases for version in (case.dialer, case.listener)}
    shown = {
        version for case in merged.cases if case.result.outcome.conclusive for version in (case.dialer, case.listener)
    }
    return frozenset(shown), sorted(everyone - shown, key=by_code_unit)


def notes(cases: Iterable[MergedCase]) -> Iterator[str]:
    """Cells that were planned and have no result, counted by reason, as Markdown."""
    reasons = Counter(
        f"{case.result.outcome.replace('-', ' ')}{why(case)}" for case in cases if not case.result.outcome.conclusive
    )
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ordered[:_MOST_REASONS]:
        yield f"{count} × {reason}"
    rest = ordered[_MOST_REASONS:]
    if rest:
        yield f"{sum(count for _, count in rest)} for {len(rest)} other reasons"


def why(case: MergedCase) -> str:
    """The reason of a result as the end of a line of Markdown."""
    reason = case.result.reason
    return "" if reason is None else f" – {reason.code}: {code(reason.text)}"
