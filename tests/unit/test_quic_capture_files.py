"""Copies of captures with other frames in them: the rest is as it was, and what is torn is still torn."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quic_traffic import CAPTURES
from record_strategies import unhurried

from ci.suites.quic.captures.files import Frame, UnreadableCaptureError, rewrite
from ci.suites.quic.captures.frames import payload_of


def stored(name: str, side: str = "right") -> bytes:
    return gzip.decompress((CAPTURES / name / f"{side}.pcap.gz").read_bytes())


def frames(capture: bytes) -> list[tuple[int, bytes]]:
    """Of a little-endian pcap: the length on the wire, and what was captured of it."""
    found, at = [], 24
    while at < len(capture):
        _, _, kept, length = struct.unpack_from("<IIII", capture, at)
        found.append((length, capture[at + 16 : at + 16 + kept]))
        at += 16 + kept
    return found


def emptied(frame: Frame) -> bytes:
    """Its headers, in which it says how long it was."""
    return frame.data[: payload_of(frame)]


def copied(folder: Path, data: bytes) -> bytes:
    (folder / "original").write_bytes(data)
    return rewrite(folder / "original", emptied)


def test_payloads_are_gone_and_nothing_else_changes(tmp_path: Path) -> None:
    before, after = frames(stored("handshake")), frames(copied(tmp_path, stored("handshake")))

    assert [length for length, _ in before] == [length for length, _ in after]
    assert [frame[:42] for _, frame in before] == [frame for _, frame in after]  # Ethernet, IPv4, UDP


@unhurried
@given(st.sampled_from(["handshake", "v2", "ipv6", "retry", "resumption"]), st.integers(min_value=24, max_value=8000))
def test_a_torn_end_is_still_torn(name: str, end: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        whole, torn = (copied(Path(scratch), stored(name)[:cut]) for cut in (None, end))
    before = stored(name)[:end]
    assert len(before) - records_end(before) == len(torn) - records_end(torn)
    assert whole.startswith(torn[: records_end(torn)])


def records_end(capture: bytes) -> int:
    """Where the last whole record of a little-endian pcap ends."""
    at = 24
    while at + 16 <= len(capture):
        (kept,) = struct.unpack_from("<I", capture, at + 8)
        if at + 16 + kept > len(capture):
            break
        at += 16 + kept
    return at


@pytest.mark.parametrize("data", [b"", b"\x0a\x0d\x0d\x0a", b"\xd4\xc3\xb2\xa1", b"text\n" * 9, b"\x1f\x8b\x08"])
def test_what_is_no_capture_is_not_copied(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UnreadableCaptureError):
        copied(tmp_path, data)


def relinked(capture: bytes, kind: int, head: bytes, tags: bytes = b"") -> bytes:
    """A little-endian pcap of Ethernet frames with other link layers: their protocol goes where `head` ends."""
    pieces, at = [capture[:20], struct.pack("<I", kind)], 24
    for length, frame in frames(capture):
        changed = frame[14:] if not head else head + tags + frame[12:14] + frame[14:]
        if kind == 276:  # the protocol comes first
            changed = frame[12:14] + head + frame[14:]
        pieces += [capture[at : at + 8], struct.pack("<II", len(changed), len(changed)), changed]
        at += 16 + length
    return b"".join(pieces)


VLAN, QINQ = b"\x81\x00\x00\x64", b"\x88\xa8\x00\x01"
MACS = b"\x02\0\0\0\0\1\x02\0\0\0\0\2"
LINKS = {
    "vlan": (1, MACS, VLAN),
    "qinq": (1, MACS, QINQ + VLAN),
    "cooked": (113, b"\0\0\0\x01\0\x06" + MACS[:6] + b"\0\0", b""),
    "cooked-2": (276, bytes(4) + b"\0\0\x01\0\0\x06" + MACS[:6] + b"\0\0", b""),
    "bare": (101, b"", b""),
}


@pytest.mark.parametrize("link", LINKS)
def test_datagrams_are_found_behind_other_links(tmp_path: Path, link: str) -> None:
    """A simulator may capture on a tagged interface or on all of them."""
    payloads = [frame[42:] for _, frame in frames(stored("handshake"))]
    seen: list[bytes] = []

    def look(frame: Frame) -> bytes:
        start = payload_of(frame)
        assert start is not None
        seen.append(frame.data[start:])
        return frame.data

    (tmp_path / "right.pcap").write_bytes(relinked(stored("handshake"), *LINKS[link]))
    assert rewrite(tmp_path / "right.pcap", look) == (tmp_path / "right.pcap").read_bytes()
    assert seen == payloads


@pytest.mark.parametrize(
    "frame",
    [
        Frame(1, 1, bytes(13)),
        Frame(1, 1, bytes(12) + b"\x08\x06" + bytes(28)),
        Frame(1, 101, b"\x45" + bytes(8) + b"\x06" + bytes(18)),
        Frame(1, 101, b"\x45" + bytes(5) + b"\x00\x10" + bytes(1) + b"\x11" + bytes(18)),
        Frame(1, 101, b"\x4f" + bytes(8) + b"\x11" + bytes(18)),
        Frame(1, 147, b"\x45" + bytes(8) + b"\x11" + bytes(18)),
    ],
    ids=["short", "ARP", "TCP", "a later fragment", "cut off in its header", "another link"],
)
def test_other_frames_have_no_datagram(frame: Frame) -> None:
    assert payload_of(frame) is None
