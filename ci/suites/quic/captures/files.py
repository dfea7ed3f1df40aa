"""Capture files, pcap and pcapng, frame by frame: whether everything is there, and copies with other frames in them."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from ci.errors import EngineError

__all__ = ["Change", "Frame", "UnreadableCaptureError", "check_capture", "rewrite"]

# How captures begin: a section header; the file header in either byte order and resolution; either one compressed.
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
PCAP: Final = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
GZIP: Final = b"\x1f\x8b"

# Blocks of pcapng: an interface, and the two ways in which a packet is written today.
INTERFACE, SIMPLE_PACKET, ENHANCED_PACKET = 1, 3, 6


class UnreadableCaptureError(EngineError):
    """A capture is missing, not whole, or no capture: it must not pass for one with fewer packets in it."""

    def __init__(self, path: Path, problem: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(
            "capture-unreadable",
            f"the capture {path.name} cannot be read: {problem}",
            why=why or "the simulator was killed while it wrote, or the disk is full",
            hint=hint,
        )


class Frame(NamedTuple):
    """One frame of a capture.

    :param number: from 1
    :param link: what it begins with, one of the `LINKTYPE_` numbers of the format
    """

    number: int
    link: int
    data: bytes


# What stands in the copy instead: the frame, or the beginning of it.
Change: TypeAlias = Callable[[Frame], bytes]


def check_capture(capture: Path) -> None:
    """Refuse what tshark takes for a capture of nothing, and one whose frames are not all there.

    :raises UnreadableCaptureError: the file is empty, cut off in its first header, or text; frames were captured up to
        a length only
    """
    for _ in _pieces(capture, lambda frame: frame.data):
        pass


def rewrite(capture: Path, change: Change) -> bytes:
    """A copy of a capture with its frames changed; the number of frames, and how long each says it is, stay.

    What is not understood is copied as it is, a torn end above all: the reader of the copy must see it.

    :raises UnreadableCaptureError: see `check_capture`
    """
    return b"".join(_pieces(capture, change))


def _pieces(capture: Path, change: Change) -> Iterator[bytes]:
    try:
        data = capture.read_bytes()
        if data.startswith(GZIP):
            data = gzip.decompress(data)
    except (EOFError, zlib.error) as error:
        raise UnreadableCaptureError(capture, "it is cut off") from error
    except OSError as error:
        raise UnreadableCaptureError(capture, error.strerror or str(error)) from error
    needed = _needed(capture, data)
    if len(data) < max(needed, len(PCAPNG) * 3):
        raise UnreadableCaptureError(capture, "it is cut off in its first header")
    file = _File(capture, change)
    return file.pcapng(data) if data.startswith(PCAPNG) else file.pcap(data)


def _needed(capture: Path, data: bytes) -> int:
    """The size of the first header."""
    if not data:
        raise UnreadableCaptureError(capture, "it is empty")
    if data.startswith(PCAPNG):
        order = "<" if data[8:12] == b"\x4d\x3c\x2b\x1a" else ">"
        return int(struct.unpack_from(f"{order}I", data.ljust(8), 4)[0])
    if data.startswith(PCAP):
        return 24
    raise UnreadableCaptureError(capture, "it is neither pcap nor pcapng")


class _File:
    """One capture on its way through `change`."""

    def __init__(self, capture: Path, change: Change) -> None:
        self._capture = capture
        self._change = change
        self._number = 0

    def _changed(self, link: int, data: bytes, length: int) -> bytes:
        self._number += 1
        if len(data) < length:
            raise UnreadableCaptureError(
                self._capture,
                f"of packet {self._number} only {len(data)} of {length} bytes were captured",
                why="the simulator captures with a snap length (`tcpdump -s`), and what is cut off cannot be judged",
                hint="use a simulator that captures whole packets, as the one built here does",
            )
        return self._change(Frame(self._number, link, data))

    def pcap(self, data: bytes) -> Iterator[bytes]:
        order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
        header = struct.Struct(f"{order}IIII")
        link = struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
        yield data[:24]
        at = 24
        while at + header.size <= len(data):
            seconds, fraction, captured, length = header.unpack_from(data, at)
            end = at + header.size + captured
            if end > len(data):
                break
            frame = self._changed(link, data[at + header.size : end], length)
            yield header.pack(seconds, fraction, len(frame), length)
            yield frame
            at = end
        yield data[at:]

    def pcapng(self, data: bytes) -> Iterator[bytes]:
        order = "<"
        links: list[int] = []
        at = 0
        while at + 12 <= len(data):
            if data.startswith(PCAPNG, at):  # reads the same in both byte orders
                order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
                links = []
            kind, total = struct.unpack_from(f"{order}II", data, at)
            if total < 12 or total % 4 or at + total > len(data):
                break
            block = data[at : at + total]
            if kind == INTERFACE and total >= 20:
                links.append(struct.unpack_from(f"{order}H", block, 8)[0])
            if kind == ENHANCED_PACKET and total >= 32:
                yield self._enhanced_packet(block, order, links)
            else:
                self._number += kind == SIMPLE_PACKET
                yield block
            at += total
        yield data[at:]

    def _enhanced_packet(self, block: bytes, order: str, links: list[int]) -> bytes:
        header = struct.Struct(f"{order}IIIIIII")  # type, total, interface, time high and low, captured, length
        kind, _, interface, high, low, captured, length = header.unpack_from(block)
        link = links[interface] if interface < len(links) else -1
        frame = self._changed(link, block[header.size : header.size + captured], length)
        options = block[header.size + captured + -captured % 4 : -4]
        body = frame + bytes(-len(frame) % 4) + options
        total = header.size + len(body) + 4
        head = header.pack(kind, total, interface, high, low, len(frame), length)
        return head + body + struct.pack(f"{order}I", total)
