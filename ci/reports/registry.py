"""The formats that results are exported in, a line each. More may come, so none is the default."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from ci.reports.base import Report

__all__ = ["REPORTS", "load_report"]

# By the name that is asked for: `module:name` of the `Report`.
REPORTS: Final[dict[str, str]] = {
    "badge": "ci.reports.formats.badge:BADGE",
    "comment": "ci.reports.formats.summary:COMMENT",
    "csv": "ci.reports.formats.table:CSV",
    "html": "ci.reports.page.report:HTML",
    "json-lines": "ci.reports.formats.lines:JSON_LINES",
    "junit": "ci.reports.formats.junit:JUNIT",
    "prometheus": "ci.reports.formats.prometheus:PROMETHEUS",
    "step-summary": "ci.reports.formats.summary:STEP_SUMMARY",
    "quic-interop-runner": "ci.suites.quic.reports.export:QUIC_INTEROP_RUNNER",
}


def load_report(name: str) -> Report:
    """The format of this name in `REPORTS`."""
    module, _, attribute = REPORTS[name].partition(":")
    return cast("Report", getattr(importlib.import_module(module), attribute))
