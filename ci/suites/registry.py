"""The suites, a line each. The first one is meant where nothing else is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.suites.quic.registration import QUIC_SUITE, WEBTRANSPORT_SUITE
from ci.suites.transport.registration import TRANSPORT_SUITE

if TYPE_CHECKING:
    from ci.model import Suites, SuiteWords
    from ci.suites.base import Suite

__all__ = ["SUITES", "known_suites", "suite_of"]

SUITES: Final[dict[str, Suite]] = {
    suite.name: suite
    for suite in (
        TRANSPORT_SUITE,
        QUIC_SUITE,
        WEBTRANSPORT_SUITE,
    )
}


def known_suites() -> Suites:
    """The words of every suite, with which files and selections are read."""
    return {name: suite.words for name, suite in SUITES.items()}


def suite_of(words: SuiteWords) -> Suite:
    """The suite that these words are of."""
    return SUITES[words.name]
