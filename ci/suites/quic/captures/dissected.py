"""What tshark says of a capture (`-T ek`), as records: one datagram for each line of JSON, one packet for each object.

One line for each frame, so a capture of any size goes through a pipe, and one object for each QUIC packet, so that
what is coalesced in one datagram stays apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from ci.suites.quic.captures.packets import (
    SIMULATOR_HOSTS,
    VERSION_2,
    AckEcn,
    Address,
    Crypto,
    Datagram,
    Frame,
    Packet,
    PacketType,
)

__all__ = ["datagrams"]

LONG_TYPES: Final = {
    1: (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.RETRY),
    # RFC 9369, section 3.2: version 2 numbers them anew.
    2: (PacketType.RETRY, PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE),
}


def datagrams(lines: Iterable[bytes]) -> Iterator[tuple[int, Datagram]]:
    """The datagrams with the numbers of their frames; those of the simulator itself are left out.

    :raises ValueError: a line is not JSON
    """
    for line in lines:
        if line.startswith(b'{"timestamp"'):  # every other line tells a database where to put it
            layers = json.loads(line, object_pairs_hook=_merged)["layers"]
            number = int(layers["frame"]["frame_frame_number"])
            datagram = _datagram(layers)
            if not {datagram.source.host, datagram.target.host} & SIMULATOR_HOSTS:
                yield number, datagram


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; what it names twice is kept twice."""
    merged = dict(pairs)
    if len(merged) < len(pairs):
        merged = {}
        for name, value in pairs:
            merged[name] = [*_listed(merged[name]), *_listed(value)] if name in merged else value
    return merged


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _datagram(layers: dict[str, Any]) -> Datagram:
    version, ip = ("ip", layers["ip"]) if "ip" in layers else ("ipv6", layers["ipv6"])
    ip = _listed(ip)[0]
    udp = _listed(layers["udp"])[0]
    frame = layers["frame"]
    ecn = ip["ip_ip_dsfield_ecn"] if version == "ip" else ip["ipv6_ipv6_tclass_ecn"]
    return Datagram(
        at=float(frame["frame_frame_time_relative"]),
        source=Address(_canonical(ip[f"{version}_{version}_src"]), int(udp["udp_udp_srcport"])),
        target=Address(_canonical(ip[f"{version}_{version}_dst"]), int(udp["udp_udp_dstport"])),
        size=int(udp["udp_udp_length"]) - 8,
        ecn=int(ecn),
        packets=tuple(_packets(_listed(layers.get("quic", [])))),
    )


@lru_cache(maxsize=64)
def _canonical(host: str) -> str:
    return str(ip_address(host))


def _packets(layers: list[dict[str, Any]]) -> Iterator[Packet]:
    for layer in layers:
        found = _Fields(layer)
        if found.first("header_form") is not None:  # else: what pads a datagram after its last packet
            yield _packet(found)


class _Fields:
    """The fields of one QUIC packet by name, in order, however deep tshark has put them."""

    def __init__(self, layer: dict[str, Any]) -> None:
        self._found: dict[str, list[Any]] = {}
        self._gather(layer)

    def _gather(self, layer: dict[str, Any]) -> None:
        for name, value in layer.items():
            if isinstance(value, dict):
                self._gather(value)
                continue
            values = _listed(value)
            self._found.setdefault(name, []).extend(values)
            for item in values:
                if isinstance(item, dict):
                    self._gather(item)

    def first(self, name: str, protocol: str = "quic_quic") -> Any:
        values = self._found.get(f"{protocol}_{name}")
        return values[0] if values else None

    def numbers(self, name: str, protocol: str = "quic_quic") -> tuple[int, ...]:
        return tuple(int(value, 0) for value in self._found.get(f"{protocol}_{name}", ()))

    def texts(self, name: str, protocol: str = "quic_quic") -> tuple[str, ...]:
        return tuple(map(str, self._found.get(f"{protocol}_{name}", ())))

    def number(self, name: str) -> int | None:
        value = self.first(name)
        return None if value is None else int(value, 0)

    def bytes(self, name: str) -> tuple[str, ...]:
        return tuple(value.replace(":", "") for value in self._found.get(f"quic_quic_{name}", ()))

    def length(self, name: str) -> int:
        value = self.first(name)
        return (len(value) + 1) // 3 if value else 0  # aa:bb:cc


def _packet(found: _Fields) -> Packet:
    number = found.number("packet_number")
    frames, streams = found.numbers("frame_type"), found.numbers("stream_stream_id")
    # A number alone may have come out of a header opened with the wrong key; no packet is without a frame.
    decrypted = number is not None and bool(frames)
    if len(streams) < sum(frame in Frame.STREAM for frame in frames):
        frames = frames[:-1]  # the packet ends before the last one says which stream it is of
    key_phase = found.first("key_phase") if decrypted else None
    fixed_bit = found.first("fixed_bit")
    stream_frames = [frame for frame in frames if frame in Frame.STREAM]
    payload = found.length("payload") or found.length("protected_payload") or found.length("remaining_payload")
    return Packet(
        type=_type(found),
        decrypted=decrypted,
        version=found.number("version"),
        scid=_connection_id(found, "scid", "scil"),
        dcid=_connection_id(found, "dcid", "dcil"),
        token="".join(found.bytes("token")),
        retry_token="".join(found.bytes("retry_token")),
        fixed_bit=fixed_bit is None or bool(int(fixed_bit)),
        number=number if decrypted else None,
        payload_length=payload,
        key_phase=None if key_phase is None else int(key_phase),
        frames=frames,
        crypto=tuple(map(Crypto, found.numbers("crypto_offset"), found.numbers("crypto_length"))),
        ack_ecn=tuple(
            map(
                AckEcn,
                found.numbers("ack_ect0_count"),
                found.numbers("ack_ect1_count"),
                found.numbers("ack_ecn_ce_count"),
            )
        ),
        path_challenges=found.bytes("path_challenge_data"),
        path_responses=found.bytes("path_response_data"),
        finished_streams=tuple(
            stream for frame, stream in zip(stream_frames, streams, strict=True) if frame & Frame.STREAM_FIN
        ),
        handshake_types=found.numbers("handshake_type", "tls_tls"),
        cipher_suites=found.numbers("handshake_ciphersuite", "tls_tls"),
        alpn=found.texts("handshake_extensions_alpn_str", "tls_tls"),
        certificates_length=found.numbers("handshake_certificates_length", "tls_tls"),
        max_streams_bidi=found.numbers("quic_parameter_initial_max_streams_bidi", "tls_tls"),
    )


def _type(found: _Fields) -> PacketType:
    if found.number("header_form") == 0:
        return PacketType.ONE_RTT
    version = found.number("version")
    if version == 0:
        return PacketType.VERSION_NEGOTIATION
    number = found.number("long_packet_type_v2" if version == VERSION_2 else "long_packet_type")
    return PacketType.UNKNOWN if number is None else LONG_TYPES[2 if version == VERSION_2 else 1][number]


def _connection_id(found: _Fields, name: str, length: str) -> str | None:
    """In hex; empty where the header says that there is none."""
    values = found.bytes(name)
    if values:
        return values[0]
    return "" if found.number(length) == 0 else None
