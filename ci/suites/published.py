"""Read a published dashboard back: what it says of each cell.

The dashboard in a README is a promise to its readers. Reading it back lets a run be held against it without
keeping any other file. The transport suite's is in the established format, which other repositories have too
(contract, section 3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci.suites.publications import PUBLICATIONS

if TYPE_CHECKING:
    from ci.model import Case, SuiteName

__all__ = ["green_cases", "published_cells"]


def green_cases(markdown: str, suite: SuiteName = "transport") -> frozenset[Case]:
    """The cases that the suite's dashboard in `markdown` shows as green.

    :raises ConfigurationError: as `published_cells`
    """
    return frozenset(case for case, colour in published_cells(markdown, suite).items() if colour == "green")


def published_cells(markdown: str, suite: SuiteName = "transport") -> dict[Case, str]:
    """Colour of each cell, see `ci.suites.publications.Publication`. What is no dashboard is passed over.

    Of the suites over a simulated network, what stands between the suite's markers is read; there `grey` is what an
    endpoint does not do, and what counts as that although it failed is still `red`.

    :raises ConfigurationError: there is no one proper pair of markers, see `ci.reports.markers.section`
    """
    return PUBLICATIONS[suite].cells(markdown)
