"""A format in one file: how many cases of how many passed."""

from __future__ import annotations

from ci.model import Outcome
from ci.reports.base import ReportOptions
from ci.results.merged import Merged


class ToyReport:
    file_name = "toy.txt"
    has_page = False

    def render(self, merged: Merged, options: ReportOptions) -> str:
        return f"{merged.suite}: {merged.counts.of(Outcome.PASSED)} of {merged.counts.planned}\n"


TOY = ToyReport()
