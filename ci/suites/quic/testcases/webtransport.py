"""The test cases of WebTransport (contract, sections 4.6 and 4.7)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, TypeAlias

from ci.suites.quic.captures.packets import Frame, Sender, Trace
from ci.suites.quic.materials.case_files import CaseFile, CaseFiles
from ci.suites.quic.materials.seeded import Draw
from ci.suites.quic.testcases.base import KIB, MIB, Check, Finding, TestCase, Traces
from ci.suites.quic.testcases.checks import handshakes
from ci.suites.quic.words import WEBTRANSPORT
from ci.util.text import counted

__all__ = ["WEBTRANSPORT_CASES", "carried_by_datagrams", "carried_by_streams"]

Carrier: TypeAlias = Literal["unidirectional", "bidirectional", "datagram"]

PREFIX: Final = "https://server4:443/"
OFFERED: Final = 5
STREAM_FILES: Final = (100 * KIB, 500 * KIB, 250 * KIB, 1 * MIB, 2 * MIB)
DATAGRAM_FILES: Final = tuple(range(600, 1000, 2))


# --- case_files ---------------------------------------------------------------------------------------------


def negotiation(seed: int) -> CaseFiles:
    """A session and two lists of protocols, two of which both sides have, in opposite order."""
    draw = Draw(seed, "webtransport")
    endpoint = draw.slug()
    first, second = draw.slug(), draw.slug()
    earlier, later = sorted(_two_of(draw, OFFERED))
    lists = {}
    for side, shared in (("client", (first, second)), ("server", (second, first))):
        names = [draw.slug() for _ in range(OFFERED)]
        names[earlier], names[later] = shared
        lists[side] = " ".join(names)
    return CaseFiles(
        seed=seed,
        empty_folders=(("server", endpoint),),
        requests={"client": PREFIX + endpoint, "server": ""},
        protocols={"client": lists["client"], "server": lists["server"]},
        # The client's order decides.
        protocol=first,
    )


def _two_of(draw: Draw, bound: int) -> tuple[int, int]:
    one = draw.below(bound)
    return one, (one + 1 + draw.below(bound - 1)) % bound


def transfer(seed: int, *, sizes: tuple[int, ...], sender: Sender) -> CaseFiles:
    """Files below one endpoint; the side that does not have them asks for them."""
    draw = Draw(seed, "webtransport")
    endpoint, protocol = draw.slug(), draw.slug()
    files = tuple(CaseFile(name=f"{endpoint}/{draw.slug()}", size=size) for size in sizes)
    paths = [file.name for file in files]
    if sender == "server":
        requests: dict[Sender, str] = {"client": " ".join(PREFIX + path for path in paths), "server": ""}
    else:
        requests = {"client": PREFIX + endpoint, "server": " ".join(paths)}
    return CaseFiles(
        seed=seed,
        files=files,
        sender=sender,
        empty_folders=(("server", endpoint), ("client", endpoint)),
        requests=requests,
        protocols={"client": protocol, "server": protocol},
    )


# --- checks -----------------------------------------------------------------------------------------------


def carried_by_streams(carrier: Literal["unidirectional", "bidirectional"], *, sender: Sender, files: int) -> Check:
    """The sender ended at least as many streams of the right kind as there are files, where that can be read.

    The kind is in the two lowest bits of a stream's number (RFC 9000, section 2.1): who opened it, and whether both
    may use it. Unidirectional streams are opened by the sender of a file, bidirectional ones by who asks for it.
    """
    opener = sender if carrier == "unidirectional" else ("client" if sender == "server" else "server")
    kind = (0 if opener == "client" else 1) | (2 if carrier == "unidirectional" else 0)

    def check(traces: Traces) -> Finding | None:
        packets = [packet for packet in _beside(traces, sender).packets(sender) if packet.decrypted]
        ended = {stream for packet in packets for stream in packet.finished_streams if stream % 4 == kind}
        if len(ended) >= files or not traces.right.decrypted:
            return None
        return Finding(
            text=f"the {sender} ended {counted(len(ended), f'{carrier} stream')} opened by the {opener},"
            f" there are {files} files",
            side=sender,
        )

    return check


def carried_by_datagrams(*, sender: Sender, files: int) -> Check:
    """The sender sent at least as many DATAGRAM frames (RFC 9221) as there are files, where that can be read."""

    def check(traces: Traces) -> Finding | None:
        packets = _beside(traces, sender).packets(sender)
        sent = sum(frame in Frame.DATAGRAM for packet in packets for frame in packet.frames)
        if sent >= files or not traces.right.decrypted:
            return None
        text = f"the {sender} sent {counted(sent, 'DATAGRAM frame')}, there are {files} files"
        return Finding(text=text, side=sender)

    return check


def _beside(traces: Traces, sender: Sender) -> Trace:
    return traces.left if sender == "client" else traces.right


# --- test cases -------------------------------------------------------------------------------------------


def _transfer(carrier: Carrier, direction: Literal["receive", "send"], description: str) -> TestCase:
    sender: Sender = "server" if direction == "receive" else "client"
    sizes = DATAGRAM_FILES if carrier == "datagram" else STREAM_FILES
    name = f"transfer-{carrier}-{direction}"
    if carrier == "datagram":
        carried = carried_by_datagrams(sender=sender, files=len(sizes))
    else:
        carried = carried_by_streams(carrier, sender=sender, files=len(sizes))
    make_files: Callable[[int], CaseFiles] = partial(transfer, sizes=sizes, sender=sender)
    return TestCase(
        name=name,
        abbreviation=carrier[0].upper() + direction[0].upper(),
        description=description,
        suite=WEBTRANSPORT,
        client=name if direction == "receive" else "transfer",
        server=name if direction == "send" else "transfer",
        sizes=sizes,
        make_files=make_files,
        checks=(handshakes(1), carried),
    )


WEBTRANSPORT_CASES: Final = (
    TestCase(
        name="handshake",
        abbreviation="H",
        description="A WebTransport session is made, and both sides agree on an application protocol.",
        suite=WEBTRANSPORT,
        make_files=negotiation,
        checks=(handshakes(1),),
    ),
    _transfer("unidirectional", "receive", "The client asks for files and gets each on a unidirectional stream."),
    _transfer("unidirectional", "send", "The server asks for files and gets each on a unidirectional stream."),
    _transfer("bidirectional", "receive", "The client asks for files and gets each on the stream it asked on."),
    _transfer("bidirectional", "send", "The server asks for files and gets each on the stream it asked on."),
    _transfer("datagram", "receive", "The client asks for small files and gets each in a datagram."),
    _transfer("datagram", "send", "The server asks for small files and gets each in a datagram."),
)
