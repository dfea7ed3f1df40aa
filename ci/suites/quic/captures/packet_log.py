"""The datagrams of a capture as lines for people, as far as they could be decrypted: `+  0.041 client | 1200 bytes: …`.

Lines are those of `ci.spec.capture.interleave`, in seconds since the capture's first packet.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Final

from ci.suites.quic.captures.packets import Datagram, Frame, Packet, Trace
from ci.util.text import counted

__all__ = ["packet_log"]

# What a transfer consists of is the same over and over: beginning and end are enough.
FIRST: Final = 150
LAST: Final = 250
MOST_PACKETS: Final = 6
# RFC 9000, section 19, and RFC 9221.
_FRAMES: Final = {
    0x00: "PADDING", 0x01: "PING", 0x02: "ACK", 0x03: "ACK with ECN", 0x04: "RESET_STREAM", 0x05: "STOP_SENDING",
    0x06: "CRYPTO", 0x07: "NEW_TOKEN", 0x10: "MAX_DATA", 0x11: "MAX_STREAM_DATA", 0x12: "MAX_STREAMS",
    0x13: "MAX_STREAMS", 0x14: "DATA_BLOCKED", 0x15: "STREAM_DATA_BLOCKED", 0x16: "STREAMS_BLOCKED",
    0x17: "STREAMS_BLOCKED", 0x18: "NEW_CONNECTION_ID", 0x19: "RETIRE_CONNECTION_ID", 0x1A: "PATH_CHALLENGE",
    0x1B: "PATH_RESPONSE", 0x1C: "CONNECTION_CLOSE", 0x1D: "CONNECTION_CLOSE (application)", 0x1E: "HANDSHAKE_DONE",
    0x30: "DATAGRAM", 0x31: "DATAGRAM", **dict.fromkeys(Frame.STREAM, "STREAM"),
}  # fmt: skip


def packet_log(trace: Trace) -> str:
    """A line for each datagram, and one for those left out in the middle."""
    datagrams = trace.datagrams
    out = len(datagrams) - FIRST - LAST
    if out <= 0:
        return "".join(map(_line, datagrams))
    gap = datagrams[FIRST]
    note = f"+{gap.at:10.6f} {gap.sender} | … {counted(out, 'datagram')} left out …\n"
    return "".join([*map(_line, datagrams[:FIRST]), note, *map(_line, datagrams[-LAST:])])


def _line(datagram: Datagram) -> str:
    packets = [_packet(it) for it in datagram.packets[:MOST_PACKETS]]
    more = len(datagram.packets) - MOST_PACKETS
    said = "; ".join([*packets, *([counted(more, "more packet")] if more > 0 else [])])
    return f"+{datagram.at:10.6f} {datagram.sender} | {counted(datagram.size, 'byte')}: {said}\n"


def _packet(packet: Packet) -> str:
    number = "" if packet.number is None else f" #{packet.number}"
    frames = ", ".join(_named(packet.frames)) if packet.decrypted else ""
    return f"{packet.type}{number}" + (f" ({frames})" if frames else "" if packet.decrypted else " (not decrypted)")


def _named(frames: Iterable[int]) -> Iterable[str]:
    for name, same in groupby(_FRAMES.get(it, hex(it)) for it in frames):
        count = len(list(same))
        yield name if count == 1 else f"{count} {name}"
