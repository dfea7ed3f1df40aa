"""What is published of a run, whichever suite it is of, and what a published dashboard says when it is read back."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from ci.errors import ConfigurationError
from ci.reports.markers import Pair
from ci.reports.runs import share_sentence
from ci.suites.registry import suite_of

if TYPE_CHECKING:
    from ci.model import Case, SuiteWords
    from ci.reports.markers import Body
    from ci.reports.screen import Screen
    from ci.results.merged import Merged
    from ci.suites.base import Publication

__all__ = [
    "body_of",
    "green_cases",
    "matrix_table",
    "published_cells",
    "refuse_part",
    "render",
    "render_partial",
    "standalone",
]


def matrix_table(console: Screen, merged: Merged) -> None:
    """Print the run's matrix.

    :raises ConfigurationError: the results hold a test case nobody knows
    """
    suite_of(merged.suite).load_matrix_table()(console, merged)


# --- made of a run ----------------------------------------------------------------------------------------


def render(merged: Merged, *, run_url: str | None = None) -> str:
    """The dashboard of this run alone.

    :param run_url: of the CI run, for readers who want to see it
    :raises ConfigurationError: see `ci.suites.base.Publication`
    """
    return _publication(merged.suite).render(merged, run_url=run_url)


def standalone(merged: Merged) -> str:
    """A document of this run's dashboard and nothing else, to be read wherever the results lie.

    It stands between markers there too, so whatever reads a published dashboard reads it.
    """
    pair = Pair(merged.suite.marker)
    text = _publication(merged.suite).alone(merged)
    return f"# Suite {merged.suite}\n\n{pair.start.decode()}\n{text.rstrip()}\n{pair.end.decode()}\n"


def body_of(merged: Merged, *, part: bool, run_url: str | None = None) -> Body:
    """What a published dashboard becomes by this run.

    :param part: put the run's results in the place of earlier ones, and leave all others
    :raises ConfigurationError: `part-of-the-matrix` for a run that is not whole, unless only a part is wanted; see
        `render` and `render_partial`
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


def render_partial(section: str, merged: Merged, *, run_url: str | None = None) -> str:
    """What goes between the markers of the run's suite instead of `section`: its cells in the place of earlier ones.

    Only results are put in place: a case that was not run, or broke with the host, says nothing, and what stood there
    before stays. Which runs the cells come from is said in it. Doing it twice changes nothing more.

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
    return _publication(merged.suite).with_part(section, now, sentence, run_url)


# --- read back --------------------------------------------------------------------------------------------
# The dashboard in a README is a promise to its readers: a run can be held against it without any other file.


def green_cases(markdown: str, suite: SuiteWords) -> frozenset[Case]:
    """The cases that the suite's dashboard in `markdown` shows as green.

    :raises ConfigurationError: as `published_cells`
    """
    return frozenset(case for case, colour in published_cells(markdown, suite).items() if colour == "green")


def published_cells(markdown: str, suite: SuiteWords) -> dict[Case, str]:
    """Colour of each cell, see `ci.suites.base.Publication`. What is no dashboard is passed over.

    Of the suites over a simulated network, what stands between the suite's markers is read; there `grey` is what an
    endpoint does not do, and what counts as that although it failed is still `red`. The transport suite's is in the
    established format, which other repositories have without markers (contract, section 3).

    :raises ConfigurationError: there is no one proper pair of markers, see `ci.reports.markers.section`
    """
    return _publication(suite).cells(markdown)


def _publication(suite: SuiteWords) -> Publication:
    return suite_of(suite).load_publication()
