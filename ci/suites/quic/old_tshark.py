"""Captures made easy for a tshark before 4.4, which two things lead astray where a connection id is empty.

*Padding.* Endpoints may fill a datagram up behind its packets, as aioquic does with zeros: bytes without the fixed
bit are no packet (RFC 9000, section 12.2). Such a tshark takes them for one, finds a key phase in them, changes to keys
that are not yet in use, and decrypts nothing any more. They are left out of the copy as if they had not been captured.

*Paths.* When an address changes, it does not know whose the packets without a connection id are. In the copy they stay
on the first path; where they really were is kept beside it.

The number of frames, and the length that each datagram says it has, stay what they were.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from ci.suites.quic.packets import SERVER_HOSTS, VERSION_1, VERSION_2, Address

__all__ = ["Moved", "simplified_copy"]

# The addresses of frames that the copy has on another path, by frame number from 1: source and target.
Moved: TypeAlias = "dict[int, tuple[Address, Address]]"

PCAPNG_SECTION: Final = 0x0A0D0D0A
PCAPNG_ENHANCED_PACKET: Final = 6
ETHERNET_HEADER: Final = 14
UDP: Final = 17
LONG_HEADER: Final = 0x80
SERVERS: Final = frozenset(ip_address(host).packed for host in SERVER_HOSTS)


def simplified_copy(capture: Path, target: Path) -> Moved:
    """Copy a capture, pcap or pcapng, of Ethernet frames; returns what it did to addresses.

    What is not understood is copied as it is, a torn end above all: the reader of the copy must see it.
    """
    data = capture.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    simplify = _Simplifier()
    pieces = _pcapng(data, simplify) if data.startswith(b"\x0a\x0d\x0d\x0a") else _pcap(data, simplify)
    with target.open("wb") as file:
        file.writelines(pieces)
    return simplify.moved


class _Path(NamedTuple):
    """Both ends, address and port of each as they stand in a frame."""

    client: tuple[bytes, bytes]
    server: tuple[bytes, bytes]


class _Simplifier:
    """Simplifies frame after frame of one capture."""

    def __init__(self) -> None:
        self.moved: Moved = {}
        self._number = 0
        self._first: list[_Path] = []  # on which a connection began
        self._known: set[_Path] = set()

    def __call__(self, frame: bytes) -> bytes:
        self._number += 1
        place = _datagram_in(frame)
        if place is None:
            return frame
        address, payload = place
        return self._on_first_path(frame[: _kept(frame, payload)], address, payload)

    def _on_first_path(self, frame: bytes, address: slice, payload: int) -> bytes:
        middle = (address.start + address.stop) // 2
        ports = payload - 8
        source = (frame[address.start : middle], frame[ports : ports + 2])
        target = (frame[middle : address.stop], frame[ports + 2 : ports + 4])
        from_server = source[0] in SERVERS
        path = _Path(target, source) if from_server else _Path(source, target)
        if path not in self._known:
            self._known.add(path)
            if payload < len(frame) and frame[payload] & LONG_HEADER:
                self._first.append(path)
        # With several connections nobody could say which one goes on here.
        if path in self._first or len(self._first) != 1 or len(self._first[0].client[0]) != len(source[0]):
            return frame
        self.moved[self._number] = (_address(source), _address(target))
        first = self._first[0]
        (source, target) = (first.server, first.client) if from_server else (first.client, first.server)
        ends = source[0] + target[0], source[1] + target[1]
        return frame[: address.start] + ends[0] + frame[address.stop : ports] + ends[1] + frame[ports + 4 :]


def _address(end: tuple[bytes, bytes]) -> Address:
    return Address(str(ip_address(end[0])), int.from_bytes(end[1], "big"))


# --- files ------------------------------------------------------------------------------------------------


def _pcap(data: bytes, simplify: _Simplifier) -> Iterator[bytes]:
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    header = struct.Struct(f"{order}IIII")
    yield data[:24]
    at = 24
    while at + header.size <= len(data):
        seconds, fraction, captured, length = header.unpack_from(data, at)
        end = at + header.size + captured
        if end > len(data):
            break
        frame = simplify(data[at + header.size : end])
        yield header.pack(seconds, fraction, len(frame), length)
        yield frame
        at = end
    yield data[at:]


def _pcapng(data: bytes, simplify: _Simplifier) -> Iterator[bytes]:
    order = "<"
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == PCAPNG_SECTION.to_bytes(4, "big"):  # reads the same in both byte orders
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, total = struct.unpack_from(f"{order}II", data, at)
        if total < 12 or total % 4 or at + total > len(data):
            break
        block = data[at : at + total]
        yield _enhanced_packet(block, order, simplify) if kind == PCAPNG_ENHANCED_PACKET else block
        at += total
    yield data[at:]


def _enhanced_packet(block: bytes, order: str, simplify: _Simplifier) -> bytes:
    header = struct.Struct(f"{order}IIIIIII")  # type, total, interface, time high and low, captured, length
    kind, _, interface, high, low, captured, length = header.unpack_from(block)
    frame = simplify(block[header.size : header.size + captured])
    options = block[header.size + captured + -captured % 4 : -4]
    body = frame + bytes(-len(frame) % 4) + options
    total = header.size + len(body) + 4
    return header.pack(kind, total, interface, high, low, len(frame), length) + body + struct.pack(f"{order}I", total)


# --- frames -----------------------------------------------------------------------------------------------


def _datagram_in(frame: bytes) -> tuple[slice, int] | None:
    """Where an Ethernet frame has both IP addresses, and where its UDP payload begins; None if it has none."""
    kind = frame[12:ETHERNET_HEADER]
    if kind == b"\x08\x00" and len(frame) > 42 and frame[23] == UDP:
        return slice(26, 34), ETHERNET_HEADER + 4 * (frame[ETHERNET_HEADER] & 0x0F) + 8
    if kind == b"\x86\xdd" and len(frame) > 62 and frame[20] == UDP:
        return slice(22, 54), ETHERNET_HEADER + 40 + 8
    return None


def _kept(frame: bytes, payload: int) -> int:
    """How much of a frame to keep: all, unless it is a datagram with padding behind QUIC packets."""
    try:
        end = _end_of_long_packets(frame, payload)
    except IndexError:
        return len(frame)
    # Only zeros: a packet may come without the fixed bit where both sides agree to grease it (RFC 9287).
    return end if payload < end < len(frame) and not any(frame[end:]) else len(frame)


def _end_of_long_packets(frame: bytes, at: int) -> int:
    """Where the packets with a long header end; where they begin if they cannot be told.

    :raises IndexError: a packet is longer than its frame
    """
    start = at
    while at < len(frame) and frame[at] & LONG_HEADER:
        version = int.from_bytes(frame[at + 1 : at + 5], "big")
        number = frame[at] >> 4 & 3
        if version == VERSION_2:
            number = (number - 1) % 4  # RFC 9369, section 3.2
        elif version != VERSION_1:
            return start
        if number == 3:  # a Retry fills its datagram
            return start
        is_initial = number == 0
        at += 5
        for _ in range(2):  # connection ids
            at += 1 + frame[at]
        if is_initial:
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
