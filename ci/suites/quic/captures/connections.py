"""Which datagrams of a capture are of QUIC connections between client and server, and which are nobody's business.

An endpoint's host may send other UDP besides, multicast DNS for example, and tshark takes everything for QUIC. What
counts belongs to a connection that the client began with an Initial: by a connection id, by what could be decrypted,
or because it goes from one end of a connection to the other and begins as packets do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from ci.suites.quic.captures.packets import Address, Datagram, PacketType

__all__ = ["exchanged"]

# The client's end, then the server's.
_Path: TypeAlias = tuple[Address, Address]


def exchanged(datagrams: Iterable[Datagram]) -> tuple[Datagram, ...]:
    """The datagrams of connections, in the order given."""
    between = [datagram for datagram in datagrams if {datagram.sender, datagram.receiver} == {"client", "server"}]
    ids: set[str] = set()
    paths: set[_Path] = set()
    for datagram in between:
        if _begins(datagram) or _belongs(datagram, ids, paths):
            paths.add(_path(datagram))
            ids |= _ids(datagram)
    # Twice: early data may overtake the Initial, or be all of a flight that arrives.
    return tuple(datagram for datagram in between if _belongs(datagram, ids, paths))


def _begins(datagram: Datagram) -> bool:
    return datagram.sender == "client" and any(packet.type is PacketType.INITIAL for packet in datagram.packets[:1])


def _belongs(datagram: Datagram, ids: set[str], paths: set[_Path]) -> bool:
    if not datagram.packets:
        return False
    # Keys of an Initial follow from what is sent in clear, so those of other connections are decrypted, too.
    if any(packet.decrypted and packet.type is not PacketType.INITIAL for packet in datagram.packets):
        return True
    first = datagram.packets[0]
    return not ids.isdisjoint({first.scid, first.dcid}) or (first.fixed_bit and _path(datagram) in paths)


def _path(datagram: Datagram) -> _Path:
    one, other = datagram.source, datagram.target
    return (one, other) if datagram.sender == "client" else (other, one)


def _ids(datagram: Datagram) -> set[str]:
    """Those that its packets are known by: both of a long header, that of a short one only if it could be decrypted."""
    return {
        cid
        for packet in datagram.packets
        for cid in (packet.scid, packet.dcid)
        if cid and (packet.scid is not None or packet.decrypted)
    }
