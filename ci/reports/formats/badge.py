"""The JSON of a shields.io endpoint badge: https://shields.io/badges/endpoint-badge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.results.aggregate import CaseVerdict
from ci.util.json_document import canonical

if TYPE_CHECKING:
    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged

__all__ = ["BADGE"]


class _Badge:
    file_name = "badge.json"
    has_page = False

    def render(self, merged: Merged, _: ReportOptions) -> bytes:
        message, color = _words(merged)
        badge = {"schemaVersion": 1, "label": f"{merged.suite} interop", "message": message, "color": color}
        return canonical(badge) + b"\n"


def _words(merged: Merged) -> tuple[str, str]:
    """Never green where something is missing."""
    verdicts = [case.verdict for case in merged.cases]
    ran = sum(case.result.outcome.conclusive for case in merged.cases)
    message = f"{merged.counts.of(Outcome.PASSED)} of {ran} pass"
    if unexpected := verdicts.count(CaseVerdict.UNEXPECTED):
        return f"{message}, {unexpected} unexpected", "red"
    if not merged.shards_complete or {CaseVerdict.INCOMPLETE, CaseVerdict.ERROR} & set(verdicts) or not ran:
        return f"{message}, incomplete", "lightgrey"
    return message, "yellow" if {CaseVerdict.FLAKY, CaseVerdict.STALE} & set(verdicts) else "brightgreen"


BADGE: Final = _Badge()
