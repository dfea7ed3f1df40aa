#!/usr/bin/env python3
"""A client or a server that sends numbered packets and writes down what it saw: `measure`'s and the tests' endpoints.

Runs in a container, with nothing but the standard library. What it saw is one JSON object on standard output, times in
seconds of the host's monotonic clock, which containers share with each other and with the simulator's report.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import sys
import threading
import time
from collections import Counter

LARGEST = 65535


def ready() -> None:
    """Tell whoever started this that packets may come."""
    sys.stderr.write("ready\n")
    sys.stderr.flush()


def payload(number: int, size: int) -> bytes:
    """A datagram's content: its number over and over, so that no single byte can hide it."""
    return struct.pack("!I", number) * (size // 4)


def read(content: bytes) -> tuple[int, list[int]]:
    """The number, and the offsets of bytes that are not as they were sent."""
    whole = len(content) // 4 * 4
    ((number, _),) = Counter(struct.unpack(f"!{whole // 4}I", content[:whole])).most_common(1)
    sent = payload(number, whole)
    return number, [at for at, (a, b) in enumerate(zip(sent, content, strict=False)) if a != b]


def udp_serve(args: argparse.Namespace) -> object:
    """Answer datagrams with themselves until none comes any more."""
    received: list[tuple[int, float, str, int, list[int]]] = []
    with socket.socket(args.family, socket.SOCK_DGRAM) as here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        here.bind(("", args.port))
        ready()
        here.settimeout(args.patience)
        while True:
            try:
                content, address = here.recvfrom(LARGEST)
            except TimeoutError:
                return {"received": received}
            now = time.monotonic()
            here.settimeout(args.idle)
            if args.echo:
                here.sendto(content, address)
            number, wrong = read(content)
            received.append((number, now, address[0], address[1], wrong))


def udp_negotiate(args: argparse.Namespace) -> object:
    """Answer the first datagram as a QUIC server does that does not speak its version (RFC 9000, 17.2.1)."""
    with socket.socket(args.family, socket.SOCK_DGRAM) as here:
        here.bind(("", args.port))
        ready()
        here.settimeout(args.patience)
        content, address = here.recvfrom(LARGEST)
        here.sendto(bytes([0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), address)
    return {"length": len(content), "head": content[:7].hex()}


def udp_talk(args: argparse.Namespace) -> object:
    """Send numbered datagrams at a rate and collect what comes back."""
    sent: list[tuple[int, float]] = []
    received: list[tuple[int, float, list[int]]] = []
    with socket.socket(args.family, socket.SOCK_DGRAM) as here:
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        here.connect((args.host, args.port))
        here.settimeout(args.idle)
        done = threading.Event()

        def collect() -> None:
            while True:
                try:
                    content = here.recv(LARGEST)
                except TimeoutError:
                    if done.is_set():
                        return
                    continue
                except ConnectionRefusedError:
                    continue
                number, wrong = read(content)
                received.append((number, time.monotonic(), wrong))

        collector = threading.Thread(target=collect)
        collector.start()
        begin = time.monotonic()
        for number in range(1, args.count + 1):
            wait = begin + (number - 1) / args.rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            sent.append((number, time.monotonic()))
            try:
                here.send(payload(number, args.size))
            except ConnectionRefusedError:
                here.send(payload(number, args.size))
        done.set()
        collector.join()
        port = here.getsockname()[1]
    return {"port": port, "sent": sent, "received": received}


def tcp_serve(args: argparse.Namespace) -> object:
    """Receive one stream to its end."""
    with socket.create_server(("", args.port), family=args.family) as listener:
        ready()
        listener.settimeout(args.patience)
        stream, _ = listener.accept()
        with stream:
            total, begin, end = 0, time.monotonic(), 0.0
            while some := stream.recv(LARGEST):
                total, end = total + len(some), time.monotonic()
    return {"bytes": total, "seconds": end - begin}


def tcp_talk(args: argparse.Namespace) -> object:
    """Send for some seconds as fast as TCP can."""
    with socket.create_connection((args.host, args.port), timeout=30) as stream:
        end = time.monotonic() + args.seconds
        while time.monotonic() < end:
            stream.sendall(bytes(LARGEST))
    return {}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ipv6", dest="family", action="store_const", const=socket.AF_INET6, default=socket.AF_INET)
    commands = parser.add_subparsers(required=True)
    for name, function in (("udp-serve", udp_serve), ("udp-negotiate", udp_negotiate), ("tcp-serve", tcp_serve)):
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("port", type=int)
        command.add_argument("--patience", type=float, default=30, help="seconds to wait for the first packet")
        command.add_argument("--idle", type=float, default=2, help="seconds without a packet that mean the end")
        command.add_argument("--echo", action="store_true")
    talk = commands.add_parser("udp-talk")
    talk.set_defaults(function=udp_talk)
    talk.add_argument("host")
    talk.add_argument("port", type=int)
    talk.add_argument("--count", type=int, default=1)
    talk.add_argument("--rate", type=float, default=100, help="datagrams a second")
    talk.add_argument("--size", type=int, default=64, help="bytes, a multiple of 4")
    talk.add_argument("--idle", type=float, default=1.5)
    stream = commands.add_parser("tcp-talk")
    stream.set_defaults(function=tcp_talk)
    stream.add_argument("host")
    stream.add_argument("port", type=int)
    stream.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    json.dump(args.function(args), sys.stdout)


main()
