"""The summary of a step on GitHub and a comment on a pull request: the difference first, then the rest by kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci.reports.comparison import as_markdown
from ci.reports.expectations import closing, expected_lines, stale_lines
from ci.reports.formats.grid import grid
from ci.reports.markdown import code, cut, is_linkable
from ci.results.aggregate import CaseVerdict
from ci.results.comparison import compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged, MergedCase

__all__ = ["COMMENT", "STEP_SUMMARY"]

# GitHub refuses a summary of more than 1 MiB as a whole, and people read no more than this.
MOST_BYTES: Final = 900_000
# A comment may have 65,536 characters.
MOST_BYTES_OF_COMMENT: Final = 60_000
# So that there is room for the matrix in small behind it.
MOST_BYTES_OF_DIFFERENCE: Final = 30_000
LONGEST_LINE: Final = 400
_TITLES: Final = (
    (CaseVerdict.UNEXPECTED, "Unexpectedly red"),
    (CaseVerdict.ERROR, "Errors of the harness or the host"),
    (CaseVerdict.INCOMPLETE, "Without a result"),
    (CaseVerdict.FLAKY, "Flaky"),
)


@dataclass(frozen=True, kw_only=True)
class _Markdown:
    """:param marked: begins with a comment that nobody sees, by which a program finds it to bring it up to date"""

    file_name: str
    most_bytes: int
    marked: bool = False
    has_page: bool = False

    def render(self, merged: Merged, options: ReportOptions) -> str:
        lines = [f"<!-- interop-matrix: {merged.suite} -->"] if self.marked else []
        lines += _lines(merged, options)
        return cut(lines, self.most_bytes)


def _lines(merged: Merged, options: ReportOptions) -> Iterator[str]:
    yield f"### {merged.suite} interoperability"
    yield ""
    yield code(closing(merged), LONGEST_LINE)
    if any(case.result.reason is not None for case in merged.cases):
        explained = f"[docs/reasons.md]({options.reasons})" if is_linkable(options.reasons) else options.reasons
        yield from ("", f"What each reason means, and what to do: {explained}")
    if options.baseline is not None:
        yield from (
            "",
            *as_markdown(compare(options.baseline, merged), most_bytes=MOST_BYTES_OF_DIFFERENCE).splitlines(),
        )
    if table := list(grid(merged)):
        yield from ("", *table)
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


STEP_SUMMARY: Final = _Markdown(file_name="summary.md", most_bytes=MOST_BYTES)
COMMENT: Final = _Markdown(file_name="comment.md", most_bytes=MOST_BYTES_OF_COMMENT, marked=True)
