"""Captures read by tshark: one pass for each, every field a check may ask for extracted once.

`-T ek` is the format of choice: one line of JSON for each frame, so a capture of any size goes through a pipe, and one
object for each QUIC packet, so that what is coalesced in one datagram stays apart. tshark writes some seventy
bytes of text for one byte captured and is through with 10 MiB of traffic in two seconds.

Works with tshark 4.0.17 and later: it and 4.4.18 give the same records of all captures in the tests. 4.0 is given
easier copies (`old_tshark`), and cannot decrypt the first v2 Initial of a client that goes on in version 2: no check
does so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import IO, Any, Final, Literal

from typing_extensions import Self

from ci.errors import EngineError
from ci.suites.quic.old_tshark import Moved, simplified_copy
from ci.suites.quic.packets import (
    SIMULATOR_HOSTS,
    VERSION_2,
    AckEcn,
    Address,
    Crypto,
    Datagram,
    Frame,
    Packet,
    PacketType,
    Trace,
)

__all__ = ["MINIMUM", "UnreadableCaptureError", "inject_secrets", "read_trace", "tshark_version"]

MINIMUM: Final = (4, 0, 17)
# Earlier ones are given copies, see `old_tshark`; 4.4 is known not to need them.
MATURE: Final = (4, 4, 0)
# Ten times what the largest capture of the suites takes on a slow machine.
TIME_LIMIT_SECONDS: Final = 300.0

# How captures begin: a section header; the file header in either byte order and resolution; either one compressed.
PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
PCAP: Final = (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")
GZIP: Final = b"\x1f\x8b"

# Ports say nothing here: a NAT may map the client to any, and a server may prefer another of its own. Whatever UDP the
# captures hold is QUIC, or no business of the endpoints.
ARGUMENTS: Final = (
    *("-n", "-T", "ek", "-J", "frame ip ipv6 udp quic"),
    *("-d", "udp.port==1-65535,quic", "--disable-protocol", "http3"),
    # Beside `crosstraffic` half of all frames and more; taking them apart takes as long as the rest.
    *("--disable-protocol", "tcp"),
)
# What an ICMP error quotes is not a second packet.
DATAGRAMS: Final = "udp && !icmp && !icmpv6"

LONG_TYPES: Final = {
    1: (PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE, PacketType.RETRY),
    # RFC 9369, section 3.2: version 2 numbers them anew.
    2: (PacketType.RETRY, PacketType.INITIAL, PacketType.ZERO_RTT, PacketType.HANDSHAKE),
}


class UnreadableCaptureError(EngineError):
    """A capture is missing, cut off, or no capture: it must not pass for one with fewer packets in it."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            "capture-unreadable",
            f"the capture {path.name} cannot be read: {why}",
            why="the simulator was killed while it wrote, or the disk is full",
        )


def read_trace(capture: Path, key_log: Path | None, whole: bool = True) -> Trace:
    """Read one capture, pcap or pcapng.

    :param key_log: the secrets to decrypt it with
    :param whole: False leaves out datagrams that begin with a short header, and so have nothing else in them
    :raises UnreadableCaptureError: it does not exist or is not whole
    :raises EngineError: tshark is missing or does not end
    """
    _check_beginning(capture)
    with tempfile.TemporaryDirectory() as scratch:
        if tshark_version() >= MATURE:
            return _read(capture, capture, key_log, whole, {})
        copy = Path(scratch) / capture.name
        return _read(capture, copy, key_log, whole, simplified_copy(capture, copy))


def _read(capture: Path, copy: Path, key_log: Path | None, whole: bool, moved: Moved) -> Trace:
    secrets = ("-o", f"tls.keylog_file:{key_log}") if key_log else ()
    wanted = DATAGRAMS if whole else f"{DATAGRAMS} && quic.header_form == 1"
    with _Tshark([*ARGUMENTS, "-Y", wanted, *secrets, "-r", str(copy)]) as tshark:
        try:
            datagrams = tuple(_datagrams(tshark.lines(), moved))
        except ValueError as error:
            complaint = tshark.complaint() or f"tshark wrote what is not JSON ({error})"
            raise UnreadableCaptureError(capture, complaint) from error
        if tshark.wait() != 0:
            raise UnreadableCaptureError(capture, tshark.complaint() or "tshark failed without saying why")
    return Trace(datagrams, decrypted=key_log is not None)


def _check_beginning(capture: Path) -> None:
    """Refuse what tshark takes for a capture of nothing: an empty file, one cut off in its first header, or text."""
    try:
        with capture.open("rb") as file:
            head, size = file.read(12), file.seek(0, os.SEEK_END)
    except OSError as error:
        raise UnreadableCaptureError(capture, error.strerror or str(error)) from error
    if not head:
        raise UnreadableCaptureError(capture, "it is empty")
    if head.startswith(PCAPNG):
        order: Literal["little", "big"] = "little" if head.endswith(b"\x4d\x3c\x2b\x1a") else "big"
        needed = int.from_bytes(head[4:8], order)
    elif head.startswith(PCAP):
        needed = 24
    elif head.startswith(GZIP):
        needed = 18
    else:
        raise UnreadableCaptureError(capture, "it is neither pcap nor pcapng")
    if size < max(needed, len(PCAPNG) * 3):
        raise UnreadableCaptureError(capture, "it is cut off in its first header")


def inject_secrets(capture: Path, key_log: Path, target: Path) -> None:
    """Write a copy of `capture` to `target` that people can open without a key log.

    :raises EngineError: editcap is missing or fails
    """
    command = ["editcap", "--inject-secrets", f"tls,{key_log}", str(capture), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except OSError as error:
        raise _missing("editcap", error) from error
    if done.returncode != 0:
        raise EngineError(
            "editcap", f"editcap could not put secrets into {capture.name}: {_without_noise(done.stderr)}"
        )


def tshark_version() -> tuple[int, int, int]:
    """The version of the tshark that will be used, to be held against `MINIMUM`.

    :raises EngineError: there is none, or it does not tell
    """
    return _version_of(shutil.which("tshark") or "tshark")


@lru_cache
def _version_of(program: str) -> tuple[int, int, int]:
    """Asked once: it takes tshark as long to say as to read a small capture."""
    command = [program, "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, timeout=60)
    except OSError as error:
        raise _missing("tshark", error) from error
    except subprocess.TimeoutExpired as error:
        raise EngineError("tshark-late", "tshark did not tell its version within a minute") from error
    found = re.search(r"\b(\d+)\.(\d+)\.(\d+)\b", done.stdout)
    if found is None:
        raise EngineError("tshark-version", f"tshark does not tell its version: {done.stdout[:80]!r}")
    return int(found[1]), int(found[2]), int(found[3])


def _missing(program: str, error: OSError) -> EngineError:
    return EngineError(
        f"{program}-missing",
        f"`{program}` could not be started: {error}",
        why="captures are judged with Wireshark's command-line tools",
        hint="install them (`apt-get install tshark`)",
    )


# --- the process ------------------------------------------------------------------------------------------


class _Tshark:
    """tshark while it reads, with nobody's preferences, and never longer than its time limit."""

    def __init__(self, arguments: list[str]) -> None:
        self._arguments = arguments

    def __enter__(self) -> Self:
        self._home = tempfile.TemporaryDirectory()
        self._complaints: IO[bytes] = tempfile.TemporaryFile()
        # A user's own settings (ports, switched-off protocols, name resolution) must not decide verdicts.
        environment = {**os.environ, "HOME": self._home.name, "XDG_CONFIG_HOME": self._home.name, "LC_ALL": "C.UTF-8"}
        try:
            self._process = subprocess.Popen(
                ["tshark", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=environment,
                # Ctrl-C at a terminal is for us: a capture is not unreadable because its reader was interrupted.
                start_new_session=True,
            )
        except OSError as error:
            self._clean()
            raise _missing("tshark", error) from error
        self._late = threading.Event()
        self._timer = threading.Timer(TIME_LIMIT_SECONDS, self._give_up)
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._process.kill()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._clean()

    def _clean(self) -> None:
        self._complaints.close()
        self._home.cleanup()

    def _give_up(self) -> None:
        self._late.set()
        self._process.kill()

    def lines(self) -> Iterable[bytes]:
        return self._process.stdout or ()

    def wait(self) -> int:
        code = self._process.wait()
        if self._late.is_set():
            raise EngineError("tshark-late", f"tshark was not through after {TIME_LIMIT_SECONDS:.0f} s")
        return code

    def complaint(self) -> str:
        self._process.wait()
        self._complaints.seek(0)
        return _without_noise(self._complaints.read().decode(errors="replace"))


def _without_noise(text: str) -> str:
    """What a program of Wireshark's complains about, in one line, without its warning of being root."""
    lines = [line.strip() for line in text.splitlines()]
    return "; ".join(line for line in lines if line and not line.startswith("Running as user"))


# --- from text to records ---------------------------------------------------------------------------------


def _datagrams(lines: Iterable[bytes], moved: Moved) -> Iterator[Datagram]:
    for line in lines:
        if line.startswith(b'{"timestamp"'):  # every other line tells a database where to put it
            datagram = _datagram(json.loads(line, object_pairs_hook=_merged)["layers"], moved)
            if not {datagram.source.host, datagram.target.host} & SIMULATOR_HOSTS:
                yield datagram


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


def _datagram(layers: dict[str, Any], moved: Moved) -> Datagram:
    version, ip = ("ip", layers["ip"]) if "ip" in layers else ("ipv6", layers["ipv6"])
    ip = _listed(ip)[0]
    udp = _listed(layers["udp"])[0]
    frame = layers["frame"]
    ecn = ip["ip_ip_dsfield_ecn"] if version == "ip" else ip["ipv6_ipv6_tclass_ecn"]
    source, target = moved.get(int(frame["frame_frame_number"])) or (
        Address(_canonical(ip[f"{version}_{version}_src"]), int(udp["udp_udp_srcport"])),
        Address(_canonical(ip[f"{version}_{version}_dst"]), int(udp["udp_udp_dstport"])),
    )
    return Datagram(
        at=float(frame["frame_frame_time_relative"]),
        source=source,
        target=target,
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
    frames = found.numbers("frame_type")
    # A number alone may have come out of a header opened with the wrong key; no packet is without a frame.
    decrypted = number is not None and bool(frames)
    key_phase = found.first("key_phase") if decrypted else None
    stream_frames = (frame for frame in frames if frame in Frame.STREAM)
    streams = zip(stream_frames, found.numbers("stream_stream_id"), strict=True)
    payload = found.length("payload") or found.length("protected_payload") or found.length("remaining_payload")
    return Packet(
        type=_type(found),
        decrypted=decrypted,
        version=found.number("version"),
        scid=_connection_id(found, "scid", "scil"),
        dcid=_connection_id(found, "dcid", "dcil"),
        token="".join(found.bytes("token")),
        retry_token="".join(found.bytes("retry_token")),
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
        finished_streams=tuple(stream for frame, stream in streams if frame & Frame.STREAM_FIN),
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
