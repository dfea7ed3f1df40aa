"""Traffic made up packet by packet, and the stored captures, for the tests of the quic suite."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ci.spec.sandbox import OpenSandbox
from ci.suites.quic.captures.packets import VERSION_1, Address, Crypto, Datagram, Packet, PacketType, Sender, Trace
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.testcases.base import Beside, Finding, TestCase, Traces

CAPTURES = Path(__file__).resolve().parent / "data" / "quic"
CLIENT, SERVER = Address("193.167.0.100", 50000), Address("193.167.100.100", 443)
CLIENT6, SERVER6 = Address("fd00:cafe:cafe::100", 50000), Address("fd00:cafe:cafe:100::100", 443)


def initial(scid: str = "c1", *, version: int = VERSION_1, token: str = "", number: int = 0, **more: object) -> Packet:
    return packet(PacketType.INITIAL, version=version, scid=scid, token=token, number=number, **more)


def packet(kind: PacketType, **more: object) -> Packet:
    known: dict[str, object] = {"type": kind, "decrypted": True, "payload_length": 100, **more}
    if kind is PacketType.HANDSHAKE:
        known = {"version": VERSION_1, **known}
    return Packet(**known)  # type: ignore[arg-type]


def one_rtt(**more: object) -> Packet:
    return packet(PacketType.ONE_RTT, **{"key_phase": 0, **more})


def handshake(scid: str = "s1", **more: object) -> Packet:
    return packet(PacketType.HANDSHAKE, scid=scid, **more)


def sent(
    sender: Sender,
    *packets: Packet,
    at: float = 0.0,
    size: int = 1200,
    ecn: int = 0,
    source: Address | None = None,
    target: Address | None = None,
) -> Datagram:
    ends = (CLIENT, SERVER) if sender == "client" else (SERVER, CLIENT)
    return Datagram(
        at=at, source=source or ends[0], target=target or ends[1], size=size, ecn=ecn, packets=tuple(packets)
    )


def traces(
    *both: Datagram,
    left: Iterable[Datagram] | None = None,
    right: Iterable[Datagram] | None = None,
    decrypted: bool = True,
) -> Traces:
    """Both captures; what is given without a side is in both."""
    sides = {"left": both if left is None else left, "right": both if right is None else right}
    return Traces(lambda side: Trace(tuple(sides[side]), decrypted=decrypted))


def connections(number: int, *, ids_each: int = 1, attempts: int | None = None) -> list[Datagram]:
    asked = [
        sent("client", initial(f"c{n}"), source=Address(CLIENT.host, 40000 + n)) for n in range(attempts or number)
    ]
    answered = [sent("server", initial(f"s{n}-{i}")) for n in range(number) for i in range(ids_each)]
    return asked + answered


def hello(*pieces: tuple[int, int], token: str = "", number: int = 0) -> Datagram:
    crypto = tuple(Crypto(*piece) for piece in pieces)
    return sent("client", initial(token=token, number=number, crypto=crypto))


class Captured:
    """The stored captures, each read once.

    :param open_sandbox: where
    """

    def __init__(self, open_sandbox: OpenSandbox) -> None:
        self._open_sandbox = open_sandbox
        self._read: dict[tuple[str, Beside, bool], Trace] = {}

    def __call__(self, name: str, whole: tuple[Beside, ...] = ("left", "right")) -> Traces:
        return Traces(lambda side: self._trace(name, side, side in whole))

    def _trace(self, name: str, side: Beside, whole: bool) -> Trace:
        if (name, side, whole) not in self._read:
            folder = CAPTURES / name
            capture, keys = folder / f"{side}.pcap.gz", folder / "keys.log"
            self._read[name, side, whole] = read_trace(capture, [keys], self._open_sandbox, whole=whole)
        return self._read[name, side, whole]


def findings(test: TestCase, seen: Traces) -> Finding | None:
    """What the first check that is not content says, as the judgement has it."""
    return next((finding for check in test.checks if (finding := check(seen)) is not None), None)
