"""Ping app of the transport suite for py-libp2p, over TCP with Noise and Yamux. app.py does all the rest."""

from __future__ import annotations

import secrets
import time

import trio
from app import Dialing, Listening, Task, main
from libp2p import new_host
from libp2p.abc import IHost, INetConn, INetStream, INetwork, INotifee
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_new_noise_key
from libp2p.custom_types import TProtocol
from libp2p.host.ping import ID as PING
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

# What this version can do, in the words of its row in versions.yaml.
TRANSPORTS = ("tcp",)
SECURE_CHANNELS = ("noise",)
MUXERS = ("yamux",)

WORDS = {str(NOISE): "noise", str(YAMUX): "yamux"}


def new_node() -> IHost:
    """Offer Noise and Yamux only; identify and ping are the library's own."""
    keys = create_new_key_pair()
    noise = Noise(keys, noise_privkey=create_new_noise_key().private_key)
    return new_host(key_pair=keys, sec_opt={NOISE: noise}, muxer_opt={TProtocol(YAMUX): Yamux})


def tell(task: Task, connection: INetConn) -> None:
    secure_channel = WORDS.get(connection.get_negotiated_security_protocol())
    muxer = WORDS.get(connection.get_negotiated_muxer_protocol())
    # The library does not report the transport; this node has no other than TCP.
    task.negotiated("tcp", secure_channel, muxer)


class Tell(INotifee):
    """Tells of every connection as soon as it is up."""

    def __init__(self, task: Task) -> None:
        self.task = task

    async def connected(self, network: INetwork, conn: INetConn) -> None:  # noqa: ARG002
        tell(self.task, conn)

    async def disconnected(self, network: INetwork, conn: INetConn) -> None: ...
    async def opened_stream(self, network: INetwork, stream: INetStream) -> None: ...
    async def closed_stream(self, network: INetwork, stream: INetStream) -> None: ...
    async def listen(self, network: INetwork, multiaddr: Multiaddr) -> None: ...
    async def listen_close(self, network: INetwork, multiaddr: Multiaddr) -> None: ...


def listen(task: Listening) -> None:
    async def serve() -> None:
        node = new_node()
        node.get_network().register_notifee(Tell(task))
        async with node.run(listen_addrs=[Multiaddr(f"/ip4/{task.ip}/tcp/0")]):
            port = node.get_transport_addrs()[0].value_for_protocol("tcp")
            task.publish(f"/ip4/{task.reachable_ip}/tcp/{port}/p2p/{node.get_id()}")
            await trio.sleep_forever()

    trio.run(serve)


def dial(task: Dialing) -> None:
    async def ping() -> None:
        node = new_node()
        peer = info_from_p2p_addr(Multiaddr(task.address))
        payload = secrets.token_bytes(32)
        echo = b""
        async with node.run(listen_addrs=[]):
            start = time.perf_counter()
            await node.connect(peer)
            tell(task, node.get_network().get_connections(peer.peer_id)[0])
            stream = await node.new_stream(peer.peer_id, [PING])
            ping_start = time.perf_counter()
            await stream.write(payload)
            while len(echo) < len(payload):
                echo += await stream.read(len(payload) - len(echo))
            end = time.perf_counter()
            if echo != payload:
                raise ConnectionError("the ping came back with another payload")
            task.report(handshake_plus_one_rtt=end - start, ping_rtt=end - ping_start)

    trio.run(ping)


if __name__ == "__main__":
    main(listen, dial, transports=TRANSPORTS, secure_channels=SECURE_CHANNELS, muxers=MUXERS)
