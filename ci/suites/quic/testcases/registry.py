"""All test cases of both suites, in the order in which they are run and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.suites.quic.testcases import handshake, losses, measurements, paths, resumption, transfer
from ci.suites.quic.testcases.base import TestCase
from ci.suites.quic.testcases.webtransport import WEBTRANSPORT_CASES
from ci.suites.quic.words import QUIC

if TYPE_CHECKING:
    from ci.model import SuiteWords

__all__ = ["QUIC_CASES", "QUIC_MEASUREMENTS", "WEBTRANSPORT_CASES", "cases_of"]

QUIC_CASES: Final = (
    handshake.HANDSHAKE,
    transfer.TRANSFER,
    handshake.LONG_RTT,
    handshake.CHACHA20,
    handshake.MULTIPLEXING,
    handshake.RETRY,
    resumption.RESUMPTION,
    resumption.ZERO_RTT,
    handshake.HTTP3,
    transfer.BLACKHOLE,
    transfer.KEY_UPDATE,
    transfer.ECN,
    losses.AMPLIFICATION_LIMIT,
    losses.HANDSHAKE_LOSS,
    losses.TRANSFER_LOSS,
    losses.HANDSHAKE_CORRUPTION,
    losses.TRANSFER_CORRUPTION,
    handshake.IPV6,
    handshake.V2,
    paths.REBIND_PORT,
    paths.REBIND_ADDRESS,
    paths.CONNECTION_MIGRATION,
)
QUIC_MEASUREMENTS: Final = (measurements.GOODPUT, measurements.CROSS_TRAFFIC)


def cases_of(suite: SuiteWords) -> tuple[TestCase, ...]:
    """The test cases of a suite, then its measurements."""
    return (*QUIC_CASES, *QUIC_MEASUREMENTS) if suite is QUIC else WEBTRANSPORT_CASES
