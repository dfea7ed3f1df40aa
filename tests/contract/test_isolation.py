"""Nothing of one case reaches the next one in its slot, nor a case in another slot beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_peers import DockerPeers, Play, Played

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.engine import DockerEngine, DockerSlot
from ci.engines.docker.namespaces import LOOK, LOOK_AT_ALL, Namespace
from ci.engines.docker.networks import NetworkEngine, NetworkSlot
from ci.model import Outcome, Role
from ci.runner.inbox import Cancelled


@pytest.fixture(scope="module")
def peers(daemon: Daemon, helper_image: str) -> Iterator[DockerPeers]:
    made = DockerPeers(daemon, helper=helper_image)
    yield made
    made.close()


@pytest.fixture
def own_slot(daemon: Daemon, helper_image: str) -> Iterator[DockerSlot]:
    with DockerEngine(daemon, helper=helper_image).slot(21) as slot:
        yield slot


def address_of(daemon: Daemon, slot: DockerSlot, role: Role) -> str:
    [network] = daemon.api.inspect_container(slot.pods[role])["NetworkSettings"]["Networks"].values()
    return str(network["IPAddress"])


def ghosts(
    daemon: Daemon,
    peers: DockerPeers,
    slot: DockerSlot,
    elsewhere: DockerSlot | None = None,
    *,
    dialer: str = "looks-for-ghosts",
    listener: str = "looks-for-ghosts",
) -> Played:
    """A case of which each side may haunt, or look for ghosts of, the other side.

    :param elsewhere: in another slot
    """
    where = elsewhere or slot
    others = {"dialing": address_of(daemon, where, "listener"), "listening": address_of(daemon, where, "dialer")}
    behaviours = {"dialing": dialer, "listening": listener}
    images = {side: peers(behaviour, dockerfile=f"ENV OTHER={others[side]}") for side, behaviour in behaviours.items()}
    return Play(slot, peers)("good", images=images)


def seen(played: Played, role: Role) -> tuple[str, str]:
    """What a side that looked for ghosts has seen: how often it was visited, and what the other side serves."""
    lines = dict(line.split(": ", 1) for line in played.output(role, "stderr").splitlines() if ": " in line)
    return lines["visits"], lines["served"]


def test_ghosts_of_the_same_case_are_seen(daemon: Daemon, peers: DockerPeers, own_slot: DockerSlot) -> None:
    """So that not to see any says something."""
    played = ghosts(daemon, peers, own_slot, listener="haunts")
    visits, served = seen(played, "dialer")
    assert int(visits) > 0
    assert served == "PONG"


def test_a_case_neither_reaches_nor_is_reached_by_the_one_before(
    daemon: Daemon, peers: DockerPeers, own_slot: DockerSlot
) -> None:
    assert ghosts(daemon, peers, own_slot, dialer="haunts", listener="haunts").verdict.outcome is Outcome.PASSED
    generation = own_slot.generation
    played = ghosts(daemon, peers, own_slot)
    assert own_slot.generation == generation  # in the same namespaces
    assert seen(played, "dialer") == ("", "")
    assert seen(played, "listener") == ("", "")


def test_a_case_neither_reaches_nor_is_reached_by_one_in_another_slot(
    daemon: Daemon, helper_image: str, peers: DockerPeers, own_slot: DockerSlot
) -> None:
    """They are on the same host, and each knows where the other is."""
    engine, over, haunting = DockerEngine(daemon, helper=helper_image), threading.Event(), threading.Event()

    def announced(_: str) -> bool:
        haunting.set()
        return False

    with engine.slot(22) as other, ThreadPoolExecutor() as pool:
        haunts = {
            side: peers("haunts", dockerfile=f"ENV OTHER={address_of(daemon, own_slot, role)}\nENV THEN={then}")
            for side, role, then in (("dialing", "listener", "announces-and-stays"), ("listening", "dialer", "good"))
        }
        beside = pool.submit(Play(other, peers), "", images=haunts, cancelled=over, has_result=announced)
        try:
            assert haunting.wait(20)
            played = ghosts(daemon, peers, own_slot, other)
        finally:
            over.set()
        with pytest.raises(Cancelled):
            beside.result()
    assert seen(played, "dialer") == ("", "")
    assert seen(played, "listener") == ("", "")


def test_a_pod_in_which_somebody_still_listens_is_replaced(
    daemon: Daemon, helper_image: str, peers: DockerPeers, own_slot: DockerSlot
) -> None:
    pods = dict(own_slot.pods)
    own_slot.restore()
    assert own_slot.pods == pods
    stranger = daemon.api.create_container(
        helper_image,
        ["redis-server", "--port", "4242"],
        labels=daemon.labels(role="helper"),
        host_config=daemon.api.create_host_config(network_mode=f"container:{pods['listener']}"),
    )["Id"]
    try:
        daemon.api.start(stranger)
        while found(own_slot, "listener", LOOK) == found(own_slot, "dialer", LOOK):
            pass
        own_slot.restore()
        assert own_slot.pods["dialer"] == pods["dialer"]
        assert own_slot.pods["listener"] != pods["listener"]
    finally:
        daemon.remove(stranger)
    assert Play(own_slot, peers)("good").verdict.outcome is Outcome.PASSED


def test_a_process_of_a_case_that_is_over_is_ended(
    daemon: Daemon, helper_image: str, own_slot: DockerSlot, peers: DockerPeers
) -> None:
    """Whatever kept its container from being removed."""
    mode = f"container:{own_slot.pods['listener']}"
    [label] = [value for name, value in _labels(daemon, own_slot.redis).items() if name.endswith(".slot")]
    stray = daemon.api.create_container(
        helper_image,
        ["sleep", "1000"],
        labels=daemon.labels(role="listener", slot=label),
        host_config=daemon.api.create_host_config(network_mode=mode),
    )["Id"]
    daemon.api.start(stray)
    own_slot.restore()
    assert stray not in [it["Id"] for it in daemon.api.containers(all=True)]
    assert Play(own_slot, peers)("good").verdict.outcome is Outcome.PASSED


def _labels(daemon: Daemon, container: str) -> dict[str, str]:
    labels: dict[str, str] = daemon.api.inspect_container(container)["Config"]["Labels"]
    return labels


def found(slot: DockerSlot | NetworkSlot, role: Role, script: str) -> Mapping[str, frozenset[str]]:
    """What there is in the namespace of a pod."""
    return Namespace.parse(slot.ask(role, script)).found


@pytest.fixture
def simulated(daemon: Daemon, helper_image: str) -> Iterator[NetworkSlot]:
    """On a slot of the test's own, which it may break."""
    with NetworkEngine(daemon, helper=helper_image).slot(23) as slot:
        yield slot


@pytest.mark.parametrize(
    "command",
    [
        "ip link set dev eth0 mtu 1280",
        "ip link set dev eth0 address 02:00:00:00:00:01",
        "ip link set dev eth0 down; ip link set dev eth0 name other0",
        "ip link add veth7 type veth peer name veth8",
        "ip rule add priority 7 blackhole",
        "ip -6 rule add priority 7 blackhole",
        "ip neighbour add 193.167.0.2 lladdr 02:00:00:00:00:01 nud permanent dev eth0",
        "nft add table ip stays",
        "ip route add blackhole 193.167.100.0/24",
        "ip address add 193.167.0.55/24 dev eth0",
    ],
)
def test_what_a_case_does_to_its_interfaces_is_undone(simulated: NetworkSlot, command: str) -> None:
    """Or its pod is replaced, where that cannot be."""
    simulated.restore("client")
    before, pod = found(simulated, "client", LOOK_AT_ALL), simulated.pods["client"]
    simulated.ask("client", command)
    assert found(simulated, "client", LOOK_AT_ALL) != before
    simulated.restore("client")
    after = found(simulated, "client", LOOK_AT_ALL)
    if simulated.pods["client"] == pod:
        assert after == before
    else:
        # It has another hardware address, and its interface another number.
        assert (after["rules"], after["routes"]) == (before["rules"], before["routes"])
        assert after["neighbours"] == before["neighbours"] == frozenset()
