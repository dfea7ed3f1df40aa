"""The suites quic and webtransport, as the registry has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.suites.base import Suite
from ci.suites.quic.auxiliary_images import NETWORK_IMAGES
from ci.suites.quic.cases import cases, shown_by, why_excluded
from ci.suites.quic.words import QUIC, WEBTRANSPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ci.model import Case, SuiteWords, Version

__all__ = ["QUIC_SUITE", "WEBTRANSPORT_SUITE"]


def _suite(words: SuiteWords) -> Suite:
    def of(versions: Sequence[Version]) -> tuple[Case, ...]:
        return cases(words, versions)

    return Suite(
        words=words,
        cases=of,
        definition=lambda version: {"part": version.part},
        shown_by=shown_by,
        why_excluded=why_excluded,
        auxiliary_images=NETWORK_IMAGES,
        simulated_network=True,
        opener="ci.suites.quic.running:open_run",
        publication=f"ci.suites.quic.reports.publication:{words.marker}",
        matrix_table="ci.suites.quic.reports.terminal:matrix_table",
    )


QUIC_SUITE: Final = _suite(QUIC)
WEBTRANSPORT_SUITE: Final = _suite(WEBTRANSPORT)
