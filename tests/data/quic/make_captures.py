"""Makes the captures of this folder again: `python make_captures.py [NAME …]`, with aioquic 1.7.2 and this checkout.

Each folder holds what both sides of the simulator saw (`left.pcap.gz`, `right.pcap.gz`) and the secrets (`keys.log`).
They are small on purpose: a file of some KiB stands for the megabytes of the real test case.
"""

from __future__ import annotations

import gzip
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2])]

from aioquic.buffer import Buffer  # noqa: E402
from aioquic.quic.connection import QuicConnection, QuicConnectionId  # noqa: E402
from aioquic.quic.packet import (  # noqa: E402
    QuicFrameType,
    QuicPacketType,
    QuicPreferredAddress,
    pull_quic_transport_parameters,
    push_quic_transport_parameters,
)
from aioquic.quic.packet_builder import QuicPacketBuilder  # noqa: E402
from aioquic.tls import CipherSuite, Epoch  # noqa: E402
from world import CLIENT6, SERVER, SERVER6, Address, Client, Server, World  # noqa: E402

from ci.suites.quic.materials.certificates import write_certificates  # noqa: E402

KIB = 1024
# A window this small makes a small file take several round trips.
SMALL_WINDOW = 1500


def handshake(folder: Path) -> World:
    world = World(folder)
    Server(world)
    Client(world, ["one"])
    return world


def long_rtt(folder: Path) -> World:
    world = World(folder, one_way=0.75)
    Server(world)
    Client(world, ["one"], initial_rtt=0.3)
    return world


def chacha20(folder: Path) -> World:
    world = World(folder)
    only = [CipherSuite.CHACHA20_POLY1305_SHA256]
    Server(world, cipher_suites=only)
    Client(world, ["one"], cipher_suites=only)
    return world


def multiplexing(folder: Path) -> World:
    world = World(folder)
    Server(world, size=32)
    Client(world, [f"file-{n}" for n in range(40)])
    return world


def retry(folder: Path) -> World:
    world = World(folder)
    Server(world, retry=True)
    Client(world, ["one"])
    return world


def many_streams(folder: Path) -> World:
    """A server that allows more streams at once than the test case wants it to."""

    def allow(connection: QuicConnection) -> None:
        connection._local_max_streams_bidi.value = 2000

    world = World(folder)
    Server(world, size=32, prepare=allow)
    Client(world, ["one"])
    return world


def twice(
    folder: Path,
    *,
    early: bool,
    files: int = 1,
    names: Callable[[int], str] = lambda n: f"file-{n}",
    prepare: Callable[[QuicConnection], None] = lambda _connection: None,
) -> World:
    """A connection, then a second one with the ticket of the first. Both are prepared."""
    world = World(folder)
    Server(world, tickets=True, size=32)
    tickets: list[object] = []

    def again() -> None:
        more = [names(n) for n in range(1, files + 1)]
        Client(world, more, port=50001, session_ticket=tickets[-1], early=early, prepare=prepare)

    Client(world, [names(0)], done=again, on_ticket=tickets.append, prepare=prepare)
    return world


def resumption(folder: Path) -> World:
    return twice(folder, early=False)


def not_resumed(folder: Path) -> World:
    """Two connections that know nothing of each other."""
    world = World(folder)
    Server(world)
    Client(world, ["one"], done=lambda: Client(world, ["two"], port=50001) and None)
    return world


def zero_rtt(folder: Path) -> World:
    return twice(folder, early=True, files=39, names=lambda n: f"{n:03}" + "n" * 247)


def zero_rtt_and_probes(folder: Path) -> World:
    """Both connections also find out how large a datagram may be, with packets of nothing but PING and PADDING."""

    def probing(connection: QuicConnection) -> None:
        write = connection._write_application
        left = iter(range(5))

        def with_probe(builder: QuicPacketBuilder, network_path: object, now: float) -> None:
            crypto = connection._cryptos[Epoch.ONE_RTT]
            if crypto.send.is_valid() and connection._handshake_confirmed and next(left, None) is not None:
                builder.start_packet(QuicPacketType.ONE_RTT, crypto)
                connection._write_ping_frame(builder)
                builder.start_frame(QuicFrameType.PADDING).push_bytes(bytes(builder.remaining_flight_space - 1))
            write(builder, network_path, now)

        connection._write_application = with_probe

    return twice(folder, early=True, files=39, names=lambda n: f"{n:03}" + "n" * 247, prepare=probing)


def torn_stream(folder: Path) -> World:
    """A packet of the client that ends where a STREAM frame should say which stream it is of."""

    def tearing(connection: QuicConnection) -> None:
        write = connection._write_connection_close_frame

        def torn(builder: QuicPacketBuilder, *rest: object, **more: object) -> None:
            if connection._cryptos[Epoch.ONE_RTT].send.is_valid():
                # An id of eight bytes, of which there are three.
                builder.start_frame(QuicFrameType.STREAM_BASE).push_bytes(b"\xc0\0\0")
                builder.start_packet(QuicPacketType.ONE_RTT, connection._cryptos[Epoch.ONE_RTT])
            write(builder, *rest, **more)

        connection._write_connection_close_frame = torn

    world = World(folder)
    Server(world)
    Client(world, ["one"], prepare=tearing)
    return world


def key_update(folder: Path) -> World:
    world = World(folder)
    Server(world, size=6 * KIB)
    Client(world, ["one"], max_stream_data=SMALL_WINDOW, update_after=1 * KIB)
    return world


def no_ecn_acks(folder: Path) -> World:
    """Every packet is marked, but aioquic never reports the marks it receives."""
    world = World(folder, ecn=lambda _sender: 2)
    Server(world)
    Client(world, ["one"])
    return world


def amplification(folder: Path) -> World:
    world = World(folder, drop=lambda sender, number: sender == "client" and 2 <= number <= 7)
    Server(world, size=5 * KIB)
    Client(world, ["one"])
    return world


def amplified(folder: Path) -> World:
    """A server that sends what it likes to whom it does not know, and repeats it."""

    def send_all(connection: QuicConnection) -> None:
        find = connection._find_network_path

        def trusting(addr: Address) -> object:
            path = find(addr)
            path.is_validated = True
            return path

        connection._find_network_path = trusting

    world = World(folder, drop=lambda sender, number: sender == "client" and 2 <= number <= 7)
    Server(world, prepare=send_all)
    Client(world, ["one"])
    return world


def version_2(folder: Path) -> World:
    world = World(folder)
    second = 0x6B3343CF
    Server(world, supported_versions=[second, 1])
    Client(world, ["one"], supported_versions=[second, 1], original_version=1)
    return world


def ipv6(folder: Path) -> World:
    world = World(folder)
    Server(world, host=SERVER6)
    Client(world, ["one"], host=CLIENT6, peer=(SERVER6, 443))
    return world


def rebind(
    folder: Path,
    outside: Callable[[Address], Address],
    *,
    cid_length: int = 8,
    drop: Callable[[str, int], bool] = lambda _sender, _number: False,
    **more: object,
) -> World:
    world = World(folder, nat=lambda at, address: address if at < 0.07 else outside(address), drop=drop)
    Server(world, size=6 * KIB, **more)
    Client(world, ["one"], max_stream_data=SMALL_WINDOW, connection_id_length=cid_length)
    return world


def lost_challenge(folder: Path) -> World:
    """The server's first packet to the new address is lost, its PATH_CHALLENGE with it; the next one is answered."""
    moved: list[int] = []

    def first_after_the_move(sender: str, number: int) -> bool:
        if sender == "server" and world.now > 0.07 + 0.015:
            moved.append(number)
        return sender == "server" and moved[:1] == [number]

    world = rebind(folder, lambda address: (address[0], 4711), drop=first_after_the_move)
    return world


def late_rebinding(folder: Path) -> World:
    """A client that is moved when it has everything: what its new address is asked comes after the close."""
    world = World(folder, nat=lambda _at, address: (address[0], 4711) if world.fetched else address)
    Server(world, size=6 * KIB)
    Client(world, ["one"], max_stream_data=SMALL_WINDOW, linger=0.02)
    return world


def rebind_port(folder: Path) -> World:
    return rebind(folder, lambda address: (address[0], 4711))


def rebind_address(folder: Path) -> World:
    return rebind(folder, lambda _address: ("193.167.0.17", 4711))


def empty_connection_ids(folder: Path) -> World:
    """A client without connection ids of its own, behind a NAT that moves it."""
    return rebind(folder, lambda _address: ("193.167.0.17", 4711), cid_length=0)


def no_challenge(folder: Path) -> World:
    """A server that trusts whatever address a packet comes from."""

    def trust(connection: QuicConnection) -> None:
        find = connection._find_network_path

        def trusting(addr: Address) -> object:
            path = find(addr)
            path.is_validated = True
            return path

        connection._find_network_path = trusting

    return rebind(folder, lambda address: (address[0], 4711), prepare=trust)


def migration(folder: Path, *, challenged: bool = True) -> World:
    """The server prefers another port of its own; the client follows, and has to prove that it can be reached there."""

    def announce(connection: QuicConnection) -> None:
        serialize = connection._serialize_transport_parameters
        second = QuicConnectionId(secrets.token_bytes(8), 1, secrets.token_bytes(16), was_sent=True)
        connection._host_cids.append(second)
        connection._host_cid_seq = 2

        def with_preference() -> bytes:
            parameters = pull_quic_transport_parameters(Buffer(data=serialize()))
            parameters.preferred_address = QuicPreferredAddress(
                ipv4_address=(SERVER, 4444),
                ipv6_address=None,
                connection_id=second.cid,
                stateless_reset_token=second.stateless_reset_token,
            )
            buffer = Buffer(capacity=4096)
            push_quic_transport_parameters(buffer, parameters)
            return buffer.data

        connection._serialize_transport_parameters = with_preference

    world = World(folder)
    Server(world, size=6 * KIB, prepare=announce, challenges_new_own_addresses=challenged)
    Client(world, ["one"], max_stream_data=SMALL_WINDOW)
    return world


def unchallenged_migration(folder: Path) -> World:
    return migration(folder, challenged=False)


CAPTURES: dict[str, Callable[[Path], World]] = {
    "handshake": handshake,
    "longrtt": long_rtt,
    "chacha20": chacha20,
    "multiplexing": multiplexing,
    "many-streams": many_streams,
    "retry": retry,
    "resumption": resumption,
    "not-resumed": not_resumed,
    "zerortt": zero_rtt,
    "zerortt-probes": zero_rtt_and_probes,
    "torn-stream": torn_stream,
    "keyupdate": key_update,
    "no-ecn-acks": no_ecn_acks,
    "amplificationlimit": amplification,
    "amplified": amplified,
    "v2": version_2,
    "ipv6": ipv6,
    "rebind-port": rebind_port,
    "rebind-addr": rebind_address,
    "lost-challenge": lost_challenge,
    "late-rebinding": late_rebinding,
    "empty-connection-ids": empty_connection_ids,
    "no-challenge": no_challenge,
    "connectionmigration": migration,
    "unchallenged-migration": unchallenged_migration,
}
LONG_CHAIN = {"amplificationlimit", "amplified"}


def main(names: list[str]) -> None:
    for name in names or CAPTURES:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            write_certificates(folder, seed=1, length=9 if name in LONG_CHAIN else 1)
            CAPTURES[name](folder).run()
            target = HERE / name
            target.mkdir(exist_ok=True)
            for side in ("left", "right"):
                packed = gzip.compress((folder / f"{side}.pcap").read_bytes(), mtime=0)
                (target / f"{side}.pcap.gz").write_bytes(packed)
            shutil.copy(folder / "keys.log", target / "keys.log")
        sys.stdout.write(f"{name}: {sum(p.stat().st_size for p in target.iterdir())} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
