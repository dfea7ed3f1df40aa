"""Copies for an old tshark: what leads it astray is gone, everything else is as it was."""

from __future__ import annotations

import gzip
import shutil
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quic_traffic import CAPTURES, captured, needs_tshark
from record_strategies import unhurried

from ci.suites.quic.captures import reading
from ci.suites.quic.captures.files import Frame, UnreadableCaptureError, rewrite
from ci.suites.quic.captures.frames import datagram_in
from ci.suites.quic.captures.old_tshark import Moved, Simplifier
from ci.suites.quic.captures.packets import Address
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.captures.tshark import inject_secrets

needs_editcap = pytest.mark.skipif(shutil.which("editcap") is None, reason="editcap is not installed")


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


def simplified_copy(original: Path, copy: Path) -> Moved:
    simplifier = Simplifier()

    def change(frame: Frame) -> bytes:
        place = datagram_in(frame)
        return frame.data if place is None else simplifier(frame, place)

    rewrite(original, copy, change)
    return simplifier.moved


def copied(folder: Path, data: bytes) -> bytes:
    (folder / "original").write_bytes(data)
    simplified_copy(folder / "original", folder / "copy")
    return (folder / "copy").read_bytes()


def test_padding_is_not_captured_and_nothing_else_changes(tmp_path: Path) -> None:
    before, after = frames(stored("handshake")), frames(copied(tmp_path, stored("handshake")))

    assert [length for length, _ in before] == [length for length, _ in after]
    # The ClientHello takes 526 bytes of its 1200, behind 42 bytes of headers.
    assert len(before[0][1]) == 1242
    assert after[0][1] == before[0][1][: 42 + 526]
    # A packet with a short header may be the last of several, and then it stays.
    assert after[2][1] == before[2][1]
    assert after[3:] == before[3:]


def test_what_moves_stays_where_it_began_and_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(stored("rebind-addr"))
    moved = simplified_copy(tmp_path / "original", tmp_path / "copy")
    after = frames((tmp_path / "copy").read_bytes())

    outside, server = Address("193.167.0.17", 4711), Address("193.167.100.100", 443)
    assert set(moved.values()) == {(outside, server), (server, outside)}
    ends = {frame[26:34] for _, frame in after}
    assert ends == {bytes([193, 167, 0, 100, 193, 167, 100, 100]), bytes([193, 167, 100, 100, 193, 167, 0, 100])}
    ports = {frame[34:38] for _, frame in after}
    assert ports == {struct.pack("!HH", 50000, 443), struct.pack("!HH", 443, 50000)}
    assert len(after) == len(frames(stored("rebind-addr")))


@pytest.mark.parametrize("name", ["resumption", "no-ecn-acks", "ipv6"])
def test_connections_that_stay_are_not_moved(tmp_path: Path, name: str) -> None:
    (tmp_path / "original").write_bytes(stored(name))
    assert simplified_copy(tmp_path / "original", tmp_path / "copy") == {}


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


@needs_tshark
@pytest.mark.parametrize("link", LINKS)
def test_other_links_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, link: str) -> None:
    """A simulator may capture on a tagged interface or on all of them."""
    monkeypatch.setattr(reading, "MATURE", (99, 0, 0))
    capture = tmp_path / "right.pcap"
    capture.write_bytes(relinked(stored("empty-connection-ids"), *LINKS[link]))
    seen = read_trace(capture, [CAPTURES / "empty-connection-ids" / "keys.log"])
    assert seen.datagrams == captured("empty-connection-ids").right.datagrams
    assert all(packet.decrypted for datagram in seen.datagrams for packet in datagram.packets)


@needs_tshark
@needs_editcap
@pytest.mark.parametrize("name", ["empty-connection-ids", "handshake"])
def test_both_formats_are_simplified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(reading, "MATURE", (99, 0, 0))
    folder = CAPTURES / name
    inject_secrets(folder / "right.pcap.gz", folder / "keys.log", tmp_path / "newer.pcapng")
    assert (tmp_path / "newer.pcapng").read_bytes().startswith(b"\x0a\x0d\x0d\x0a")
    trace = read_trace(tmp_path / "newer.pcapng", [])
    assert trace.datagrams == captured(name).right.datagrams
    assert all(packet.decrypted for datagram in trace.datagrams for packet in datagram.packets)


@needs_tshark
@pytest.mark.parametrize("name", ["handshake", "rebind-addr", "connectionmigration", "zerortt"])
def test_a_copy_says_the_same_as_its_original(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Where connection ids are not empty, every tshark can read both."""
    folder = CAPTURES / name
    read = []
    for mature in ((0, 0, 0), (99, 0, 0)):
        monkeypatch.setattr(reading, "MATURE", mature)
        read.append(read_trace(folder / "right.pcap.gz", [folder / "keys.log"]).datagrams)
    assert read[0] == read[1]
