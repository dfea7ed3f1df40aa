"""What is seen in a network namespace, from what its shell writes."""

from __future__ import annotations

import subprocess
from collections import Counter
from typing import Any

import pytest

from ci.engines.docker.daemon import _Api
from ci.engines.docker.namespaces import LOOK, LOOK_AT_ALL, Namespace

UNTOUCHED = """[neighbours]
ff02::16 dev eth0 lladdr 33:33:00:00:00:16 NOARP
[connections]
0
[sockets]
sockets: used 5
TCP: inuse 1 orphan 0 tw 3 alloc 14 mem 0
UDP: inuse 1 mem 0
RAW: inuse 0
FRAG: inuse 0 memory 0
TCP6: inuse 0
[links]
7: eth0@if9774: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP \\    link/ether 02:42:ac:12:00:02 brd ff:ff:ff:ff:ff:ff
[rules]
0:\tfrom all lookup local
32766:\tfrom all lookup main
"""


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("used 5", "used 19", []),
        ("tw 3", "tw 9", []),
        ("<BROADCAST,UP>", "<BROADCAST>", []),
        ("33:33:00:00:00:16 NOARP", "33:33:00:00:00:16 NOARP\n10.0.0.7 dev eth0  FAILED", []),
        ("TCP: inuse 1", "TCP: inuse 2", ["sockets: 2 TCP in use", "sockets: no more 1 TCP in use"]),
        ("FRAG: inuse 0", "FRAG: inuse 1", ["sockets: 1 FRAG in use", "sockets: no more 0 FRAG in use"]),
        ("[connections]\n0", "[connections]\n4", ["connections: 4 tracked"]),
        (
            "[neighbours]\n",
            "[neighbours]\n10.0.0.7 dev eth0 lladdr 02:00:00:00:00:01 PERMANENT\n",
            ["neighbours: 10.0.0.7 dev eth0 lladdr 02:00:00:00:00:01"],
        ),
        (
            "mtu 1500 qdisc noqueue",
            "mtu 1280 qdisc noqueue",
            [
                "links: eth0@if9774: mtu 1280 qdisc noqueue link/ether 02:42:ac:12:00:02",
                "links: no more eth0@if9774: mtu 1500 qdisc noqueue link/ether 02:42:ac:12:00:02",
            ],
        ),
        ("32766:", "7:\tfrom all blackhole\n32766:", ["rules: 7:\tfrom all blackhole"]),
        ("32766:\tfrom all lookup main\n", "", ["rules: no more 32766:\tfrom all lookup main"]),
    ],
)
def test_what_a_case_has_left(before: str, after: str, found: list[str]) -> None:
    assert before in UNTOUCHED
    changed = Namespace.parse(UNTOUCHED.replace(before, after, 1))
    assert list(changed.differences(Namespace.parse(UNTOUCHED))) == found


@pytest.mark.parametrize("script", [LOOK, LOOK_AT_ALL])
def test_the_scripts_are_scripts(script: str) -> None:
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_requests_are_counted_by_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the container, image or network, and whatever the version of the interface."""

    class Request:
        def __init__(self, method: str, path: str) -> None:
            self.method, self.url = method, f"http+docker://localhost/{path}"

    def send(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr("docker.APIClient.send", send)
    api = _Api.__new__(_Api)
    api.asked = Counter()
    digest = "5f1cc7" + "a" * 58
    for method, path in (
        ("POST", "v1.41/containers/create?name=interop-t-17188-0.2-1-listener"),
        ("POST", f"v1.41/containers/{digest}/start"),
        ("POST", f"v1.43/containers/{digest[:12]}/start"),
        ("GET", "v1.41/images/interop/go-v0.51:c7296cf6fa4f2378/json"),
        ("GET", "version"),
    ):
        api.send(Request(method, path))
    assert api.asked == {
        "POST containers/create": 1,
        "POST containers/start": 2,
        "GET images/interop/json": 1,
        "GET version": 1,
    }
