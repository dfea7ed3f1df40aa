"""A cache that is in trouble costs one warning that names it and a bounded wait; the next one is asked, or a build."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import pytest
from registry import RESET, registry
from throwaways import Throwaways, names

from ci.images.caches.base import Limits
from ci.images.caches.chain import CacheChain, Place
from ci.images.caches.registry import open_cache

pytestmark = pytest.mark.docker

IMPATIENT: Final = Limits(connect=2, silence=1, pause=0.1, answer=2, slowest=1e9)


class Server(ThreadingHTTPServer):
    """:ivar asked: paths, in order"""

    daemon_threads = True
    fault: str
    good: Path | None = None

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        fault = self.server.fault
        if self.path.endswith(".json") and fault.startswith("archive-"):
            assert self.server.good is not None
            return self.answer(200, (self.server.good / self.path.rpartition("/")[2]).read_bytes())
        fault = fault.removeprefix("archive-")
        if fault.isdigit():
            return self.answer(int(fault), b"no")
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault == "silent":
            time.sleep(3)
        elif fault == "cut":
            self.answer(200, b"{}", told=1000)
        else:
            self.send_response(200)
            self.end_headers()
            until = time.monotonic() + 8
            while time.monotonic() < until:
                self.wfile.write(b"a" if fault == "slow" else b"a" * 65536)
                time.sleep(0.2 if fault == "slow" else 0)
        return None

    def answer(self, status: int, body: bytes, *, told: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if told is None else told))
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # whoever asked has had enough

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- as it is called there
        """Nobody reads it."""


@contextmanager
def served(fault: str) -> Iterator[Server]:
    with Server(fault) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def chain(said: list[str], *urls: str) -> CacheChain:
    places = [Place(cache=open_cache(url, IMPATIENT), reads=True, writes=False) for url in urls]
    return CacheChain(places, IMPATIENT, said.append)


FAULTS: Final = {
    "403": "answers 403 Forbidden",
    "404": None,
    "429": "answers 429 Too Many Requests",
    "500": "answers 500 Internal Server Error",
    "reset": "does not answer",
    "silent": "does not answer",
    "cut": "broke off after",
    "slow": "is too slow: ",
    "endless": "is longer than the 65536 bytes",
    "archive-404": "is not there, although",
    "archive-500": "answers 500 Internal Server Error",
    "archive-reset": "does not answer",
    "archive-cut": "broke off after",
    "archive-slow": "is too slow: ",
    "archive-endless": "is longer than the",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_next_source_is_asked_after_one_warning(throwaways: Throwaways, tmp_path: Path, fault: str) -> None:
    daemon, tag = throwaways.daemon, throwaways.make()
    open_cache(f"dir:{tmp_path}", IMPATIENT).save(tag, daemon)
    daemon.forget(tag)
    said: list[str] = []
    with served(fault) as server:
        server.good = tmp_path
        url = f"http://user:secret@127.0.0.1:{server.server_port}/images"
        caches = chain(said, url, f"dir:{tmp_path}")
        began = time.monotonic()
        assert caches.restore(tag, daemon) == f"dir:{tmp_path}"
        assert time.monotonic() - began < 30
        expected = FAULTS[fault]
        if expected is None:
            assert said == []
            return
        [warning] = said
        assert expected in warning
        assert warning.startswith(f"cache http://127.0.0.1:{server.server_port}/images: ")
        assert "secret" not in warning
        if "not asked again" in warning:
            asked = len(server.asked)
            assert caches.restore(f"interop/other:{'b' * 16}", daemon) is None
            assert len(server.asked) == asked
    assert daemon.image(tag) is not None


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (403, '{"errors":[{"code":"DENIED","message":"denied"}]}', "denied"),
        (429, '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', "toomanyrequests"),
        (500, "{}", "500"),
        (RESET, "", "connection reset|EOF"),
    ],
)
def test_a_registry_in_trouble(throwaways: Throwaways, tmp_path: Path, status: int, text: str, expected: str) -> None:
    daemon, tag = throwaways.daemon, throwaways.make()
    open_cache(f"dir:{tmp_path}", IMPATIENT).save(tag, daemon)
    daemon.forget(tag)
    before = names(daemon)
    said: list[str] = []
    with registry() as server:
        server.trouble = (status, text)
        place = server.reference.rpartition("/")[0]
        caches = chain(said, f"oci:{place}", f"dir:{tmp_path}")
        assert caches.restore(tag, daemon) == f"dir:{tmp_path}"
    [warning] = said
    assert warning.startswith(f"cache oci:{place}: ")
    assert re.search(expected, warning)
    assert names(daemon) == before | {tag}


def test_a_registry_that_says_nothing(throwaways: Throwaways, tmp_path: Path) -> None:
    daemon, tag = throwaways.daemon, throwaways.make()
    open_cache(f"dir:{tmp_path}", IMPATIENT).save(tag, daemon)
    daemon.forget(tag)
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        assert chain(said, f"oci:{place}", f"dir:{tmp_path}").restore(tag, daemon) == f"dir:{tmp_path}"
    assert said == [f"cache oci:{place}: {place}/{tag} cannot be pulled: nothing came for 1 s; it is not asked again"]


def test_a_host_that_is_not_there(throwaways: Throwaways) -> None:
    said: list[str] = []
    assert chain(said, "https://nobody.invalid/images").restore(f"interop/any:{'a' * 16}", throwaways.daemon) is None
    [warning] = said
    assert warning.startswith("cache https://nobody.invalid/images: it does not answer")


def test_a_folder_that_cannot_be_written_keeps_nothing_and_harms_nothing(
    throwaways: Throwaways, tmp_path: Path
) -> None:
    tag = throwaways.make()
    (tmp_path / "file").write_text("")
    said: list[str] = []
    cache = open_cache(f"dir:{tmp_path / 'file'}", IMPATIENT)
    CacheChain([Place(cache=cache, reads=False, writes=True)], IMPATIENT, said.append).save(tag, throwaways.daemon)
    [warning] = said
    assert f"dir:{tmp_path / 'file'}: {tag} could not be kept" in warning
    assert throwaways.daemon.image(tag) is not None
