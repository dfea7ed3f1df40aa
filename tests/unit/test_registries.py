"""Registries against a server of the test's own: what it answers, and what is said where none does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import time

import pytest

from ci.commands.doctor_checks.asking import Trouble
from ci.commands.doctor_checks.finding import State
from ci.commands.doctor_checks.registries import Answer, Registry, ask, judge_clock, judge_registry, registries

SOME = Registry(name="some", address="http://127.0.0.1:1/", statuses=(200, 401), impact="something")


class Handler(BaseHTTPRequestHandler):
    """Answers `/STATUS` with that status, an hour behind."""

    def do_GET(self) -> None:
        self.send_response_only(int(self.path.strip("/")))
        self.send_header("Date", formatdate(time() - 3600, usegmt=True))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as it:
        thread = threading.Thread(target=it.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{it.server_port}"
        it.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "state"), [(200, State.OK), (401, State.OK), (403, State.MISSING)])
def test_a_registry_that_answers(server: str, status: int, state: State) -> None:
    registry = replace(SOME, address=f"{server}/{status}")
    answer = ask(registry, {}, seconds=20)
    assert answer.status == status
    found = judge_registry(registry, answer)
    assert found.state is state
    assert "127.0.0.1" in found.value
    assert found.impact == ("something" if state is State.MISSING else "")


def test_a_clock_that_is_wrong(server: str) -> None:
    answer = ask(replace(SOME, address=f"{server}/200"), {}, seconds=20)
    found = judge_clock([Trouble("x"), answer])
    assert found.state is State.WARN
    assert "ahead of 127.0.0.1" in found.value


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (0.4, State.OK, "agrees with"),
        (-7.0, State.OK, "7 s behind"),
        (59.0, State.OK, "59 s ahead of"),
        (-90.0, State.WARN, "90 s behind"),
    ],
)
def test_how_wrong_a_clock_may_be(ahead: float, state: State, words: str) -> None:
    found = judge_clock([Answer(registry=SOME, status=200, seconds=0.1, ahead=ahead)])
    assert found.state is state
    assert words in found.value


def test_the_quickest_answer_tells_the_time_best() -> None:
    slow = Answer(registry=SOME, status=200, seconds=2.9, ahead=3000)
    quick = Answer(registry=SOME, status=401, seconds=0.1, ahead=0)
    silent = Answer(registry=SOME, status=200, seconds=0.01, ahead=None)
    assert judge_clock([slow, quick, silent]).state is State.OK
    assert judge_clock([silent]).value.startswith("not compared")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        registry = replace(SOME, address=f"http://me:a-password@127.0.0.1:{closed.getsockname()[1]}/x")
        with pytest.raises(OSError, match="connection refused") as caught:
            ask(registry, {}, seconds=20)
    found = judge_registry(registry, Trouble(str(caught.value)))
    assert found.state is State.MISSING
    assert "a-password" not in found.value
    assert judge_registry(registry, Trouble("x"), unneeded="it is here").state is State.WARN


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        registry = replace(SOME, address=f"http://127.0.0.1:{silent.getsockname()[1]}/")
        with pytest.raises(OSError, match="no answer in time"):
            ask(registry, {}, seconds=0.1)


def test_a_bundle_of_authorities_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    registry = replace(SOME, address="https://127.0.0.1:1/")
    with pytest.raises(OSError, match="SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names no file"):
        ask(registry, {"SSL_CERT_FILE": "/nowhere/bundle.pem"}, seconds=20)


def test_names_are_unique() -> None:
    names = [it.name for it in registries({})]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("environment", "name", "address"),
    [
        ({}, "PyPI", "https://pypi.org/simple/uv/"),
        ({"PIP_INDEX_URL": "https://a.example/simple/"}, "PyPI", "https://a.example/simple/uv/"),
        ({"npm_config_registry": "http://b.example"}, "npm", "http://b.example/uint8arrays"),
        ({"GOPROXY": "https://c.example,direct"}, "Go proxy", "https://c.example/github.com/libp2p/go-libp2p/@v/list"),
        ({"GOPROXY": "https://c.example|direct"}, "Go proxy", "https://c.example/github.com/libp2p/go-libp2p/@v/list"),
        ({"GOPROXY": "direct"}, "Go proxy", "https://proxy.golang.org/github.com/libp2p/go-libp2p/@v/list"),
    ],
)
def test_registries_are_those_the_clients_would_use(environment: dict[str, str], name: str, address: str) -> None:
    [found] = [it for it in registries(environment) if it.name == name]
    assert found.address == address


def test_a_password_in_an_address_is_not_shown() -> None:
    [found] = [
        it for it in registries({"PIP_INDEX_URL": "https://me:a-password@a.example:8443/simple"}) if it.name == "PyPI"
    ]
    assert found.host == "a.example"
