"""Captures without what pads a datagram behind its last QUIC packet, for a tshark that stumbles over it.

Endpoints may fill a datagram up behind its packets, as aioquic does. Bytes there that lack the fixed bit are no packet
(RFC 9000, section 12.2). Where the connection id is empty, tshark 4.0 takes them for one all the same, finds a key phase
in them, changes to keys that are not yet in use, and decrypts nothing any more. The padding is left out of a copy as if
it had not been captured: the length of each datagram stays what it was.
"""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ci.suites.quic.packets import VERSION_1, VERSION_2

__all__ = ["copy_without_padding"]

PCAPNG_SECTION: Final = 0x0A0D0D0A
PCAPNG_ENHANCED_PACKET: Final = 6
ETHERNET_HEADER: Final = 14
UDP: Final = 17
LONG_HEADER: Final = 0x80
FIXED_BIT: Final = 0x40


def copy_without_padding(capture: Path, target: Path) -> None:
    """Copy a capture, pcap or pcapng, of Ethernet frames.

    What is not understood is copied as it is, a torn end above all: the reader of the copy must see it.
    """
    data = capture.read_bytes()
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    pieces = _pcapng(data) if data.startswith(b"\x0a\x0d\x0d\x0a") else _pcap(data)
    with target.open("wb") as file:
        file.writelines(pieces)


def _pcap(data: bytes) -> Iterator[bytes]:
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    header = struct.Struct(f"{order}IIII")
    yield data[:24]
    at = 24
    while at + header.size <= len(data):
        seconds, fraction, captured, length = header.unpack_from(data, at)
        end = at + header.size + captured
        if end > len(data):
            break
        frame = data[at + header.size : end]
        kept = _kept(frame)
        yield header.pack(seconds, fraction, kept, length)
        yield frame[:kept]
        at = end
    yield data[at:]


def _pcapng(data: bytes) -> Iterator[bytes]:
    order = "<"
    at = 0
    while at + 12 <= len(data):
        if data[at : at + 4] == PCAPNG_SECTION.to_bytes(4, "big"):  # reads the same in both byte orders
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
        kind, total = struct.unpack_from(f"{order}II", data, at)
        if total < 12 or total % 4 or at + total > len(data):
            break
        block = data[at : at + total]
        yield _enhanced_packet(block, order) if kind == PCAPNG_ENHANCED_PACKET else block
        at += total
    yield data[at:]


def _enhanced_packet(block: bytes, order: str) -> bytes:
    header = struct.Struct(f"{order}IIIIIII")  # type, total, interface, time high and low, captured, length
    kind, _, interface, high, low, captured, length = header.unpack_from(block)
    frame = block[header.size : header.size + captured]
    kept = _kept(frame)
    if kept == captured:
        return block
    options = block[header.size + captured + -captured % 4 : -4]
    body = frame[:kept] + bytes(-kept % 4) + options
    total = header.size + len(body) + 4
    return header.pack(kind, total, interface, high, low, kept, length) + body + struct.pack(f"{order}I", total)


def _kept(frame: bytes) -> int:
    """How much of an Ethernet frame to keep: all, unless it is a datagram with padding behind QUIC packets."""
    kind = frame[12:ETHERNET_HEADER]
    if kind == b"\x08\x00" and len(frame) > 34 and frame[23] == UDP:
        start = ETHERNET_HEADER + 4 * (frame[ETHERNET_HEADER] & 0x0F) + 8
    elif kind == b"\x86\xdd" and len(frame) > 54 and frame[20] == UDP:
        start = ETHERNET_HEADER + 40 + 8
    else:
        return len(frame)
    try:
        end = _end_of_long_packets(frame, start)
    except IndexError:
        return len(frame)
    if start < end < len(frame) and not frame[end] & FIXED_BIT:
        return end
    return len(frame)


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
