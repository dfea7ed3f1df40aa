"""Ping app of the transport suite for py-libp2p: one node, as dialer or as listener.

The parameters come from the environment, in either generation of the contract; the two sides meet in Redis.
Standard output carries the dialer's one record and nothing else.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import math
import os
import secrets
import signal
import socket
import ssl
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import redis
import trio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from libp2p import new_host
from libp2p.abc import INetConn, INetStream, INetwork, INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING
from libp2p.host.ping import PING_LENGTH
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from libp2p.stream_muxer.mplex.mplex import MPLEX_PROTOCOL_ID as MPLEX
from libp2p.stream_muxer.mplex.mplex import Mplex
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from libp2p.abc import IHost
    from libp2p.custom_types import TMuxerOptions, TSecurityOptions

# Transports whose connections are still to be secured and muxed, and those which bring both along.
LAYERED = {"tcp": "tcp/0", "ws": "tcp/0/ws", "wss": "tcp/0/wss"}
STANDALONE = {"quic-v1": "udp/0/quic-v1"}
if find_spec("libp2p.transport.webtransport"):
    STANDALONE["webtransport"] = "udp/0/quic-v1/webtransport"
if find_spec("libp2p.transport.webrtc") and find_spec("aiortc"):
    STANDALONE["webrtc-direct"] = "udp/0/webrtc-direct"

SECURE_CHANNELS = ("noise", "tls")
MUXERS = ("yamux", "mplex")

DEFAULT_TIMEOUT = "180"


def log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def leave(code: int, reason: str = "") -> NoReturn:
    """End the process here and now.

    The library's own shutdown is not part of the test: it can take long or hang, and by now nothing
    depends on it.
    """
    if reason:
        log(reason)
    os._exit(code)


# --- the contract ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stack:
    """What a connection is made of; the last two only where the transport does not bring its own."""

    transport: str | None
    secure_channel: str | None = None
    muxer: str | None = None

    def __str__(self) -> str:
        if self.transport in STANDALONE:
            return f"transport={self.transport}"
        return f"transport={self.transport} secureChannel={self.secure_channel} muxer={self.muxer}"


@dataclass(frozen=True)
class Settings:
    unified: bool
    stack: Stack
    is_dialer: bool
    listener_ip: ipaddress.IPv4Address
    redis_host: str
    redis_port: int
    redis_password: str | None
    key: str
    timeout: float
    debug: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the parameters, raising ValueError with a line that says what is wrong."""
        given = {name: value.strip() for name, value in environment.items() if value.strip()}
        test_key = given.get("TEST_KEY")
        if test_key:
            names = ("TRANSPORT", "SECURE_CHANNEL", "MUXER", "IS_DIALER", "LISTENER_IP", "REDIS_ADDR")
            timeout = given.get("TEST_TIMEOUT_SECS", DEFAULT_TIMEOUT)
        else:
            names = ("transport", "security", "muxer", "is_dialer", "ip", "redis_addr")
            spellings = ("test_timeout_seconds", "test_timeout_secs", "TEST_TIMEOUT_SECS")
            timeout = next((given[name] for name in spellings if name in given), DEFAULT_TIMEOUT)
        transport, secure_channel, muxer, is_dialer, ip, redis_addr = map(given.get, names)
        if transport is None:
            raise ValueError("neither TEST_KEY and TRANSPORT nor transport is set: not started by a test")

        stack = Stack(one_of((*LAYERED, *STANDALONE), names[0], transport))
        if transport in LAYERED:
            stack = Stack(
                transport,
                one_of(SECURE_CHANNELS, names[1], secure_channel),
                one_of(MUXERS, names[2], muxer),
            )

        host, port = host_and_port(names[5], redis_addr or "redis:6379")
        return cls(
            unified=bool(test_key),
            stack=stack,
            is_dialer=one_of(("true", "false"), names[3], is_dialer and is_dialer.lower()) == "true",
            listener_ip=ipv4(names[4], ip or "0.0.0.0"),  # noqa: S104
            redis_host=host,
            redis_port=port,
            redis_password=given.get("REDIS_PASSWORD"),
            key=f"{test_key}_listener_multiaddr" if test_key else "listenerAddr",
            timeout=seconds(timeout),
            debug=bool(test_key) and given.get("DEBUG", "").lower() == "true",
        )


def one_of(known: tuple[str, ...], name: str, value: str | None) -> str:
    if value not in known:
        found = "not set" if value is None else repr(value)
        raise ValueError(f"{name} is {found}, this version takes {', '.join(known)}")
    return value


def ipv4(name: str, value: str) -> ipaddress.IPv4Address:
    try:
        return ipaddress.IPv4Address(value)
    except ValueError:
        raise ValueError(f"{name} is {value!r}, not an IPv4 address") from None


def host_and_port(name: str, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{name} is {value!r}, not host:port")
    return host, int(port)


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number <= threading.TIMEOUT_MAX:
        raise ValueError(f"the timeout is {value!r}, not a positive number of seconds")
    return number


def record(settings: Settings, handshake_plus_one_rtt: float, ping_rtt: float) -> str:
    if settings.unified:
        return (
            f"latency:\n  handshake_plus_one_rtt: {handshake_plus_one_rtt:.3f}\n  ping_rtt: {ping_rtt:.3f}\n  unit: ms"
        )
    # The second name is misspelt in the contract itself.
    return json.dumps(
        {"handshakePlusOneRTTMillis": round(handshake_plus_one_rtt, 3), "pingRTTMilllis": round(ping_rtt, 3)}
    )


# --- the node -------------------------------------------------------------------------------------


def listen_address(settings: Settings) -> Multiaddr:
    suffix = (LAYERED | STANDALONE)[settings.stack.transport or ""]
    return Multiaddr(f"/ip4/{settings.listener_ip}/{suffix}")


def build_node(settings: Settings) -> IHost:
    """Build a node that offers exactly the stack asked for.

    The library's ready-made muxer options always hold both muxers, so they are spelt out here.
    """
    stack = settings.stack
    key_pair = create_new_key_pair()
    secure_channels: TSecurityOptions = {}
    if stack.secure_channel == "noise":
        noise_key = create_new_noise_key().private_key
        secure_channels = {NOISE: NoiseTransport(key_pair, noise_privkey=noise_key)}
    elif stack.secure_channel == "tls":
        secure_channels = {TLS: TLSTransport(key_pair)}
    muxers: TMuxerOptions = {}
    if stack.muxer == "yamux":
        muxers = {TProtocol(YAMUX): Yamux}
    elif stack.muxer == "mplex":
        muxers = {MPLEX: Mplex}
    wss = stack.transport == "wss"
    return new_host(
        key_pair=key_pair,
        sec_opt=secure_channels,
        muxer_opt=muxers,
        # The one way to name a transport that all releases share. Whether the node listens at all is
        # decided when it is run.
        listen_addrs=[listen_address(settings)],
        enable_quic=stack.transport == "quic-v1",
        tls_client_config=unverified_client_context() if wss else None,
        tls_server_config=self_signed_server_context() if wss and not settings.is_dialer else None,
    )


def unverified_client_context() -> ssl.SSLContext:
    """Dial secure WebSockets without verification: everybody's certificates are self-signed here."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def self_signed_server_context() -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "libp2p")])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .public_key(key.public_key())
        .sign(key, hashes.SHA256())
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    # The ssl module reads certificates from files only.
    with tempfile.TemporaryDirectory() as folder:
        chain = Path(folder, "chain.pem")
        chain.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(chain)
    return context


def published_address(node: IHost, settings: Settings) -> str:
    """Choose the one address a dialer can reach.

    A node that listens on all interfaces names them all or just 0.0.0.0, depending on the transport, with
    the same port in each. The interface towards Redis is the one the dialer is known to share.
    """
    wanted = {"ip4", settings.stack.transport}
    own = [
        address
        for listener in node.get_network().listeners.values()
        for address in listener.get_addrs()
        if wanted <= {protocol.name for protocol in address.protocols()}
    ]
    if not own:
        leave(1, f"the node listens on no {settings.stack.transport} address")
    parts = str(own[0]).split("/")
    if settings.listener_ip.is_unspecified:
        parts[2] = source_address(settings.redis_host, settings.redis_port)
    if "p2p" not in parts:
        parts += ["p2p", str(node.get_id())]
    return "/".join(parts)


def source_address(host: str, port: int) -> str:
    """Tell which of this host's addresses packets to that one carry; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((host, port))
        return str(probe.getsockname()[0])


# --- proof of stack -------------------------------------------------------------------------------

# What a live connection consists of, by the class that does the work.
TRANSPORT_LAYERS = {
    "TrioTCPStream": "tcp",
    "QUICConnection": "quic-v1",
    "WebTransportConnection": "webtransport",
    "WebRTCConnection": "webrtc-direct",
}
SECURE_CHANNEL_LAYERS = {"NoiseTransportReadWriter": "noise", "TLSReadWriter": "tls"}
MUXER_LAYERS = {"Yamux": "yamux", "Mplex": "mplex"}

# The attribute each layer keeps the one below it in, over all releases.
BELOW = (
    "muxed_conn",
    "secured_conn",
    "conn",
    "stream_writer",
    "raw_connection",
    "read_writer",
    "read_write_closer",
    "stream",
)


def layers(connection: INetConn) -> Iterator[object]:
    """Go down a connection from the swarm's view of it to the socket."""
    layer: object | None = connection
    while layer is not None:
        yield layer
        layer = next((getattr(layer, name) for name in BELOW if hasattr(layer, name)), None)


def negotiated(connection: INetConn) -> Stack:
    """Read from a live connection what it was negotiated to be.

    Only newer releases report the negotiated protocols, and none reports the transport, so this looks at
    the objects through which the connection's bytes really go.
    """
    transport = secure_channel = muxer = None
    for layer in layers(connection):
        kind = type(layer).__name__
        transport = TRANSPORT_LAYERS.get(kind, transport)
        secure_channel = SECURE_CHANNEL_LAYERS.get(kind, secure_channel)
        muxer = MUXER_LAYERS.get(kind, muxer)
        if kind == "P2PWebSocketConnection":
            # The library's own "secure" flag repeats the multiaddr; the WebSocket knows its stream.
            websocket: Any = layer
            transport = "wss" if websocket._ws_connection.remote.is_ssl else "ws"  # noqa: SLF001
    return Stack(transport, secure_channel, muxer)


def check(connection: INetConn, settings: Settings) -> None:
    stack = negotiated(connection)
    if stack != settings.stack:
        leave(1, f"asked for {settings.stack}, negotiated {stack}")
    log(f"negotiated: {stack}")


class Check(INotifee):
    """Checks every connection as soon as it is up."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    async def connected(self, network: INetwork, conn: INetConn) -> None:  # noqa: ARG002
        check(conn, self.settings)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None: ...

    async def opened_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def closed_stream(self, network: INetwork, stream: INetStream) -> None: ...

    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None: ...

    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None: ...


# --- the roles ------------------------------------------------------------------------------------


async def listen(settings: Settings, node: IHost, store: redis.Redis) -> NoReturn:
    node.get_network().register_notifee(Check(settings))
    async with node.run(listen_addrs=[listen_address(settings)]):
        address = published_address(node, settings)
        # A value an earlier listener left there must not reach the dialer.
        with store.pipeline(transaction=True) as transaction:
            transaction.delete(settings.key)
            transaction.rpush(settings.key, address)
            transaction.execute()
        log(f"published {address}")
        await trio.sleep_forever()
    raise AssertionError


async def dial(settings: Settings, node: IHost, address: str) -> NoReturn:
    log(f"dialing {address}")
    peer = info_from_p2p_addr(Multiaddr(address))
    async with node.run(listen_addrs=[]):
        start = time.perf_counter()
        await node.connect(peer)
        check(node.get_network().get_connections(peer.peer_id)[0], settings)
        stream = await node.new_stream(peer.peer_id, [PING])
        ping_start = time.perf_counter()
        await ping(stream)
        end = time.perf_counter()
        result = record(settings, (end - start) * 1000, (end - ping_start) * 1000)
        print(result, file=sys.__stdout__, flush=True)
        # Take leave of the listener. The result stands whatever the library makes of it: 0.5, for one, fails
        # in the background when a connection of TLS and mplex is closed.
        try:
            with trio.move_on_after(1):
                await stream.close()
                await node.disconnect(peer.peer_id)
        finally:
            leave(0)
    raise AssertionError


async def ping(stream: INetStream) -> None:
    payload = secrets.token_bytes(PING_LENGTH)
    await stream.write(payload)
    echo = b""
    while len(echo) < PING_LENGTH:
        chunk = await stream.read(PING_LENGTH - len(echo))
        if not chunk:
            raise ConnectionError("the stream ended before the ping was answered")
        echo += chunk
    if echo != payload:
        raise ConnectionError("the ping came back with another payload")


def connect_store(settings: Settings) -> redis.Redis:
    """Connect Redis, which may still be starting; the deadline ends the attempts."""
    log(f"connecting Redis at {settings.redis_host}:{settings.redis_port}")
    store = redis.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password,
        decode_responses=True,
        socket_timeout=None,
    )
    while True:
        with suppress(redis.ConnectionError):
            store.ping()
            return store
        time.sleep(0.1)


def pop(store: redis.Redis, key: str) -> str:
    """Wait for the listener's address, without an end of its own: there is one deadline for everything."""
    log(f"waiting for an address under {key}")
    while True:
        reply = store.blpop([key])
        if reply:
            return str(reply[1]).strip()


def describe(error: BaseException) -> str:
    """Put an exception on one line: groups, trio's and the library's, are opened and causes are told."""
    inner = getattr(error, "exceptions", None) or getattr(error, "errors", None)
    if isinstance(inner, (list, tuple)) and inner:
        return "; ".join(map(describe, inner))
    text = f"{type(error).__name__}: {error}".replace("\n", " ")
    return f"{text} <- {describe(error.__cause__)}" if error.__cause__ else text


def claim_stdout(*, debug: bool) -> None:
    """Send to standard error whatever the library says: 0.5 logs, and prints, on standard output."""
    sys.stdout = sys.stderr
    logging.basicConfig(stream=sys.stderr, level=logging.NOTSET, force=True)
    logging.disable(logging.NOTSET if debug else logging.INFO)
    library = logging.getLogger("libp2p")
    library.setLevel(logging.NOTSET)
    library.propagate = True


def main() -> NoReturn:
    try:
        settings = Settings.from_environment(os.environ)
    except ValueError as error:
        leave(1, str(error))

    # Only a listener is done when it is told to stop.
    stopped = 128 + signal.SIGTERM if settings.is_dialer else 0
    signal.signal(signal.SIGTERM, lambda *_: leave(stopped))
    # The one deadline, outside of the event loop so that nothing which hangs there can outlive it.
    role = "dialer" if settings.is_dialer else "listener"
    deadline = threading.Timer(settings.timeout, leave, (1, f"{role} timed out after {settings.timeout:g} s"))
    deadline.daemon = True
    deadline.start()

    claim_stdout(debug=settings.debug)

    try:
        store = connect_store(settings)
        node = build_node(settings)
        if settings.is_dialer:
            trio.run(dial, settings, node, pop(store, settings.key))
        else:
            trio.run(listen, settings, node, store)
    except Exception as error:
        logging.debug("failed", exc_info=error)
        leave(1, describe(error))
    raise AssertionError


if __name__ == "__main__":
    main()
