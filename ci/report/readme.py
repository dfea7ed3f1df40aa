"""The dashboard of a run, whichever suite it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci.report import dashboard, interop_dashboard

if TYPE_CHECKING:
    from ci.merged import Merged

__all__ = ["render"]


def render(merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the markers of the run's suite.

    :param run_url: of the CI run, for readers who want to see it
    :raises ConfigurationError: see `ci.report.dashboard.render`, `ci.report.interop_dashboard.render`
    """
    if merged.suite == "transport":
        return dashboard.render(merged, run_url=run_url)
    return interop_dashboard.render(merged, run_url=run_url)
