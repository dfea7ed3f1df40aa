"""JSON Lines: a line for each case, as `merged.json` has it, for jq, DuckDB and whatever reads a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.results.merged_file import case_line

if TYPE_CHECKING:
    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged

__all__ = ["JSON_LINES"]


class _JsonLines:
    file_name = "cases.jsonl"
    has_page = False

    def render(self, merged: Merged, _: ReportOptions) -> bytes:
        return b"".join(case_line(case) + b"\n" for case in merged.cases)


JSON_LINES: Final = _JsonLines()
