"""Test cases about how a connection begins: alone, far away, sent back, with one cipher, in version 2."""

from __future__ import annotations

from typing import Final

from ci.suites.quic.captures.packets import VERSION_1, VERSION_2, Crypto, PacketType
from ci.suites.quic.testcases.base import KIB, MIB, Finding, TestCase, Traces
from ci.suites.quic.testcases.checks import (
    COMMON,
    handshakes,
    listed,
    no_retry,
    only_version_1,
    unreadable,
    versions_of,
)

__all__ = ["CHACHA20", "HANDSHAKE", "HTTP3", "IPV6", "LONG_RTT", "MULTIPLEXING", "RETRY", "V2"]

TLS_CHACHA20_POLY1305_SHA256: Final = 0x1303
# In the list of suites, but none (RFC 5746; RFC 8701: both bytes the same, with the low half 0xa).
TLS_EMPTY_RENEGOTIATION_INFO_SCSV: Final = 0x00FF

# What one side may let the other open at once; a larger limit would make the test of raising it pointless.
MOST_STREAMS: Final = 1000


# --- longrtt ----------------------------------------------------------------------------------------------


def client_hello_repeated(traces: Traces) -> Finding | None:
    """The client sent some part of its ClientHello twice, because it did not wait for an answer 1.5 s away.

    Counted by the bytes of the handshake that its Initials carry, so one ClientHello in two datagrams is one. After
    a Retry everything is sent again by rule, not for want of an answer: Initials with different tokens are kept
    apart. The Retry itself is no fault here.
    """
    sent: dict[str, list[Crypto]] = {}
    for packet in traces.left.packets("client", PacketType.INITIAL):
        earlier = sent.setdefault(packet.token, [])
        for crypto in packet.crypto:
            if any(crypto.offset < other.end and other.offset < crypto.end for other in earlier):
                return None
        earlier.extend(packet.crypto)
    if not any(sent.values()):
        return Finding(text="no ClientHello can be seen beside the client", side="client")
    return Finding(
        text="the client sent its ClientHello once, although the answer took 1.5 s and more (RFC 9002, section 6.2)",
        side="client",
    )


# --- chacha20 ---------------------------------------------------------------------------------------------


def only_chacha20(traces: Traces) -> Finding | None:
    """All suites that all ClientHellos offer are TLS_CHACHA20_POLY1305_SHA256."""
    offered = {
        suite
        for packet in traces.left.packets("client", PacketType.INITIAL)
        for suite in packet.cipher_suites
        if suite != TLS_EMPTY_RENEGOTIATION_INFO_SCSV and not _is_grease(suite)
    }
    if offered == {TLS_CHACHA20_POLY1305_SHA256}:
        return None
    if not offered:
        return Finding(text="no ClientHello with cipher suites can be seen beside the client", side="client")
    names = listed(f"0x{suite:04x}" for suite in sorted(offered))
    return Finding(text=f"the client offered the cipher suites {names}; it must be 0x1303 alone", side="client")


def _is_grease(suite: int) -> bool:
    return suite & 0x0F0F == 0x0A0A and suite >> 8 == suite & 0xFF


# --- multiplexing -----------------------------------------------------------------------------------------


def modest_stream_limit(traces: Traces) -> Finding | None:
    """The server's transport parameters allow streams to begin with, and no more than a thousand."""
    limits = [
        limit for packet in traces.left.packets("server", PacketType.HANDSHAKE) for limit in packet.max_streams_bidi
    ]
    if not limits:
        if not any(packet.decrypted for packet in traces.left.packets("server", PacketType.HANDSHAKE)):
            return unreadable("the server's Handshake packets", traces.left)
        return Finding(text="the server's transport parameters have no initial_max_streams_bidi", side="server")
    if max(limits) > MOST_STREAMS:
        text = f"the server's initial_max_streams_bidi is {max(limits)}, at most {MOST_STREAMS} are allowed"
        return Finding(text=text, side="server")
    return None


# --- retry ------------------------------------------------------------------------------------------------


def token_comes_back(traces: Traces) -> Finding | None:
    """The server sent a Retry, and the client came back with its token and larger packet numbers."""
    retries = list(traces.left.packets("server", PacketType.RETRY))
    if not retries:
        return Finding(text="the server never sent a Retry", side="server")
    tokens = {packet.retry_token for packet in retries}
    if "" in tokens:
        return Finding(text="the server sent a Retry without a token", side="server")
    highest = -1
    for packet in traces.left.packets("client", PacketType.INITIAL):
        number = -1 if packet.number is None else packet.number
        if not packet.token:
            highest = max(highest, number)
        elif number <= highest:
            # RFC 9000, section 17.2.5.3: the numbers must not begin anew.
            text = f"the client's Initial with a token has packet number {number}, one before the Retry had {highest}"
            return Finding(text=text, side="client")
        elif packet.token in tokens:
            return None
    return Finding(text="no Initial of the client has the token of the server's Retry", side="client")


# --- http3 ------------------------------------------------------------------------------------------------


def speaks_h3(traces: Traces) -> Finding | None:
    """Both sides agreed on HTTP/3, as far as a key log lets us see: none is asked for, so none is no fault."""
    agreed = {name for packet in traces.right.packets("server", PacketType.HANDSHAKE) for name in packet.alpn}
    if agreed <= {"h3"}:
        return None
    return Finding(text=f"client and server agreed on {listed(sorted(agreed - {'h3'}))} instead of h3")


# --- ipv6 -------------------------------------------------------------------------------------------------


def no_ipv4(traces: Traces) -> Finding | None:
    """The server never answered over IPv4."""
    for datagram in traces.right.sent_by("server"):
        if datagram.packets and ":" not in datagram.source.host:
            return Finding(text=f"the server sent a packet over IPv4, to {datagram.target}")
    return None


# --- v2 ---------------------------------------------------------------------------------------------------


def begins_in_1_ends_in_2(traces: Traces) -> Finding | None:
    """The client began in version 1; from the server's Initial on, both sides spoke version 2 (RFC 9368)."""
    left, right = traces.left, traces.right
    if VERSION_1 not in versions_of(left, "client", PacketType.INITIAL):
        return Finding(text="the client did not begin in version 1", side="client")
    if VERSION_2 not in versions_of(right, "server", PacketType.INITIAL):
        return Finding(text="the server did not choose version 2 in its Initial", side="server")
    for side, trace in (("client", left), ("server", right)):
        found = versions_of(trace, "client" if side == "client" else "server", PacketType.HANDSHAKE)
        if found != {VERSION_2}:
            seen = f"are of version {listed(map(hex, sorted(found)))}" if found else "were never seen"
            text = f"the {side}'s Handshake packets {seen}, all must be of 0x6b3343cf"
            return Finding(text=text, side="client" if side == "client" else "server")
    return None


HANDSHAKE: Final = TestCase(
    name="handshake",
    abbreviation="H",
    description="A connection is made and one small file fetched, without a Retry.",
    sizes=(1 * KIB,),
    checks=(only_version_1, no_retry, handshakes(1)),
)
LONG_RTT: Final = TestCase(
    name="longrtt",
    abbreviation="LR",
    description="The handshake succeeds over a round trip of 1.5 s, longer than the usual first time-out.",
    client="handshake",
    server="handshake",
    sizes=(1 * KIB,),
    scenario="simple-p2p --delay=750ms --bandwidth=10Mbps --queue=25",
    checks=(*COMMON, client_hello_repeated),
)
CHACHA20: Final = TestCase(
    name="chacha20",
    abbreviation="C20",
    description="A file is fetched with ChaCha20-Poly1305 as the only cipher suite on offer.",
    sizes=(3 * MIB,),
    checks=(handshakes(1), only_chacha20, only_version_1),
    whole=(),
)
MULTIPLEXING: Final = TestCase(
    name="multiplexing",
    abbreviation="M",
    description="1999 small files are fetched on as many streams, although a thousand at most may be open at once.",
    client="transfer",
    server="transfer",
    sizes=(32,) * 1999,
    needs_key_log=True,
    checks=(*COMMON, modest_stream_limit),
    whole=(),
)
RETRY: Final = TestCase(
    name="retry",
    abbreviation="S",
    description="The server asks the client to prove its address with a Retry, and the client does.",
    sizes=(10 * KIB,),
    checks=(*COMMON, token_comes_back),
)
HTTP3: Final = TestCase(
    name="http3",
    abbreviation="3",
    description="Three files are fetched over HTTP/3.",
    sizes=(5 * KIB, 10 * KIB, 500 * KIB),
    checks=(*COMMON, speaks_h3),
    whole=(),
)
IPV6: Final = TestCase(
    name="ipv6",
    abbreviation="6",
    description="Two files are fetched over IPv6.",
    client="transfer",
    server="transfer",
    sizes=(5 * KIB, 10 * KIB),
    host="server6",
    checks=(*COMMON, no_ipv4),
)
V2: Final = TestCase(
    name="v2",
    abbreviation="V2",
    description="The client begins in QUIC version 1 and is taken to version 2 by compatible version negotiation.",
    sizes=(1 * KIB,),
    checks=(begins_in_1_ends_in_2,),
)
