"""Name what is wrong with an address a listener published (contract, section 1.8, T16).

Addresses are never rewritten: the dialer dials what the listener said. Naming the defect next to the result
tells the reader whose fault an unreachable listener is.
"""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["address_defects", "other_transport"]

# What may ride on the way to the listener: `/ip4/…/tcp/…/ws` is no address for a case about plain tcp.
CARRIERS: Final = frozenset(
    {"tcp", "tls", "ws", "wss", "quic", "quic-v1", "webtransport", "webrtc-direct", "webrtc"}
)  # fmt: skip
# The carriers an address of a transport consists of. A secure WebSocket has two spellings of equal standing.
SPELLINGS: Final = {
    "tcp": ({"tcp"},),
    "ws": ({"tcp", "ws"},),
    "wss": ({"tcp", "wss"}, {"tcp", "tls", "ws"}),
    "quic": ({"quic"},),
    "quic-v1": ({"quic-v1"},),
    "webtransport": ({"quic-v1", "webtransport"}, {"quic", "webtransport"}),
    "webrtc-direct": ({"webrtc-direct"},),
}


def address_defects(published: tuple[str, ...], transport: str, *, loopback_expected: bool = False) -> tuple[str, ...]:
    """Findings about what a listener published, in words; empty when there is nothing to say.

    :param loopback_expected: both sides share one loopback interface, so 127.0.0.1 is right
    """
    findings: list[str] = []
    if len(published) > 1:
        findings.append(f"the listener published {len(published)} addresses, one is expected")
    for address in published[:1]:
        findings += _defects(address, transport, loopback_expected=loopback_expected)
    return tuple(findings)


def other_transport(published: tuple[str, ...], transport: str) -> str | None:
    """The address a listener published, if it names transports and not the one that was asked for.

    What is no multiaddr, or names no transport known here, contradicts nothing.
    """
    split = [address.strip().split("/") for address in published]
    if any(_speaks(parts, transport) or not CARRIERS.intersection(parts) for parts in split):
        return None
    return published[0].strip() if published else None


def _defects(address: str, transport: str, *, loopback_expected: bool) -> list[str]:
    findings = []
    if address != address.strip():
        findings.append("the published address has white space around it")
    parts = address.strip().split("/")
    if parts[0] != "" or len(parts) < 3:
        return [*findings, f"the published address is not a multiaddr: {address!r}"]
    # A relayed address legitimately names two peers: the relay and, at the end, the listener.
    peers = parts.count("p2p") - (1 if "p2p-circuit" in parts else 0)
    if peers < 1:
        findings.append("the published address lacks /p2p/<peer id>")
    elif peers > 1:
        findings.append("the published address has more than one /p2p/<peer id>")
    if not _speaks(parts, transport):
        findings.append(f"the published address does not speak {transport}")
    if parts[1] in ("ip4", "ip6"):
        findings += _ip_defects(parts[2], loopback_expected=loopback_expected)
    return findings


def _speaks(parts: list[str], transport: str) -> bool:
    carriers = CARRIERS.intersection(parts)
    if transport not in SPELLINGS:  # webrtc reaches the listener through a relay, by whatever the relay speaks
        return transport in parts
    return carriers in SPELLINGS[transport]


def _ip_defects(host: str, *, loopback_expected: bool) -> list[str]:
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return [f"the published address names no IP address: {host!r}"]
    if ip.is_unspecified:
        return [f"the published address {ip} is a wildcard nobody can dial"]
    if ip.is_loopback and not loopback_expected:
        return [f"the published address {ip} is the listener's own loopback"]
    if ip.is_link_local:
        return [f"the published address {ip} is link-local"]
    return []
