"""A capture → the datagrams of its connections, read as often as it takes to open them.

Mostly that is once. What stays closed is read again: with the key log of the other side, and without what leads tshark
astray. That is what belongs to no connection, and what a Retry has made void: the client says its ClientHello a second
time then, tshark takes that for a retransmission, forgets the first, and finds no secrets for a connection of which
it has seen none.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from ci.spec.sandbox import OpenSandbox, Sandbox
from ci.suites.quic.captures.connections import exchanged
from ci.suites.quic.captures.files import Frame, check_capture, rewrite
from ci.suites.quic.captures.frames import payload_of
from ci.suites.quic.captures.key_logs import tidied
from ci.suites.quic.captures.packets import Datagram, PacketType, Trace
from ci.suites.quic.captures.tshark import dissect

__all__ = ["opening_key_log", "read_trace"]


def read_trace(capture: Path, key_logs: Sequence[Path], open_sandbox: OpenSandbox, *, whole: bool = True) -> Trace:
    """Read one capture, pcap or pcapng.

    :param key_logs: the secrets to decrypt it with; a further one is tried where those before it have not opened it
    :param whole: False leaves out datagrams that begin with a short header, and so have nothing else in them
    :raises UnreadableCaptureError: it does not exist or is not whole
    :raises EngineError: tshark does not end, or the engine broke
    """
    check_capture(capture)
    with open_sandbox() as sandbox:
        return _Readings(capture, sandbox, whole=whole).trace(key_logs)


def opening_key_log(capture: Path, key_logs: Sequence[Path], open_sandbox: OpenSandbox) -> Path | None:
    """The first of these that opens a capture; the first one if none does, and None if there is none.

    :raises UnreadableCaptureError, EngineError: see `read_trace`
    """
    if len(key_logs) > 1:
        for key_log in key_logs:
            if not _closed(read_trace(capture, [key_log], open_sandbox).datagrams):
                return key_log
    return key_logs[0] if key_logs else None


class _Readings:
    """All readings of one capture."""

    def __init__(self, capture: Path, sandbox: Sandbox, *, whole: bool) -> None:
        self._capture = capture
        self._sandbox = sandbox
        self._file = sandbox.write("capture", capture.read_bytes())
        self._whole = whole

    def trace(self, key_logs: Sequence[Path]) -> Trace:
        if not key_logs:
            return Trace(exchanged(self._read(self._file, None).values()), decrypted=False)
        found: dict[int, Datagram] = {}
        for key_log in key_logs:
            secrets = self._sandbox.write("keys.log", tidied(key_log))
            found = _together(found, self._read(self._file, secrets))
            if _closed(exchanged(found.values())) and (misleading := _misleading(found)):
                found = _together(found, self._read(self._copy(without=misleading), secrets))
            if not _closed(exchanged(found.values())):
                break
        return Trace(exchanged(found.values()), decrypted=True)

    def _copy(self, *, without: Collection[int]) -> str:
        """:param without: the numbers of frames whose datagrams are to be empty"""

        def change(frame: Frame) -> bytes:
            return frame.data[: payload_of(frame)] if frame.number in without else frame.data

        return self._sandbox.write("copy", rewrite(self._capture, change))

    def _read(self, file: str, key_log: str | None) -> dict[int, Datagram]:
        return dissect(self._sandbox, file, key_log, whole=self._whole, capture=self._capture)


def _together(first: dict[int, Datagram], second: dict[int, Datagram]) -> dict[int, Datagram]:
    """Of each datagram the reading in which more of its packets are open."""
    better = {number: max((first.get(number, it), it), key=_opened) for number, it in second.items()}
    return {**first, **better}  # what is emptied for the second reading may be in the first alone


def _opened(datagram: Datagram) -> int:
    return sum(packet.decrypted for packet in datagram.packets)


def _closed(datagrams: Iterable[Datagram]) -> bool:
    """Whether a handshake, or all that one side says after it, is still secret."""
    seen: dict[tuple[str | None, PacketType], list[bool]] = {}
    for datagram in datagrams:
        for packet in datagram.packets:
            seen.setdefault((datagram.sender, packet.type), []).append(packet.decrypted)
    return any(
        not all(opened) if kind is PacketType.HANDSHAKE else kind is PacketType.ONE_RTT and not any(opened)
        for (_, kind), opened in seen.items()
    )


def _misleading(found: dict[int, Datagram]) -> frozenset[int]:
    """The frames of what belongs to no connection, and of what was said before a Retry, with the Retry itself."""
    connected = exchanged(found.values())
    theirs = {id(datagram) for datagram in connected}
    server_ids = {packet.scid for it in connected if it.sender == "server" for packet in it.packets}
    sent_back = {(it.target, it.source) for it in connected for packet in it.packets if packet.type is PacketType.RETRY}

    def misleads(datagram: Datagram) -> bool:
        if id(datagram) not in theirs or datagram.packets[0].type is PacketType.RETRY:
            return True
        first = datagram.packets[0]
        return (
            (datagram.source, datagram.target) in sent_back and first.scid is not None and first.dcid not in server_ids
        )

    return frozenset(number for number, datagram in found.items() if misleads(datagram))
