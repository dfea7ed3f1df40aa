"""Services of the host are out of reach for participants, by whatever address of the host."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from fake_peers import DockerPeers, Play

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.engine import DockerEngine, DockerSlot
from ci.engines.docker.networks import NetworkEngine
from ci.runner.attempt import attempt
from ci.spec.attempt import AttemptSpec, Participant
from ci.suites.registry import SUITES
from ci.suites.transport.words import TRANSPORT

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(shutil.which("ip") is None, reason="there is no `ip` here to list the host's addresses"),
]


@pytest.fixture(scope="module")
def service() -> Iterator[int]:
    """The port of a service that listens at every address of this host, of both families."""
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("", 0)))
        port = int(first.getsockname()[1])
        servers = [first]
        if socket.has_dualstack_ipv6():
            servers.append(stack.enter_context(socket.create_server(("::", port), family=socket.AF_INET6)))
        for server in servers:
            threading.Thread(target=_serve, args=(server,), daemon=True).start()
        yield port
        for server in servers:
            server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return


def addresses(*, networks: tuple[str, ...]) -> list[str]:
    """Every address of this host that a participant could mean; of the link-local ones those on these networks."""
    listed = subprocess.run(["ip", "-o", "address", "show"], check=True, capture_output=True, text=True).stdout
    found = []
    for line in listed.splitlines():
        _, device, _, address, *_ = line.split()
        address = address.partition("/")[0]
        if address.startswith("fe80:"):
            if device in networks:
                found.append(f"{address}%eth0")
        elif not address.startswith("127.") and address != "::1":
            found.append(address)
    return found


def gateways(daemon: Daemon, networks: tuple[str, ...]) -> list[str]:
    """What the engine says is the host's on these networks, whether it is or not."""
    return [config["Gateway"] for it in networks for config in daemon.api.inspect_network(it)["IPAM"]["Config"]]


def networks_of(daemon: Daemon, *pods: str) -> tuple[str, ...]:
    joined = [daemon.api.inspect_container(pod)["NetworkSettings"]["Networks"].values() for pod in pods]
    return tuple(dict.fromkeys(network["NetworkID"] for it in joined for network in it))


def bridges(networks: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"br-{network[:12]}" for network in networks)


@pytest.fixture(autouse=True, scope="module")
def _a_container_of_dockers_own_bridge_reaches_it(daemon: Daemon, helper_image: str, service: int) -> None:
    """Else the tests below show nothing."""
    reach = f": >/dev/tcp/$(ip -4 route show default | cut -d ' ' -f 3)/{service}"
    container = daemon.api.create_container(helper_image, ["bash", "-c", reach], labels=daemon.labels(role="probe"))[
        "Id"
    ]
    try:
        daemon.api.start(container)
        if daemon.api.wait(container)["StatusCode"] != 0:
            pytest.skip("the engine is on another machine: no container there reaches this host")
    finally:
        daemon.remove(container)


def test_by_the_sides_of_a_case(daemon: Daemon, helper_image: str, service: int) -> None:
    peers = DockerPeers(daemon, helper=helper_image, user=0)
    with DockerEngine(daemon, helper=helper_image).slot(0) as slot:
        assert isinstance(slot, DockerSlot)
        networks = networks_of(daemon, *slot.pods.values())
        places = [*addresses(networks=bridges(networks)), *gateways(daemon, networks)]
        assert places
        asked = " ".join(f"{it}/{service}" for it in places)

        def ask(spec: AttemptSpec) -> AttemptSpec:
            listener, dialer = (
                replace(it, environment={**it.environment, "OUTSIDE": asked})
                for it in (spec.participant("listener"), spec.participant("dialer"))
            )
            return spec.changed(listener, dialer)

        played = Play(slot, peers)("report", "report", change=ask, deadline=60)
    peers.close()

    for role in TRANSPORT.roles:
        said = [line for line in played.output(role, "stderr").splitlines() if line.startswith("outside ")]
        assert len(said) == len(places)
        assert [line for line in said if not line.endswith("out of reach")] == []


def test_by_participants_that_set_their_own_addresses_and_routes(
    daemon: Daemon, helper_image: str, endpoints: DockerPeers, service: int, tmp_path: Path
) -> None:
    with NetworkEngine(daemon, helper=helper_image).slot(0) as slot:
        networks = networks_of(daemon, slot.pods["client"])
        places = [*addresses(networks=bridges(networks)), *gateways(daemon, networks)]
        own = [f"{it.rpartition('.')[0]}.77/16" for it in gateways(daemon, networks)]
        spec = AttemptSpec(
            case=SUITES["quic"].words.case("a", "b", "handshake"),
            participants=tuple(
                Participant(
                    role=role,
                    version=role,
                    image=endpoints("intrudes" if role == "client" else "stays"),
                    environment={
                        "ROLE": role,
                        "ADDRESSES": " ".join([*own, "fe80::77/64"]),
                        "INTRUSIONS": " ".join(f"{it}/{service}" for it in places),
                    },
                )
                for role in ("simulator", "server", "client")
            ),
            deadline=90,
            stop_timeout=3,
            outer=("simulator",),
        )
        slot.restore(*spec.roles)
        evidence = attempt(slot, spec, labels={}, cancelled=threading.Event(), folder=tmp_path)

    said = evidence.streams["client", "stdout"].text().splitlines()
    assert said[-1] == "tried", evidence.streams["client", "stderr"].text()
    assert [line for line in said if line.startswith("reached")] == []
