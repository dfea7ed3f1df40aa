"""Captures made easy for a tshark before 4.4, which two things lead astray where a connection id is empty.

*Padding.* Endpoints may fill a datagram up behind its packets, as aioquic does with zeros: bytes without the fixed
bit are no packet (RFC 9000, section 12.2). Such a tshark takes them for one, finds a key phase in them, changes to keys
that are not yet in use, and decrypts nothing any more. They are left out of the copy as if they had not been captured.

*Paths.* When an address changes, it does not know whose the packets without a connection id are. In the copy they stay
on the first path; where they really were is kept beside it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final, NamedTuple, TypeAlias

from ci.suites.quic.captures.files import Frame
from ci.suites.quic.captures.frames import Place
from ci.suites.quic.captures.packets import SERVER_HOSTS, VERSION_1, VERSION_2, Address, side_of

__all__ = ["Moved", "Simplifier"]

# The addresses of frames that the copy has on another path, by frame number: source and target.
Moved: TypeAlias = "dict[int, tuple[Address, Address]]"

LONG_HEADER: Final = 0x80
FIXED_BIT: Final = 0x40
SERVERS: Final = frozenset(ip_address(host).packed for host in SERVER_HOSTS)


class _Path(NamedTuple):
    """Both ends, address and port of each as they stand in a frame."""

    client: tuple[bytes, bytes]
    server: tuple[bytes, bytes]


class Simplifier:
    """Simplifies datagram after datagram of one capture; `moved` is what it did to addresses."""

    def __init__(self) -> None:
        self.moved: Moved = {}
        self._begun: list[_Path] = []  # on which a connection began
        self._opened: set[_Path] = set()  # to which the client went on
        self._server_ids: set[bytes] = set()
        self._first_ids: set[bytes] = set()  # made up by a client for a server it does not know yet

    def __call__(self, frame: Frame, place: Place) -> bytes:
        data = frame.data[: _kept(frame.data, place.payload)]
        middle = (place.addresses.start + place.addresses.stop) // 2
        ports = place.payload - 8
        source = (data[place.addresses.start : middle], data[ports : ports + 2])
        target = (data[middle : place.addresses.stop], data[ports + 2 : ports + 4])
        from_server = source[0] in SERVERS
        path = _Path(target, source) if from_server else _Path(source, target)
        if side_of(str(ip_address(path.client[0]))) != "client" or path.server[0] not in SERVERS:
            return data
        payload = data[place.payload :]
        if payload and payload[0] & LONG_HEADER:
            self._learn(path, payload, from_server=from_server)
        elif not from_server and self._goes_on(payload):
            self._opened.add(path)
        # With several connections nobody could say which one goes on here.
        if path not in self._opened or len(self._begun) != 1 or path in self._begun:
            return data
        first = self._begun[0]
        if len(first.client[0]) != len(source[0]):
            return data
        self.moved[frame.number] = (_address(source), _address(target))
        (source, target) = (first.server, first.client) if from_server else (first.client, first.server)
        hosts, both = source[0] + target[0], source[1] + target[1]
        return data[: place.addresses.start] + hosts + data[place.addresses.stop : ports] + both + data[ports + 4 :]

    def _learn(self, path: _Path, payload: bytes, *, from_server: bool) -> None:
        """What a packet with a long header tells: a connection begins, or by which id the server wants to be called."""
        dcid, scid = _ids(payload)
        if from_server:
            self._server_ids |= {scid} - {b""}
        elif dcid in self._server_ids | self._first_ids:
            self._opened.add(path)  # moved before its handshake was through
        elif _kind(payload, 0) == 0 and path not in self._begun:
            self._begun.append(path)
            self._first_ids.add(dcid)

    def _goes_on(self, payload: bytes) -> bool:
        """Whether this may be a packet of a connection: it has an id of the server's, or the bit all packets have.

        Later ids are encrypted where they are announced; and where both sides agree, the bit is no sign (RFC 9287).
        """
        if not payload:
            return False
        return bool(payload[0] & FIXED_BIT) or any(payload.startswith(known, 1) for known in self._server_ids)


def _address(end: tuple[bytes, bytes]) -> Address:
    return Address(str(ip_address(end[0])), int.from_bytes(end[1], "big"))


# --- packets ----------------------------------------------------------------------------------------------


def _kept(frame: bytes, payload: int) -> int:
    """How much of a frame to keep: all, unless it is a datagram with padding behind QUIC packets."""
    try:
        end = _end_of_long_packets(frame, payload)
    except IndexError:
        return len(frame)
    # Only zeros: a packet may come without the fixed bit where both sides agree to grease it (RFC 9287).
    return end if payload < end < len(frame) and not any(frame[end:]) else len(frame)


def _ids(payload: bytes) -> tuple[bytes, bytes]:
    """The connection ids of a packet with a long header, the destination's first; cut short with it."""
    scid = 6 + payload[5] if len(payload) > 5 else 6
    return payload[6:scid], payload[scid + 1 : scid + 1 + payload[scid]] if scid < len(payload) else b""


def _kind(frame: bytes, at: int) -> int | None:
    """The type of a packet with a long header, as version 1 numbers them; None in a version that nobody here knows."""
    version = int.from_bytes(frame[at + 1 : at + 5], "big")
    number = frame[at] >> 4 & 3
    if version == VERSION_2:
        return (number - 1) % 4  # RFC 9369, section 3.2
    return number if version == VERSION_1 else None


def _end_of_long_packets(frame: bytes, at: int) -> int:
    """Where the packets with a long header end; where they begin if they cannot be told.

    :raises IndexError: a packet is longer than its frame
    """
    start = at
    while at < len(frame) and frame[at] & LONG_HEADER:
        kind = _kind(frame, at)
        if kind is None or kind == 3:  # a Retry fills its datagram
            return start
        at += 5
        for _ in range(2):  # connection ids
            at += 1 + frame[at]
        if kind == 0:
            token, at = _variable(frame, at)
            at += token
        length, at = _variable(frame, at)
        at += length
        if at > len(frame):
            raise IndexError
    return at


def _variable(frame: bytes, at: int) -> tuple[int, int]:
    """A variable-length integer (RFC 9000, section 16), and where it ends."""
    size = 1 << (frame[at] >> 6)
    return int.from_bytes(frame[at : at + size], "big") & ((1 << (8 * size - 2)) - 1), at + size
