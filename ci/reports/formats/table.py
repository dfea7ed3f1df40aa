"""CSV: a line for each case, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from ci.reports.formats.text import in_spreadsheet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged, MergedCase

__all__ = ["CSV"]


class _Csv:
    file_name = "cases.csv"
    has_page = False

    def render(self, merged: Merged, _: ReportOptions) -> str:
        metrics = sorted({name for case in merged.cases for name in case.result.metrics})
        params = [param.key for param in merged.suite.params]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
        head = ("outcome", "verdict", "flaky", "reason", "side", "text", "expectation", "attempts", "seconds")
        writer.writerow(["case", "key", *merged.suite.roles, *params, *head, *metrics])
        for case in merged.cases:
            writer.writerow([in_spreadsheet(it) for it in (*_cells(case), *_numbers(case, metrics))])
        return text.getvalue()


def _cells(case: MergedCase) -> Iterator[str]:
    reason, flaky = case.result.reason, case.result.flaky
    yield from (case.name, case.key, *case.pair, *(word or "" for word in case.case.params))
    yield from (case.result.outcome.value, case.verdict.value)
    yield "" if flaky is None else f"{flaky.passed} of {flaky.of}"
    yield from ("", "", "") if reason is None else (reason.code.value, reason.side, reason.text)
    yield "" if case.expectation is None else case.expectation.id
    yield str(len(case.counted_briefs))


def _numbers(case: MergedCase, metrics: list[str]) -> Iterator[str]:
    yield f"{sum(it.durations.get('total', 0) for it in case.attempts) / 1000:.3f}"
    for name in metrics:
        value = case.result.metrics.get(name)
        yield "" if value is None else f"{value:g}"


CSV: Final = _Csv()
