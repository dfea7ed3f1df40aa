"""Test cases of two connections: the second one goes on from the first, and may carry data at once."""

from __future__ import annotations

from typing import Final

from ci.suites.quic.captures.packets import Frame, Packet, PacketType
from ci.suites.quic.testcases.base import KIB, Finding, TestCase, Traces
from ci.suites.quic.testcases.checks import handshakes, only_version_1, unreadable
from ci.util.text import counted

__all__ = ["RESUMPTION", "ZERO_RTT"]

ZERO_RTT_FILES: Final = 40
ZERO_RTT_NAME_LENGTH: Final = 250
# The names of the requested files alone are twice as much: who sends less cannot have sent them in 1-RTT packets.
MOST_1_RTT_BYTES: Final = ZERO_RTT_FILES * ZERO_RTT_NAME_LENGTH // 2


def second_without_certificate(traces: Traces) -> Finding | None:
    """The server showed a certificate in the first handshake and none in the second."""
    by_connection: dict[str | None, list[Packet]] = {}
    for packet in traces.left.packets("server", PacketType.HANDSHAKE):
        by_connection.setdefault(packet.scid, []).append(packet)
    if len(by_connection) != 2:
        text = f"Handshake packets of {counted(len(by_connection), 'connection')} came from the server, two are wanted"
        return Finding(text=text)
    first, second = by_connection.values()
    for ordinal, packets in (("first", first), ("second", second)):
        # Without this, a second handshake that nobody can read would pass for one without a certificate.
        if not any(packet.decrypted for packet in packets):
            return unreadable(f"the server's Handshake packets of the {ordinal} connection", traces.left)
    if not any(packet.certificates_length for packet in first):
        return Finding(text="the server showed no certificate in the first handshake", side="server")
    if any(packet.certificates_length for packet in second):
        return Finding(text="the second handshake is a full one, with a certificate: the session was not resumed")
    return None


def requests_in_0_rtt(traces: Traces) -> Finding | None:
    """The client sent 0-RTT packets, and in 1-RTT packets less than the requests would have taken.

    Where a key log opens 1-RTT packets, those with data on a stream count, of both connections: one that asks for
    everything on the first has shown nothing. Where it does not, acknowledgments and probes for a larger MTU cannot be
    told from requests, and what comes after the first 0-RTT packet counts, whatever it is.
    """
    early = late = 0
    for packet in traces.left.packets("client", PacketType.ZERO_RTT, PacketType.ONE_RTT):
        if packet.type is PacketType.ZERO_RTT:
            early += packet.payload_length
        elif not Frame.STREAM.isdisjoint(packet.frames) if packet.decrypted else early:
            late += packet.payload_length
    if early == 0:
        return Finding(text="the client sent no 0-RTT packet", side="client")
    if late > MOST_1_RTT_BYTES:
        return Finding(
            text=f"the client sent {late} bytes in 1-RTT packets (and {early} in 0-RTT), at most {MOST_1_RTT_BYTES} are"
            " allowed: its early data was late, or refused"
        )
    return None


RESUMPTION: Final = TestCase(
    name="resumption",
    abbreviation="R",
    description="The second of two connections resumes the session of the first.",
    sizes=(5 * KIB, 10 * KIB),
    needs_key_log=True,
    checks=(handshakes(2), second_without_certificate, only_version_1),
)
ZERO_RTT: Final = TestCase(
    name="zerortt",
    abbreviation="Z",
    description="The second of two connections sends its requests before its handshake is done.",
    sizes=(32,) * ZERO_RTT_FILES,
    name_length=ZERO_RTT_NAME_LENGTH,
    checks=(handshakes(2), only_version_1, requests_in_0_rtt),
)
