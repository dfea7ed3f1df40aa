"""The skeleton with its two functions written, for a library of its own: plain TCP that only this program speaks.

Both sides say on the wire what they were asked for, which stands in for a negotiation.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time

from app import Dialing, Listening, Task, main

# What this version can do, in the words of its row in versions.yaml.
TRANSPORTS = ("tcp",)
SECURE_CHANNELS = ("noise",)
MUXERS = ("yamux",)

PEER_ID = "QmPlainTcp"


def hello(task: Task, connection: socket.socket) -> None:
    connection.sendall(f"{task.stack}\n".encode())
    said = connection.makefile("rb", buffering=0).readline().decode()
    words = dict(word.split("=") for word in said.split())
    task.negotiated(words["transport"], words["secureChannel"], words["muxer"])


def listen(task: Listening) -> None:
    def serve(connection: socket.socket) -> None:
        with connection:
            hello(task, connection)
            while payload := connection.recv(32):
                connection.sendall(payload)

    with socket.create_server((task.ip, 0)) as server:
        port = server.getsockname()[1]
        task.publish(f"/ip4/{task.reachable_ip}/tcp/{port}/p2p/{PEER_ID}")
        while True:
            connection, _ = server.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


def dial(task: Dialing) -> None:
    ip, port = task.address.split("/")[2:5:2]
    payload = secrets.token_bytes(32)
    start = time.perf_counter()
    with socket.create_connection((ip, int(port))) as connection:
        hello(task, connection)
        ping_start = time.perf_counter()
        connection.sendall(payload)
        echo = connection.recv(32, socket.MSG_WAITALL)
        end = time.perf_counter()
    if echo != payload:
        raise ConnectionError("the ping came back with another payload")
    task.report(handshake_plus_one_rtt=end - start, ping_rtt=end - ping_start)


if __name__ == "__main__":
    main(listen, dial, transports=TRANSPORTS, secure_channels=SECURE_CHANNELS, muxers=MUXERS)
