"""Put into an endpoint by `record_captures.py`: datagrams that are no QUIC, as a host's other programs send them.

Multicast DNS by both versions of IP, and to the client's port 5353 what begins like a packet with a long header, like
one with a short header, and like neither.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Final

PORT: Final = 5353
SECONDS: Final = 0.25
QUERY: Final = struct.pack("!6H", 0, 0, 1, 0, 0, 0) + b"\x05_quic\x04_udp\x05local\0" + struct.pack("!2H", 12, 1)
GROUPS: Final = {socket.AF_INET: "224.0.0.251", socket.AF_INET6: "ff02::fb"}
CLIENT: Final = {socket.AF_INET: "193.167.0.100", socket.AF_INET6: "fd00:cafe:cafe::100"}
OTHERS: Final = (b"\xc3" + b"long" * 20, b"\x43" + b"short" * 20, b"\x03" + b"neither" * 10)


def chat(family: socket.AddressFamily) -> None:
    """Send all of them four times a second, as long as the endpoint runs."""
    ours = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        interface = struct.pack("8xi", socket.if_nametoindex("eth0"))
        ours.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
    else:
        ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex("eth0"))
    ours.bind(("", PORT))
    while True:
        for data in (QUERY, *OTHERS):
            with contextlib.suppress(OSError):
                ours.sendto(data, ((GROUPS if data is QUERY else CLIENT)[family], PORT))
        time.sleep(SECONDS)


for each in GROUPS:
    threading.Thread(target=chat, args=(each,), daemon=True).start()
