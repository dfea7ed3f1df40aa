"""What a host without a working engine is told; needs none."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ci.engines.docker.daemon import connect
from ci.errors import EngineError


@pytest.mark.parametrize("there", [False, True], ids=["no-socket", "nobody-listens"])
def test_no_engine_is_told_in_words_and_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    path = tmp_path / "docker.sock"
    if there:
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(str(path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")

    with pytest.raises(EngineError) as caught:
        connect()

    assert caught.value.reference == "engine-unreachable"
    assert str(path) in caught.value.message
    assert caught.value.hint


class _NoEngine(BaseHTTPRequestHandler):
    """Something else that listens on the port."""

    answer = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"null", b'{"ApiVersion": 1}', b'{"ApiVersion": "x"}', b"<html>"])
def test_something_else_that_answers_is_no_engine(answer: bytes) -> None:
    with HTTPServer(("127.0.0.1", 0), type("Handler", (_NoEngine,), {"answer": answer})) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(EngineError) as caught:
                connect({"DOCKER_HOST": f"tcp://127.0.0.1:{server.server_port}"})
        finally:
            server.shutdown()
            thread.join()
    assert caught.value.reference == "engine-unreachable"


@pytest.mark.parametrize(
    "host", ["tcp://x:abc", "tcp://[::1", "nonsense", "unix://", "tcp://127.0.0.1:99999", "http+x://"]
)
def test_an_address_that_is_none_is_told_in_words(host: str) -> None:
    with pytest.raises(EngineError) as caught:
        connect({"DOCKER_HOST": host})
    assert caught.value.reference == "engine-unreachable"
