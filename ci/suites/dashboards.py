"""What is to stand between the markers of a run's suite, whichever suite it is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ci.errors import ConfigurationError
from ci.reports.markers import MARKERS
from ci.suites.partial import render_partial
from ci.suites.publications import PUBLICATIONS

if TYPE_CHECKING:
    from ci.reports.markers import Body
    from ci.results.merged import Merged

__all__ = ["body_of", "refuse_part", "render", "standalone"]


def render(merged: Merged, *, run_url: str | None = None) -> str:
    """The dashboard of this run alone.

    :param run_url: of the CI run, for readers who want to see it
    :raises ConfigurationError: see `ci.suites.publications.Publication`
    """
    return PUBLICATIONS[merged.suite].render(merged, run_url=run_url)


def standalone(merged: Merged) -> str:
    """A document of this run's dashboard and nothing else, to be read wherever the results lie.

    It stands between markers there too, so whatever reads a published dashboard reads it.
    """
    pair = MARKERS[merged.suite]
    text = PUBLICATIONS[merged.suite].alone(merged)
    return f"# Suite {merged.suite}\n\n{pair.start.decode()}\n{text.rstrip()}\n{pair.end.decode()}\n"


def body_of(merged: Merged, *, part: bool, run_url: str | None = None) -> Body:
    """What a published dashboard becomes by this run.

    :param part: put the run's results in the place of earlier ones, and leave all others
    :raises ConfigurationError: `part-of-the-matrix` for a run that is not whole, unless only a part is wanted; see
        `render` and `ci.suites.partial.render_partial`
    """
    if part:
        return partial(render_partial, merged=merged, run_url=run_url)
    refuse_part(len(merged.cases), merged.unselected)
    return render(merged, run_url=run_url)


def refuse_part(selected: int, unselected: int | None) -> None:
    """Of a plan that does not run the whole matrix no dashboard is made, since that would drop all other cells.

    :raises ConfigurationError: `part-of-the-matrix`
    """
    if unselected == 0:
        return
    whole = "an unknown number of" if unselected is None else f"{selected + unselected}"
    raise ConfigurationError(
        "part-of-the-matrix",
        f"this run has {selected} of {whole} cases; its dashboard in place of the published one would drop all others",
        why="it was run with --select, --ignore or --quick"
        if unselected is not None
        else "its merged results were written by an older version, which did not say what was left out",
        hint="`--partial` puts its results in the place of the published ones and leaves the others"
        + ("; or merge the shards again with this version" if unselected is None else ""),
    )
