"""A registry on loopback with one image in it, which answers as it is told to: engines really pull from it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import secrets
import socket
import struct
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

__all__ = ["RESET", "Registry", "registry"]

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
# In place of a status: the connection is reset.
RESET: Final = 0


class Registry:
    """What it answers, and what it was asked.

    :ivar trouble: status and text of every answer for a manifest, while there is one
    """

    def __init__(self) -> None:
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(secrets.token_hex(8)))
        packed = gzip.compress(layer.getvalue())
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer.getvalue())]},
        }
        blobs = [json.dumps(config).encode(), packed]
        kinds = ("application/vnd.docker.container.image.v1+json", "application/vnd.docker.image.rootfs.diff.tar.gzip")
        parts = [
            {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}
            for kind, blob in zip(kinds, blobs, strict=True)
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": parts[0], "layers": parts[1:]}
        self.image = _digest(blobs[0])
        self.manifest = json.dumps(manifest).encode()
        self.blobs = {_digest(blob): blob for blob in blobs}
        self.trouble: tuple[int, str] | None = None
        self.reference = ""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def registry() -> Iterator[Registry]:
    it = Registry()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            blob = it.blobs.get(self.path.rpartition("/")[2])
            if "/manifests/" not in self.path:
                self.answer(200 if blob is not None or self.path == "/v2/" else 404, blob or b"{}", "")
            elif it.trouble is None:
                self.answer(200, it.manifest, MANIFEST)
            elif it.trouble[0] == RESET:
                # Closed like this, what is on its way is not waited for.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
            else:
                self.answer(it.trouble[0], it.trouble[1].encode(), "application/json")

        do_HEAD = do_GET  # noqa: N815 -- the name it is looked up by

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Content-Type", kind or "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as it is called there
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        it.reference = f"127.0.0.1:{server.server_port}/{secrets.token_hex(6)}/peer:v1"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield it
        server.shutdown()
        thread.join()
