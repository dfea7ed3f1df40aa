"""Where a captured frame has its datagram: on Ethernet, VLAN tags or not, on Linux's cooked interfaces, or bare."""

from __future__ import annotations

from typing import Final

from ci.suites.quic.captures.files import Frame

__all__ = ["payload_of"]

# Where a kind of link (https://www.tcpdump.org/linktypes.html) has the number of its protocol, and where that begins.
LINKS: Final = {1: (12, 14), 113: (14, 16), 276: (0, 20)}
BARE_IP: Final = frozenset({12, 14, 101, 228, 229})
# IEEE 802.1Q, 802.1ad, and what was used before that.
VLAN_TAGS: Final = frozenset({b"\x81\x00", b"\x88\xa8", b"\x91\x00"})
UDP: Final = 17
UDP_HEADER: Final = 8


def payload_of(frame: Frame) -> int | None:
    """Where the payload of its datagram begins; None if it has none, or only a later part of one."""
    data = frame.data
    if frame.link in BARE_IP:
        at = 0
    elif frame.link in LINKS:
        kind, at = LINKS[frame.link]
        while (protocol := data[kind : kind + 2]) in VLAN_TAGS:
            kind, at = at + 2, at + 4
        if protocol not in (b"\x08\x00", b"\x86\xdd"):
            return None
    else:
        return None
    if len(data) < at + 20 + UDP_HEADER:
        return None
    if data[at] >> 4 == 4 and data[at + 9] == UDP and not int.from_bytes(data[at + 6 : at + 8], "big") & 0x1FFF:
        payload = at + 4 * (data[at] & 0x0F) + UDP_HEADER
    elif data[at] >> 4 == 6 and data[at + 6] == UDP:
        payload = at + 40 + UDP_HEADER
    else:
        return None
    return payload if payload <= len(data) else None
