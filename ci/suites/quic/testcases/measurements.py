"""Measurements: how fast a large file is fetched, alone and beside another flow."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ci.suites.quic.captures.packets import Frame, PacketType, Trace
from ci.suites.quic.testcases.base import MIB, Finding, TestCase
from ci.suites.quic.testcases.checks import COMMON

__all__ = ["CROSS_TRAFFIC", "GOODPUT", "REPETITIONS", "Summary", "goodput", "summary"]

REPETITIONS: Final = 5


@dataclass(frozen=True)
class Summary:
    """What all repetitions came to, in kbit/s: arithmetic mean and sample standard deviation."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        """As the established runner prints it."""
        return f"{self.mean:.0f} (± {self.deviation:.0f}) kbps"


def goodput(left: Trace, fetched: int) -> float | Finding:
    """Kilobits of file per second, from the server's first 1-RTT packet to its last one that carries data.

    Measured beside the client. The interval begins as the established runner's does; its end leaves out what a server
    says when all is fetched, as far as a key log lets us see. The handshake is in neither.

    :param fetched: bytes of all files
    """
    one_rtt = [
        (datagram.at, packet)
        for datagram in left.sent_by("server")
        for packet in datagram.packets
        if packet.type is PacketType.ONE_RTT
    ]
    with_data = [at for at, packet in one_rtt if not Frame.STREAM.isdisjoint(packet.frames)]
    last = max(with_data or [at for at, _ in one_rtt], default=0.0)
    seconds = last - one_rtt[0][0] if one_rtt else 0.0
    if seconds <= 0:
        return Finding(text="the server's 1-RTT packets span no time, so there is no rate")
    return 8 * fetched / seconds / 1000


def summary(rates: Sequence[float]) -> Summary:
    """Sum up the rates of at least one repetition; a single one has no deviation."""
    return Summary(statistics.fmean(rates), statistics.stdev(rates) if len(rates) > 1 else 0.0)


GOODPUT: Final = TestCase(
    name="goodput",
    abbreviation="G",
    description="The rate at which a file of 10 MiB is fetched over a link of 10 Mbit/s.",
    client="transfer",
    server="transfer",
    sizes=(10 * MIB,),
    repetitions=REPETITIONS,
    metric=goodput,
    checks=COMMON,
    whole=("left",),
)
CROSS_TRAFFIC: Final = TestCase(
    name="crosstraffic",
    abbreviation="C",
    description="The rate at which a file of 25 MiB is fetched while a TCP flow uses the same link.",
    client="transfer",
    server="transfer",
    sizes=(25 * MIB,),
    limit=180,
    participants=("iperf_server", "iperf_client"),
    environment=(("IPERF_CONGESTION", "cubic"),),
    repetitions=REPETITIONS,
    metric=goodput,
    checks=COMMON,
    whole=("left",),
)
