"""A front of the engine under test: another address by which it is reached, and what was asked for there."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["Front", "engine_front"]

METHODS: Final = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE")


@dataclass
class Front:
    """:ivar seen: the first line of every request"""

    host: str
    hangs_up_on: bytes | None
    seen: list[bytes] = field(default_factory=list)


@contextmanager
def engine_front(
    engine: str, place: Path, *, keys: ssl.SSLContext | None = None, hangs_up_on: bytes | None = None
) -> Iterator[Front]:
    """On a socket at `place`; with keys on TCP, where it wants a client's certificate.

    :param engine: address of the engine, `unix://…`
    :param hangs_up_on: words of a request that ends the connection instead of being answered
    """
    family, address = (socket.AF_UNIX, str(place)) if keys is None else (socket.AF_INET, ("127.0.0.1", 0))
    with socket.create_server(address, family=family) as server:
        host = f"unix://{place}" if keys is None else f"tcp://localhost:{server.getsockname()[1]}"
        it = Front(host=host, hangs_up_on=hangs_up_on)

        def serve() -> None:
            with suppress(OSError):
                while True:
                    raw, _ = server.accept()
                    threading.Thread(target=relay, args=(raw,), daemon=True).start()

        def relay(raw: socket.socket) -> None:
            with suppress(OSError), ExitStack() as stack:
                client = stack.enter_context(raw if keys is None else keys.wrap_socket(raw, server_side=True))
                there = stack.enter_context(socket.socket(socket.AF_UNIX))
                there.connect(engine.removeprefix("unix://"))
                back = threading.Thread(target=pump, args=(there, client), daemon=True)
                back.start()
                while data := client.recv(65536):
                    if data.partition(b" ")[0] in METHODS:
                        line = data.partition(b"\r\n")[0]
                        it.seen.append(line)
                        if it.hangs_up_on is not None and it.hangs_up_on in line:
                            return
                    there.sendall(data)
                there.shutdown(socket.SHUT_WR)
                back.join()

        def pump(source: socket.socket, target: socket.socket) -> None:
            with suppress(OSError):
                while data := source.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        threading.Thread(target=serve, daemon=True).start()
        yield it
        server.shutdown(socket.SHUT_RDWR)
