"""JSON Lines: a line for each case, as `merged.json` has it, for jq, DuckDB and whatever reads a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.results.merged import case_document
from ci.util.json_document import canonical

if TYPE_CHECKING:
    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged

__all__ = ["JSON_LINES"]


class _JsonLines:
    file_name = "cases.jsonl"
    has_page = False

    def render(self, merged: Merged, _: ReportOptions) -> bytes:
        return b"".join(canonical(case_document(case)) + b"\n" for case in merged.cases)


JSON_LINES: Final = _JsonLines()
