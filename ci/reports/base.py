"""A format that merged results are exported in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ci.reports.reasons import PAGE

if TYPE_CHECKING:
    from pathlib import Path

    from ci.results.history import HistoryRun
    from ci.results.merged import Merged

__all__ = ["Report", "ReportOptions"]


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """What a format may need besides the results.

    :param urls: of the projects, by version; what is not there is not known
    :param log_dir: where readers find the logs, relative to what is exported
    :param never_automatic: versions whose failures are never turned into `unsupported`, separated by commas; None
        leaves it to the format
    :param folder: of the run, with its evidence; None where only merged results are at hand
    :param baseline: an earlier run to show the difference to
    :param history: earlier runs, the oldest first
    :param reasons: where a reader learns what reason codes mean: an address, or a file of this repository
    :param links: where a reader finds a file of evidence, by the run and path of its record
    """

    urls: Mapping[str, str]
    log_dir: str
    never_automatic: str | None = None
    folder: Path | None = None
    baseline: Merged | None = None
    history: tuple[HistoryRun, ...] = ()
    reasons: str = PAGE
    links: Mapping[tuple[str, str], str] = field(default_factory=dict)


class Report(Protocol):
    """A pure function of merged results: equal results give equal bytes."""

    file_name: str
    # The format has a web page that reads it, and the logs beside it, from folders laid out for that.
    has_page: bool

    def render(self, merged: Merged, options: ReportOptions, /) -> str | bytes:
        """:raises ConfigurationError: the format has no form for these results"""
