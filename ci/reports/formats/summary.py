"""The summary of a step on GitHub, in Markdown: what is unexpected first, then the rest by kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ci.reports.expectations import closing, expected_lines, stale_lines
from ci.reports.markdown import code, cut
from ci.results.aggregate import CaseVerdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged, MergedCase

__all__ = ["STEP_SUMMARY"]

# GitHub refuses a summary of more than 1 MiB as a whole, and people read no more than this.
MOST_BYTES: Final = 900_000
_LINK: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+")
_TITLES: Final = (
    (CaseVerdict.UNEXPECTED, "Unexpectedly red"),
    (CaseVerdict.ERROR, "Errors of the harness or the host"),
    (CaseVerdict.INCOMPLETE, "Without a result"),
    (CaseVerdict.FLAKY, "Flaky"),
)


class _StepSummary:
    file_name = "summary.md"
    has_page = False

    def render(self, merged: Merged, options: ReportOptions) -> str:
        explained = f"[docs/reasons.md]({options.reasons})" if _LINK.fullmatch(options.reasons) else options.reasons
        lines = list(_lines(merged))
        if any(case.result.reason is not None for case in merged.cases):
            lines += ["", f"What each reason means, and what to do: {explained}"]
        return cut(lines, MOST_BYTES)


def _lines(merged: Merged) -> Iterator[str]:
    yield f"### {merged.suite} interoperability"
    yield ""
    yield code(closing(merged))
    for meaning, title in _TITLES:
        yield from _section(title, [_line(case) for case in merged.cases if case.verdict is meaning])
    yield from _section("Red as expected", [f"* {code(line)}" for line in expected_lines(merged)])
    todo = [*stale_lines(merged), *merged.neglected]
    yield from _section("To do about expectations", [f"* {code(line)}" for line in todo])


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"#### {title}: {len(lines)}", "", *lines)


def _line(case: MergedCase) -> str:
    reason = case.result.reason
    return f"* {code(case.name)}" + (f" {reason.code} {code(reason.text)}" if reason is not None else "")


STEP_SUMMARY: Final = _StepSummary()
