"""The datagrams of a capture as lines that people and the timeline of a report can read."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from runs import attempt

from ci.reports.page.timeline import timeline
from ci.results.records import EvidenceFile, changed
from ci.suites.quic.captures.packet_log import FIRST, LAST, packet_log
from ci.suites.quic.captures.packets import Address, Datagram, Packet, PacketType, Trace
from ci.suites.quic.words import QUIC

CLIENT, SERVER = Address("193.167.0.100", 4433), Address("193.167.100.100", 443)


def datagram(at: float, *packets: Packet, back: bool = False, size: int = 1200) -> Datagram:
    source, target = (SERVER, CLIENT) if back else (CLIENT, SERVER)
    return Datagram(at=at, source=source, target=target, size=size, packets=packets)


def test_what_is_open_is_told_by_its_frames() -> None:
    opened = Packet(type=PacketType.INITIAL, decrypted=True, number=0, frames=(0x06, 0x00, 0x00))
    closed = Packet(type=PacketType.ONE_RTT)
    ended = Packet(type=PacketType.ONE_RTT, decrypted=True, number=7, frames=(0x1C, 0x99))
    text = packet_log(Trace((datagram(0, opened), datagram(0.0412, closed, ended, back=True, size=1))))
    assert text == (
        "+  0.000000 client | 1200 bytes: Initial #0 (CRYPTO, 2 PADDING)\n"
        "+  0.041200 server | 1 byte: 1-RTT (not decrypted); 1-RTT #7 (CONNECTION_CLOSE, 0x99)\n"
    )


@pytest.mark.parametrize("count", [0, 1, FIRST + LAST, FIRST + LAST + 1, 5000])
def test_of_many_the_beginning_and_the_end_are_kept_and_the_timeline_reads_them(count: int, tmp_path: Path) -> None:
    packet = Packet(type=PacketType.ONE_RTT, decrypted=True, number=1, frames=(0x08,))
    data = packet_log(Trace(tuple(datagram(number / 1000, packet) for number in range(count)))).encode()
    path = "s_c/retry/packets/left.txt"
    place = tmp_path / "shard-1-of-1" / path
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    file = EvidenceFile(
        role="packets", stream="left.txt", path=path, size=len(data), sha256=hashlib.sha256(data).hexdigest()
    )
    case = QUIC.case("c", "s", "retry")
    lines, _ = timeline(changed(attempt(case, metrics={}), evidence=(file,)), tmp_path)
    assert len(lines) == min(count, FIRST + LAST)
    assert {it.clock for it in lines} <= {"packets left"}
    assert ("left out" in data.decode()) is (count > FIRST + LAST)
