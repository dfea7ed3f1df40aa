"""Test cases about what goes on during a transfer: much data, an outage, new keys, ECN."""

from __future__ import annotations

from typing import Final

from ci.suites.quic.captures.packets import Ecn, PacketType, Sender, Trace
from ci.suites.quic.testcases.base import KIB, MIB, Finding, TestCase, Traces
from ci.suites.quic.testcases.checks import COMMON, handshakes, no_retry, only_version_1, unreadable

__all__ = ["BLACKHOLE", "ECN", "KEY_UPDATE", "TRANSFER"]


def both_update_keys(traces: Traces) -> Finding | None:
    """Client and server both sent packets of key phase 1. Who began does not matter, nor does a Retry before."""
    for side, trace in _beside_each(traces):
        phases = {packet.key_phase for packet in trace.packets(side, PacketType.ONE_RTT) if packet.decrypted}
        if not phases:
            return unreadable(f"the {side}'s 1-RTT packets", trace)
        if 1 not in phases:
            return Finding(text=f"the {side} never sent a packet of key phase 1", side=side)
    return None


def both_use_ecn(traces: Traces) -> Finding | None:
    """Each side marked packets ECT(0) or ECT(1), none with CE, and reported the marks it got; IPv4 and IPv6 alike.

    Packets without a mark are accepted in between, and the counts are not held against the marks.
    """
    for side, trace in _beside_each(traces):
        marks = {datagram.ecn for datagram in trace.sent_by(side) if datagram.packets}
        if Ecn.CE in marks:
            return Finding(text=f"the {side} itself marked packets CE, which is for routers", side=side)
        if not marks & {Ecn.ECT_0, Ecn.ECT_1}:
            return Finding(text=f"the {side} marked no packet ECT(0) or ECT(1)", side=side)
    for side, trace in _beside_each(traces):
        if any(packet.ack_ecn for packet in trace.packets(side)):
            continue
        if not any(packet.decrypted for packet in trace.packets(side, PacketType.ONE_RTT)):
            return unreadable(f"the {side}'s 1-RTT packets", trace)
        return Finding(text=f"the {side} never sent an ACK with ECN counts", side=side)
    return None


def _beside_each(traces: Traces) -> tuple[tuple[Sender, Trace], tuple[Sender, Trace]]:
    """What each side sent, as it sent it."""
    return ("client", traces.left), ("server", traces.right)


TRANSFER: Final = TestCase(
    name="transfer",
    abbreviation="DC",
    description="Three files of 10 MiB in all are fetched at once, beyond what flow control allows at first.",
    sizes=(2 * MIB, 3 * MIB, 5 * MIB),
    checks=COMMON,
    whole=(),
)
BLACKHOLE: Final = TestCase(
    name="blackhole",
    abbreviation="B",
    description="A transfer survives two seconds in which nothing gets through.",
    client="transfer",
    server="transfer",
    sizes=(10 * MIB,),
    scenario="blackhole --delay=15ms --bandwidth=10Mbps --queue=25 --on=5s --off=2s",
    checks=COMMON,
    whole=(),
)
KEY_UPDATE: Final = TestCase(
    name="keyupdate",
    abbreviation="U",
    description="Client and server change to new keys during a transfer.",
    server="transfer",
    sizes=(3 * MIB,),
    needs_key_log=True,
    checks=(*COMMON, both_update_keys),
)
ECN: Final = TestCase(
    name="ecn",
    abbreviation="E",
    description="Client and server mark their packets for ECN and acknowledge the marks they see.",
    sizes=(100 * KIB,),
    needs_key_log=True,
    checks=(only_version_1, no_retry, handshakes(1), both_use_ecn),
)
