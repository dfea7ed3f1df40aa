"""Client and server in one process over loopback, judged by the files and by their qlogs."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from qns import client, server
from qns.protocol import PeerError
from qns.task import Places, Task, UnsupportedError
from qns.webtransport import client as webtransport_client

FILES = {"small": b"x" * 1000, "empty": b"", "large": os.urandom(300_000)}
DATAGRAMS = {f"file-{size}": os.urandom(size) for size in range(900, 1000, 5)}


class Pair:
    """Both sides' folders, and what a run of them has left there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        make_certificates(folder / "certs")
        for side in ("client", "server"):
            for name in ("www", "downloads"):
                (folder / side / name).mkdir(parents=True)

    def places(self, side: str) -> Places:
        """Everything of one side."""
        folder = self.folder / side
        return Places(
            folder / "www", folder / "downloads", self.folder / "certs", self.port, folder / "keys.log", folder / "qlog"
        )

    def put(self, side: str, files: dict[str, bytes], below: str = "") -> None:
        """Give files to the side that serves them."""
        folder = self.places(side).www / below
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)

    def got(self, side: str, below: str = "") -> dict[str, bytes]:
        """The files a side has received."""
        return {path.name: path.read_bytes() for path in (self.places(side).downloads / below).iterdir()}

    def play(self, at_client: Task, at_server: Task) -> None:
        """Run the client against the server; the server is stopped when the client has ended, however it did."""
        run_client = webtransport_client.run if at_client.is_webtransport else client.run

        async def both() -> None:
            serving = asyncio.create_task(server.run(replace(at_server, places=self.places("server"))))
            try:
                async with asyncio.timeout(30):
                    await run_client(replace(at_client, places=self.places("client")))
            finally:
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving

        asyncio.run(both())

    def fetch(self, testcase: str, names: list[str], at_server: str | None = None) -> None:
        """One run of the QUIC suite."""
        requests = tuple(f"https://localhost:{self.port}/{name}" for name in names)
        self.play(Task("client", testcase, requests), Task("server", at_server or testcase))

    def packets(self, side: str, direction: str = "sent") -> Iterator[dict[str, Any]]:
        """The packets in the qlogs of a side, connection by connection."""
        for path in sorted(self.places(side).qlog.iterdir()):
            for record in path.read_text().split("\x1e")[1:]:
                event = json.loads(record)
                if event.get("name") == f"transport:packet_{direction}":
                    yield event["data"]["header"] | {"frames": event["data"]["frames"]}

    def connections(self) -> int:
        """How many there were at the server."""
        return len(list(self.places("server").qlog.iterdir()))


def free_port() -> int:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as chosen:
        chosen.bind(("::", 0))
        return int(chosen.getsockname()[1])


def make_certificates(folder: Path) -> None:
    """A root and a leaf for localhost, in files as the contract names them."""
    folder.mkdir()
    root_key, leaf_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root, leaf = (x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)]) for name in ("root", "leaf"))
    now = datetime.now(timezone.utc)

    def sign(subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(
            issuer_name=root,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - timedelta(hours=1),
            not_valid_after=now + timedelta(days=10),
        )
        certificate = builder.add_extension(extension, critical=False).sign(root_key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    (folder / "ca.pem").write_bytes(sign(root, root_key, x509.BasicConstraints(ca=True, path_length=None)))
    (folder / "cert.pem").write_bytes(sign(leaf, leaf_key, names))
    (folder / "priv.key").write_bytes(
        leaf_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


def frame_types(packets: Iterator[dict[str, Any]]) -> set[str]:
    return {frame["frame_type"] for packet in packets for frame in packet["frames"]}


@pytest.mark.parametrize("testcase", ["handshake", "transfer", "http3", "chacha20", "v2", "retry"])
def test_all_files_arrive_on_one_connection(pair: Pair, testcase: str) -> None:
    pair.put("server", FILES)
    pair.fetch(testcase, list(FILES))
    assert pair.got("client") == FILES
    assert pair.connections() == 1
    for side in ("client", "server"):
        assert "SERVER_HANDSHAKE_TRAFFIC_SECRET" in pair.places(side).key_log.read_text()
    retries = [packet for packet in pair.packets("client", "received") if packet["packet_type"] == "retry"]
    assert bool(retries) is (testcase == "retry")


def test_the_keys_change_in_the_middle_of_a_file(pair: Pair) -> None:
    pair.put("server", FILES)
    events = []
    pair.fetch("keyupdate", ["large"], at_server="transfer")
    for path in pair.places("server").qlog.iterdir():
        events = [json.loads(record) for record in path.read_text().split("\x1e")[1:]]
    assert "security:key_updated" in {event.get("name") for event in events}
    assert pair.got("client") == {"large": FILES["large"]}


def test_many_connections_for_many_files(pair: Pair) -> None:
    pair.put("server", FILES)
    pair.fetch("multiconnect", list(FILES))
    assert pair.got("client") == FILES
    assert pair.connections() == len(FILES)


@pytest.mark.parametrize("testcase", ["resumption", "zerortt"])
def test_the_second_connection_resumes_the_first(pair: Pair, testcase: str) -> None:
    pair.put("server", FILES)
    pair.fetch(testcase, list(FILES))
    assert pair.got("client") == FILES
    assert pair.connections() == 2
    early = [packet for packet in pair.packets("client") if packet["packet_type"] == "0RTT"]
    assert bool(early) is (testcase == "zerortt")


def test_a_file_that_is_not_there_is_an_error(pair: Pair) -> None:
    pair.put("server", FILES)
    with pytest.raises(PeerError, match=r"/none: the peer reset stream"):
        pair.fetch("transfer", ["none", "small"])
    with pytest.raises(PeerError, match=r"/none: the server answered with status 404"):
        pair.fetch("http3", ["none"])


def test_a_server_of_another_authority_is_refused(pair: Pair) -> None:
    pair.put("server", FILES)
    (pair.folder / "other").mkdir()
    make_certificates(pair.folder / "other" / "certs")
    (pair.folder / "certs" / "ca.pem").write_bytes((pair.folder / "other" / "certs" / "ca.pem").read_bytes())
    with pytest.raises(PeerError, match="certificate"):
        pair.fetch("handshake", ["small"])
    assert pair.got("client") == {}


def test_what_nobody_does_is_unsupported(pair: Pair) -> None:
    for run in (client.run, server.run, webtransport_client.run):
        with pytest.raises(UnsupportedError):
            asyncio.run(run(Task("", "dry-tired-chameleon", places=pair.places("client"))))
    with pytest.raises(UnsupportedError):
        asyncio.run(server.run(Task("server", "retry", protocols=("slug",), places=pair.places("server"))))


def test_the_first_common_protocol_of_the_client_is_written_down(pair: Pair) -> None:
    pair.put("server", {}, below="endpoint")
    url = f"https://localhost:{pair.port}/endpoint"
    pair.play(
        Task("client", "handshake", (url,), ("a", "s1", "s2")), Task("server", "handshake", (), ("s2", "b", "s1"))
    )
    for side in ("client", "server"):
        assert pair.got(side) == {"negotiated_protocol.txt": b"s1"}


@pytest.mark.parametrize(
    ("kind", "files"), [("unidirectional", FILES), ("bidirectional", FILES), ("datagram", DATAGRAMS)]
)
@pytest.mark.parametrize("direction", ["receive", "send"])
def test_files_cross_a_session(pair: Pair, kind: str, direction: str, files: dict[str, bytes]) -> None:
    testcase = f"transfer-{kind}-{direction}"
    url = f"https://localhost:{pair.port}/endpoint"
    if direction == "receive":
        requests = tuple(f"{url}/{name}" for name in files)
        tasks = Task("client", testcase, requests, ("slug",)), Task("server", "transfer", (), ("slug",))
    else:
        paths = tuple(f"endpoint/{name}" for name in files)
        tasks = Task("client", "transfer", (url,), ("slug",)), Task("server", testcase, paths, ("slug",))
    giver, getter = ("server", "client") if direction == "receive" else ("client", "server")
    for side in (giver, getter):
        pair.put(side, files if side == giver else {}, below="endpoint")
    pair.play(*tasks)
    assert pair.got(getter, below="endpoint") == files
    assert pair.connections() == 1
    assert ("datagram" in frame_types(pair.packets(giver))) is (kind == "datagram")


def test_a_session_at_no_endpoint_is_refused(pair: Pair) -> None:
    url = f"https://localhost:{pair.port}/none"
    with pytest.raises(PeerError, match="refused /none with status 404"):
        pair.play(Task("client", "handshake", (url,), ("a",)), Task("server", "handshake", (), ("a",)))
