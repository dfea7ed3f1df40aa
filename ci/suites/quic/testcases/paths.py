"""Test cases in which the addresses of a connection change: by a NAT, or because the server prefers another."""

from __future__ import annotations

from typing import Final, TypeAlias

from ci.suites.quic.captures.packets import Address, Datagram, Frame, PacketType, Trace
from ci.suites.quic.testcases.base import MIB, Finding, TestCase, Traces
from ci.suites.quic.testcases.checks import COMMON, listed, unreadable

__all__ = ["CONNECTION_MIGRATION", "REBIND_ADDRESS", "REBIND_PORT"]

Path: TypeAlias = tuple[Address, Address]

REBINDING: Final = "rebind --delay=15ms --bandwidth=10Mbps --queue=25 --first-rebind=1s --rebind-freq=5s"


def new_paths_challenged(traces: Traces) -> Finding | None:
    """The server's first packet on each new path has a PATH_CHALLENGE, and the client answered one sent on that path.

    The first path is not new. A packet that only probes does not count yet: a server may well answer the client's own
    PATH_CHALLENGE and leave it at that until the client moves. Nor does what follows the connection's end.
    """
    found = _challenges(traces.right)
    if isinstance(found, Finding):
        return found
    if len(found) < 2:
        said = list(traces.right.packets("server", PacketType.ONE_RTT))
        if said and not any(packet.decrypted for packet in said):
            return unreadable("the server's 1-RTT packets", traces.right)
        seen = _arrow(next(iter(found))) if found else "at all"
        return Finding(text=f"the server never sent anything on another path than {seen}")
    owed, answered = _owed(traces.left)
    _, *new = found.items()
    for path, challenges in new:
        # Any answer validates the path (RFC 9000, section 8.2.3); the others need none then.
        if challenges & owed and not challenges & answered:
            text = f"the client never answered the server's PATH_CHALLENGE {_arrow(path)}"
            return Finding(text=text, side="client")
    return None


def _challenges(right: Trace) -> dict[Path, set[str]] | Finding:
    """The data of all PATH_CHALLENGEs on each path of the server, the first path first; or a path without one."""
    found: dict[Path, set[str]] = {}
    for datagram in right.datagrams:
        packets = datagram.packets
        if datagram.sender == "server":
            path = (datagram.source, datagram.target)
            if found and path not in found and packets and not packets[0].path_challenges:
                first = packets[0]
                if not first.decrypted:
                    return unreadable(f"the server's first packet {_arrow(path)}", right)
                only_probes = first.frames and Frame.PROBING.issuperset(first.frames)
                if not only_probes and not _closes(datagram):
                    text = f"the server's first packet {_arrow(path)} has no PATH_CHALLENGE"
                    return Finding(text=text, side="server")
            else:
                found.setdefault(path, set()).update(data for packet in packets for data in packet.path_challenges)
        if _closes(datagram):
            break
    return found


def _owed(left: Trace) -> tuple[set[str], set[str]]:
    """The challenges that reached a client which had something to say after that, and those that it answered.

    What was lost on the way obliges nobody, nor does what a client reads when it is about to close, or has closed.
    """
    reached: set[str] = set()
    owed: set[str] = set()
    answered: set[str] = set()
    for datagram in left.datagrams:
        if datagram.sender == "server":
            reached.update(data for packet in datagram.packets for data in packet.path_challenges)
        elif datagram.sender == "client":
            answered.update(data for packet in datagram.packets for data in packet.path_responses)
        if _closes(datagram):
            break
        if datagram.sender == "client":
            owed |= reached
    return owed, answered


def _closes(datagram: Datagram) -> bool:
    return any(not Frame.CONNECTION_CLOSE.isdisjoint(packet.frames) for packet in datagram.packets)


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
