"""What each suite publishes of a run between its markers, and reads back of what is published: a line per suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from ci.reports.markers import section
from ci.suites.quic.reports import dashboard as network_dashboard
from ci.suites.quic.reports import publication as network
from ci.suites.transport import publication as transport

if TYPE_CHECKING:
    from ci.model import Case, SuiteName
    from ci.results.merged import Merged
    from ci.suites.quic.testcases.base import SuiteName as NetworkSuite

__all__ = ["PUBLICATIONS", "Publication"]


class Render(Protocol):
    def __call__(self, merged: Merged, *, run_url: str | None = None) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Publication:
    """Of one suite.

    :param render: what stands between the markers after a run of the whole matrix; raises `ConfigurationError` for a
        `run_url` that cannot be linked
    :param alone: the same for a document that stands by itself, without links to other files
    :param with_part: what becomes of a section by the cases of a later run that have a result, given the sentence that
        names that run, and its address
    :param cells: what a published file says of each case: `green`, `yellow`, `red`, `white`, or `grey` for what an
        endpoint says itself it does not do
    """

    render: Render
    alone: Callable[[Merged], str]
    with_part: Callable[[str, Merged, str, str | None], str]
    cells: Callable[[str], dict[Case, str]]


def _over_a_network(suite: NetworkSuite) -> Publication:
    return Publication(
        render=network_dashboard.render,
        alone=partial(network_dashboard.render, findings=None),
        with_part=lambda text, now, sentence, _: network.with_part(text, now, sentence, suite),
        cells=lambda markdown: network.cells(section(markdown, suite), suite),
    )


PUBLICATIONS: Final[Mapping[SuiteName, Publication]] = {
    "transport": Publication(
        render=transport.render, alone=transport.render, with_part=transport.with_part, cells=transport.cells
    ),
    "quic": _over_a_network("quic"),
    "webtransport": _over_a_network("webtransport"),
}
