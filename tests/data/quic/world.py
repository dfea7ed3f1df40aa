"""A network on paper: aioquic's connections in virtual time, and both of the simulator's captures of what they send.

No socket, no container, no clock: every datagram passes through `World`, which delays, drops, rewrites and writes it
into the capture of either side as the simulator would have (quic-interop contract, section 2.2).
"""

from __future__ import annotations

import heapq
import ipaddress
import os
import struct
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, StreamDataReceived
from aioquic.quic.packet import QuicPacketType, encode_quic_retry, pull_quic_header
from aioquic.quic.retry import QuicRetryTokenHandler

Address = tuple[str, int]
CLIENT, SERVER = "193.167.0.100", "193.167.100.100"
CLIENT6, SERVER6 = "fd00:cafe:cafe::100", "fd00:cafe:cafe:100::100"
ONE_WAY = 0.015


class Pcap:
    """A capture in the old format, Ethernet, microseconds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))

    def write(self, at: float, source: Address, target: Address, payload: bytes, ecn: int) -> None:
        udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
        hosts = [ipaddress.ip_address(host) for host, _ in (source, target)]
        if hosts[0].version == 4:
            kind = 0x0800
            ip = struct.pack("!BBHHHBBH", 0x45, ecn, 20 + len(udp), 0, 0, 64, 17, 0)
        else:
            kind = 0x86DD
            ip = struct.pack("!IHBB", 6 << 28 | ecn << 20, len(udp), 17, 64)
        frame = b"\x02\0\0\0\0\1\x02\0\0\0\0\2" + struct.pack("!H", kind) + ip + b"".join(h.packed for h in hosts) + udp
        seconds = 1_700_000_000 + at
        self._file.write(struct.pack("<IIII", int(seconds), int(seconds % 1 * 1e6), len(frame), len(frame)) + frame)

    def close(self) -> None:
        self._file.close()


class World:
    """Both endpoints and the wire between them.

    :param drop: whether the n-th datagram (from 1) of a direction (`client`, `server`: its sender) is lost
    :param nat: what the address of the client becomes at a time
    :param ecn: the mark of a datagram, by its sender
    """

    def __init__(
        self,
        folder: Path,
        *,
        drop: Callable[[str, int], bool] = lambda _sender, _number: False,
        nat: Callable[[float, Address], Address] = lambda _at, address: address,
        ecn: Callable[[str], int] = lambda _sender: 0,
        one_way: float = ONE_WAY,
    ) -> None:
        self.folder = folder
        self.now = 0.0
        self.fetched = False  # a client has everything it asked for
        self.one_way = one_way
        self._drop, self._nat, self._ecn = drop, nat, ecn
        self._left, self._right = Pcap(folder / "left.pcap"), Pcap(folder / "right.pcap")
        self._sent = {"client": count(1), "server": count(1)}
        self._inside: dict[Address, Address] = {}
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.server: Server
        self.clients: dict[Address, Client] = {}

    def later(self, at: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (at, next(self._order), do))

    def run(self, until: float = 60.0) -> None:
        while self._queue and self._queue[0][0] <= until:
            self.now, _, do = heapq.heappop(self._queue)
            do()
        self._left.close()
        self._right.close()

    def from_client(self, source: Address, target: Address, data: bytes) -> None:
        self._left.write(self.now, source, target, data, self._ecn("client"))
        if self._drop("client", next(self._sent["client"])):
            return
        arrival = self.now + self.one_way
        outside = self._nat(arrival, source)
        self._inside[outside] = source

        def arrive() -> None:
            self._right.write(self.now, outside, target, data, self._ecn("client"))
            self.server.receive(data, outside, target)

        self.later(arrival, arrive)

    def from_server(self, source: Address, target: Address, data: bytes) -> None:
        self._right.write(self.now, source, target, data, self._ecn("server"))
        if self._drop("server", next(self._sent["server"])):
            return
        arrival = self.now + self.one_way
        inside = self._inside.get(target, target)
        # A NAT that has moved on forgets the old mapping at once.
        if inside not in self.clients or self._nat(arrival, inside) != target:
            return

        def arrive() -> None:
            self._left.write(self.now, source, inside, data, self._ecn("server"))
            self.clients[inside].receive(data, source)

        self.later(arrival, arrive)


class Endpoint:
    """One connection in the world: its timer and what it sends."""

    def __init__(self, world: World, connection: QuicConnection) -> None:
        self.world, self.connection = world, connection
        self._timer = 0

    def flush(self) -> None:
        for data, peer in self.connection.datagrams_to_send(self.world.now):
            self.send(data, peer)
        due = self.connection.get_timer()
        self._timer += 1
        if due is not None:
            mine = self._timer
            self.world.later(max(due, self.world.now), lambda: self._fire(mine))

    def _fire(self, timer: int) -> None:
        if timer == self._timer:
            self.connection.handle_timer(self.world.now)
            self.after()

    def after(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.on(event)
        self.flush()

    def send(self, data: bytes, peer: Address) -> None:
        raise NotImplementedError

    def on(self, event: object) -> None:
        raise NotImplementedError


class Client(Endpoint):
    """Fetches `names` by HTTP/0.9, each on a stream of its own, then closes."""

    def __init__(
        self,
        world: World,
        names: Iterable[str],
        *,
        port: int = 50000,
        host: str = CLIENT,
        peer: Address = (SERVER, 443),
        early: bool = False,
        update_after: int | None = None,
        done: Callable[[], None] = lambda: None,
        on_ticket: Callable[[object], None] = lambda _ticket: None,
        linger: float = 0.05,
        prepare: Callable[[QuicConnection], None] = lambda _connection: None,
        **settings: object,
    ) -> None:
        configuration = QuicConfiguration(
            is_client=True,
            alpn_protocols=["hq-interop"],
            supported_versions=settings.pop("supported_versions", [1]),
            secrets_log_file=key_log(world.folder),
            cafile=str(world.folder / "ca.pem"),
            server_name="server4",
            **settings,
        )
        super().__init__(world, QuicConnection(configuration=configuration, session_ticket_handler=on_ticket))
        if configuration.connection_id_length == 0:
            self.connection._replenish_connection_ids = lambda: None  # aioquic would announce further empty ones
            # … and make the first id of the server as long as its own.
            self.connection._peer_cid.cid = self.connection._original_destination_connection_id = os.urandom(8)
        prepare(self.connection)
        self.address = (host, port)
        self._names, self._early, self._update_after, self._done, self._linger = (
            list(names), early, update_after, done, linger,
        )  # fmt: skip
        self._open: set[int] = set()
        self._received = 0
        world.clients[self.address] = self
        self.connection.connect(peer, now=world.now)
        if early:
            self._ask()
        self.flush()

    def _ask(self) -> None:
        for name in self._names:
            stream = self.connection.get_next_available_stream_id()
            self.connection.send_stream_data(stream, f"GET /{name}\r\n".encode(), end_stream=True)
            self._open.add(stream)

    def on(self, event: object) -> None:
        if isinstance(event, HandshakeCompleted) and not self._early:
            self._ask()
        elif isinstance(event, StreamDataReceived):
            self._received += len(event.data)
            if self._update_after is not None and self._received > self._update_after:
                self._update_after = None
                self.connection.request_key_update()
            if event.end_stream:
                self._open.discard(event.stream_id)
                if not self._open:
                    self.world.fetched = True
                    self.world.later(self.world.now + self._linger, self._finish)

    def _finish(self) -> None:
        self.connection.close()
        self.flush()
        self._done()

    def send(self, data: bytes, peer: Address) -> None:
        self.world.from_client(self.address, (peer[0], peer[1]), data)

    def receive(self, data: bytes, source: Address) -> None:
        self.connection.receive_datagram(data, source, now=self.world.now)
        self.after()


class Server:
    """Serves pseudo-random files by HTTP/0.9 to any number of connections."""

    def __init__(
        self,
        world: World,
        *,
        size: int = 1024,
        host: str = SERVER,
        challenges_new_own_addresses: bool = False,
        retry: bool = False,
        tickets: bool = False,
        prepare: Callable[[QuicConnection], None] = lambda _connection: None,
        **settings: object,
    ) -> None:
        self.world, self.size, self._prepare, self.host = world, size, prepare, host
        self.challenges_new_own_addresses = challenges_new_own_addresses
        self.configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=["hq-interop"],
            supported_versions=settings.pop("supported_versions", [1]),
            secrets_log_file=key_log(world.folder),
            **settings,
        )
        self.configuration.load_cert_chain(world.folder / "cert.pem", world.folder / "priv.key")
        self._retry = QuicRetryTokenHandler() if retry else None
        self._tickets: dict[bytes, object] | None = {} if tickets else None
        self._serving: dict[bytes, Serving] = {}
        world.server = self

    def receive(self, data: bytes, source: Address, target: Address) -> None:
        header = pull_quic_header(Buffer(data=data), host_cid_length=8)
        serving = self._serving.get(header.destination_cid)
        if serving is None:
            if header.packet_type != QuicPacketType.INITIAL or len(data) < 1200:
                return
            original, retried = header.destination_cid, None
            if self._retry is not None:
                if not header.token:
                    self._answer_with_retry(header, source, target)
                    return
                original = self._retry.validate_token(
                    address=source, destination_cid=header.destination_cid, token=header.token, now=self.world.now
                )
                retried = header.destination_cid
            serving = Serving(self, original, retried)
            self._serving[header.destination_cid] = serving
        serving.receive(data, source, target)
        for cid in serving.connection._host_cids:
            self._serving[cid.cid] = serving

    def _answer_with_retry(self, header: object, source: Address, target: Address) -> None:
        own = os.urandom(8)
        token = self._retry.create_token(
            address=source,
            original_destination_connection_id=header.destination_cid,
            retry_source_connection_id=own,
            now=self.world.now,
        )
        packet = encode_quic_retry(
            version=header.version,
            source_cid=own,
            destination_cid=header.source_cid,
            original_destination_cid=header.destination_cid,
            retry_token=token,
        )
        self.world.from_server(target, source, packet)

    def connection(self, original: bytes, retried: bytes | None) -> QuicConnection:
        tickets = self._tickets
        connection = QuicConnection(
            configuration=self.configuration,
            original_destination_connection_id=original,
            retry_source_connection_id=retried,
            session_ticket_fetcher=None if tickets is None else tickets.get,
            session_ticket_handler=None if tickets is None else lambda t: tickets.__setitem__(t.ticket, t),
        )
        self._prepare(connection)
        return connection


class Serving(Endpoint):
    """The server's end of one connection."""

    def __init__(self, server: Server, original: bytes, retried: bytes | None) -> None:
        super().__init__(server.world, server.connection(original, retried))
        self._server = server
        self._address: Address = (server.host, 443)
        self._asked: dict[int, bytes] = {}

    def receive(self, data: bytes, source: Address, target: Address) -> None:
        if target != self._address and self._server.challenges_new_own_addresses:
            # aioquic knows one address of its own, so it takes the client's migration to another for nothing new.
            path = self.connection._find_network_path(source)
            path.is_validated, path.local_challenge_sent = False, False
            path.bytes_sent = path.bytes_received = 0
        self._address = target
        self.connection.receive_datagram(data, source, now=self.world.now)
        self.after()

    def on(self, event: object) -> None:
        if isinstance(event, StreamDataReceived):
            self._asked[event.stream_id] = self._asked.get(event.stream_id, b"") + event.data
            if event.end_stream:
                self.connection.send_stream_data(event.stream_id, os.urandom(self._server.size), end_stream=True)
        elif isinstance(event, ConnectionTerminated):
            pass

    def send(self, data: bytes, peer: Address) -> None:
        self.world.from_server(self._address, (peer[0], peer[1]), data)


def key_log(folder: Path) -> object:
    """Both ends write the same secrets: one file serves as the client's and as the server's."""
    return (folder / "keys.log").open("a", encoding="ascii")
