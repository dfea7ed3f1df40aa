"""Test cases in which the addresses of a connection change: by a NAT, or because the server prefers another."""

from __future__ import annotations

from typing import Final, TypeAlias

from ci.suites.quic.cases import MIB, Finding, TestCase, Traces
from ci.suites.quic.checks import COMMON, listed, unreadable
from ci.suites.quic.packets import Address, Frame

__all__ = ["CONNECTION_MIGRATION", "REBIND_ADDRESS", "REBIND_PORT"]

Path: TypeAlias = tuple[Address, Address]

REBINDING: Final = "rebind --delay=15ms --bandwidth=10Mbps --queue=25 --first-rebind=1s --rebind-freq=5s"


def new_paths_challenged(traces: Traces) -> Finding | None:
    """The server's first packet on each new path has a PATH_CHALLENGE, and the client answered it.

    The first path is not new. Challenges elsewhere, on a path given up for example, need no answer. A packet that only
    probes does not count yet: a server may well answer the client's own PATH_CHALLENGE and leave it at that until the
    client moves.
    """
    paths: set[Path] = set()
    challenges: dict[str, Path] = {}
    for datagram in traces.right.sent_by("server"):
        path = (datagram.source, datagram.target)
        if path in paths or not datagram.packets:
            continue
        packet = datagram.packets[0]
        if paths and not packet.path_challenges:
            if packet.frames and Frame.PROBING.issuperset(packet.frames):
                continue
            if not packet.decrypted:
                return unreadable(f"the server's first packet {_arrow(path)}", traces.right)
            return Finding(text=f"the server's first packet {_arrow(path)} has no PATH_CHALLENGE", side="server")
        if paths:
            challenges.update(dict.fromkeys(packet.path_challenges, path))
        paths.add(path)
    if len(paths) < 2:
        seen = _arrow(next(iter(paths))) if paths else "at all"
        return Finding(text=f"the server never sent anything on another path than {seen}")
    answered = {response for packet in traces.left.packets("client") for response in packet.path_responses}
    unanswered = [path for challenge, path in challenges.items() if challenge not in answered]
    if unanswered:
        text = f"the client never answered the server's PATH_CHALLENGE {_arrow(unanswered[0])}"
        return Finding(text=text, side="client")
    return None


def client_address_changed(traces: Traces) -> Finding | None:
    """The server sent to more than one address of the client."""
    hosts = {datagram.target.host for datagram in traces.right.sent_by("server") if datagram.packets}
    if len(hosts) > 1:
        return None
    return Finding(
        text=f"the server sent to {listed(hosts)} only, never to an address the client got later", side="server"
    )


def new_connection_ids(traces: Traces) -> Finding | None:
    """On each new path the client used a connection id that it had used on no path before (RFC 9000, section 9.5).

    The established runner compares with the first packet of the path before, whose id the client had made up itself:
    one that goes on with the server's own id would get away with it.
    """
    used: dict[Path, set[str]] = {}
    for datagram in traces.left.sent_by("client"):
        path = (datagram.source, datagram.target)
        ids = {packet.dcid for packet in datagram.packets if packet.dcid is not None}
        if not ids:
            continue
        if path not in used:
            known = {cid for others in used.values() for cid in others}
            if again := ids & known:
                text = f"the client's first packet {_arrow(path)} has the connection id {listed(again)} of another path"
                return Finding(text=text, side="client")
        used.setdefault(path, set()).update(ids)
    return None


def _arrow(path: Path) -> str:
    return f"on {path[0]} → {path[1]}"


REBIND_PORT: Final = TestCase(
    name="rebind-port",
    abbreviation="BP",
    description="A transfer goes on while a NAT gives the client other ports.",
    client="transfer",
    server="transfer",
    sizes=(10 * MIB,),
    scenario=REBINDING,
    needs_key_log=True,
    checks=(*COMMON, new_paths_challenged),
)
REBIND_ADDRESS: Final = TestCase(
    name="rebind-addr",
    abbreviation="BA",
    description="A transfer goes on while a NAT gives the client other addresses and ports.",
    client="transfer",
    server="transfer",
    sizes=(10 * MIB,),
    scenario=f"{REBINDING} --rebind-addr",
    needs_key_log=True,
    checks=(client_address_changed, *COMMON, new_paths_challenged),
)
CONNECTION_MIGRATION: Final = TestCase(
    name="connectionmigration",
    abbreviation="CM",
    description="The client goes on at the address that the server prefers.",
    client="transfer",
    sizes=(2 * MIB,),
    host="server46",
    needs_key_log=True,
    checks=(*COMMON, new_paths_challenged, new_connection_ids),
)
