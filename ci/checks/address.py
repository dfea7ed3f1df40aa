"""Name what is wrong with an address a listener published (contract, section 1.8, T16).

Addresses are never rewritten: the dialer dials what the listener said. Naming the defect next to the result
tells the reader whose fault an unreachable listener is.
"""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["address_defects"]

# The component that ends the part of a multiaddr which says how to reach the listener.
CARRIERS: Final = {
    "tcp": ("tcp",),
    "ws": ("ws",),
    "wss": ("wss", "tls"),
    "quic": ("quic",),
    "quic-v1": ("quic-v1",),
    "webtransport": ("webtransport",),
    "webrtc-direct": ("webrtc-direct",),
    "webrtc": ("webrtc",),
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
    if not any(carrier in parts for carrier in CARRIERS.get(transport, (transport,))):
        findings.append(f"the published address does not speak {transport}")
    if parts[1] in ("ip4", "ip6"):
        findings += _ip_defects(parts[2], loopback_expected=loopback_expected)
    return findings


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
