"""What many test cases ask of the traffic (contract, section 4.1), as functions of the captures."""

from __future__ import annotations

from collections.abc import Iterable

from ci.suites.quic.captures.packets import VERSION_1, PacketType, Sender, Trace
from ci.suites.quic.testcases.base import Check, Finding, Traces

__all__ = [
    "COMMON",
    "handshakes",
    "listed",
    "no_retry",
    "only_version_1",
    "unreadable",
    "versions_of",
]


def handshakes(wanted: int) -> Check:
    """So many handshakes, no more and no less: distinct source connection ids in what the server says first.

    Also with fifty of them one attempt more is one too many. A client that gives up an attempt and makes another has
    not shown that its handshake survives loss; the established runner counts the same way.
    """

    def check(traces: Traces) -> Finding | None:
        initials = list(traces.right.packets("server", PacketType.INITIAL))
        found = {packet.scid for packet in initials}
        if len(found) == wanted:
            return None
        if not found:
            return _no_answer(traces)
        # A server has one id per connection. More ids than clients' attempts: the server changed its mind.
        attempts = {
            (datagram.source, packet.scid)
            for datagram in traces.right.sent_by("client")
            for packet in datagram.packets
            if packet.type is PacketType.INITIAL
        }
        whose: Sender = "server" if len(attempts) < len(found) else "client"
        return Finding(
            text=f"{_times(len(found), 'handshake')} where there must be {wanted}: the client made"
            f" {_times(len(attempts), 'attempt')}, the server answered with {_times(len(found), 'connection id')}",
            side=whose if len(found) > wanted else "unknown",
        )

    return check


def _no_answer(traces: Traces) -> Finding:
    if any(traces.right.packets("client", PacketType.INITIAL)):
        return Finding(text="the client's Initial reached the server, which never sent one", side="server")
    if any(traces.left.packets("client", PacketType.INITIAL)):
        return Finding(text="no Initial of the client reached the server")
    return Finding(text="the client never sent an Initial", side="client")


def only_version_1(traces: Traces) -> Finding | None:
    """All server Initials are of QUIC version 1."""
    found = versions_of(traces.right, "server", PacketType.INITIAL)
    if found == {VERSION_1}:
        return None
    if not found:
        return _no_answer(traces)
    return Finding(
        text=f"the server's Initials are of version {listed(map(hex, sorted(found)))}, not of 0x1", side="server"
    )


def no_retry(traces: Traces) -> Finding | None:
    """Nobody was sent back with a Retry."""
    if any(traces.left.packets("server", PacketType.RETRY)):
        return Finding(text="the server sent a Retry, which this test case does not have", side="server")
    return None


# What holds in nearly all test cases over QUIC: one connection, version 1.
COMMON = (handshakes(1), only_version_1)


def versions_of(trace: Trace, sender: Sender, kind: PacketType) -> set[int]:
    """The versions in one side's long headers of one kind."""
    return {packet.version for packet in trace.packets(sender, kind) if packet.version is not None}


def unreadable(what: str, trace: Trace) -> Finding:
    """Nothing of a kind could be decrypted: says whether for want of secrets or of packets."""
    if not trace.decrypted:
        return Finding(text=f"there is no key log, so {what} cannot be read")
    return Finding(text=f"the key log does not open {what}, or there are none")


def listed(words: Iterable[object], *, most: int = 5) -> str:
    """The first few, and how many there are besides."""
    all_of_them = [str(word) for word in words]
    more = len(all_of_them) - most
    return ", ".join(all_of_them[:most]) + (f" and {more} more" if more > 0 else "")


def _times(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
