"""Cells of a run in the place of those that a dashboard has of earlier runs; the others stay as they are.

Only results are put in place: a case that was not run, or broke with the host, says nothing, and what stood there
before stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ci.errors import ConfigurationError
from ci.reports.runs import share_sentence
from ci.suites.publications import PUBLICATIONS

if TYPE_CHECKING:
    from ci.results.merged import Merged

__all__ = ["render_partial"]


def render_partial(section: str, merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the markers of the run's suite instead of `section`.

    Which runs the cells come from is said in it. Doing it twice changes nothing more.

    :raises ConfigurationError: `nothing-measured` if no case of the run has a result; as rendering a whole run
    """
    taken = tuple(case for case in merged.cases if case.result.outcome.conclusive)
    if not taken:
        raise ConfigurationError(
            "nothing-measured",
            "no case of this run has a result that could be put into the dashboard",
            why="its images could not be had, or the harness or the host failed",
            hint="`merge-results` says why each was not run",
        )
    now = replace(merged, cases=taken)
    sentence = share_sentence(merged, taken, run_url)
    return PUBLICATIONS[merged.suite].with_part(section, now, sentence, run_url)
