"""What only the Docker engine promises: isolation, names and labels, and what happens when others interfere."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from fake_peers import DockerPeers, Play

from ci.engines.docker.daemon import LABEL, Daemon, EngineClient, sweep
from ci.engines.docker.engine import DockerEngine, DockerSlot
from ci.errors import EngineError
from ci.model import Outcome, Role
from ci.spec.attempt import MIB, AttemptSpec, Limits
from ci.suites.transport.words import TRANSPORT

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def docker_peers(daemon: Daemon, helper_image: str) -> Iterator[DockerPeers]:
    peers = DockerPeers(daemon, helper=helper_image)
    yield peers
    peers.close()


@pytest.fixture(scope="module")
def docker_play(daemon: Daemon, helper_image: str, docker_peers: DockerPeers) -> Iterator[Play]:
    with DockerEngine(daemon, helper=helper_image).slot(7) as slot:
        yield Play(slot, docker_peers)


@pytest.fixture
def own_play(daemon: Daemon, helper_image: str, docker_peers: DockerPeers) -> Iterator[Play]:
    """On a slot of the test's own, which it may break."""
    with DockerEngine(daemon, helper=helper_image).slot(8) as slot:
        yield Play(slot, docker_peers)


# --- isolation --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Report:
    """What `report` says of the inside of its container."""

    text: str

    def __getitem__(self, name: str) -> str:
        return next(line for line in self.text.splitlines() if line.startswith(f"{name}:")).partition(":")[2].strip()


@pytest.fixture(scope="module")
def reports(docker_play: Play, docker_peers: DockerPeers) -> dict[Role, Report]:
    """From inside both sides, as root, with an image that declares a volume."""
    image = docker_peers("report", dockerfile="USER root\nVOLUME /data")
    played = docker_play("report", "report", images={"dialing": image, "listening": image})
    assert played.verdict.outcome is Outcome.PASSED
    return {role: Report(played.output(role, "stderr")) for role in TRANSPORT.roles}


@pytest.mark.parametrize("role", TRANSPORT.roles)
@pytest.mark.parametrize("name", ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
def test_even_root_has_no_capabilities(reports: dict[Role, Report], role: Role, name: str) -> None:
    assert int(reports[role][name], 16) == 0


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_no_new_privileges(reports: dict[Role, Report], role: Role) -> None:
    assert reports[role]["NoNewPrivs"] == "1"


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_one_network_and_that_one_is_internal(
    reports: dict[Role, Report], docker_play: Play, daemon: Daemon, role: Role
) -> None:
    """Internal means that the host drops what would leave it; older engines still set a default route."""
    [network] = daemon.api.inspect_container(pods_of(docker_play)[role])["NetworkSettings"]["Networks"].values()
    assert daemon.api.inspect_network(network["NetworkID"])["Internal"]
    assert reports[role]["interfaces"] == "eth0 lo"


def test_no_way_out(docker_play: Play, docker_peers: DockerPeers, daemon: Daemon, helper_image: str) -> None:
    """What any other container of this host reaches, the peers of a case do not."""
    outside = reachable_outside(daemon, helper_image)
    if not outside:
        pytest.skip("no container of this host reaches anything outside, so there is nothing to be kept from")
    image = docker_peers("report", dockerfile=f"USER root\nENV OUTSIDE={outside}")

    played = docker_play("report", "report", images={"dialing": image, "listening": image})

    for role in TRANSPORT.roles:
        assert Report(played.output(role, "stderr"))[f"outside {outside}"] == "out of reach"


def reachable_outside(daemon: Daemon, helper_image: str) -> str:
    """`address/port` of a host that a container on Docker's own bridge can connect to; empty where there is none."""
    probe = 'set -- $(getent ahostsv4 deb.debian.org); timeout 5 bash -c ": >/dev/tcp/$1/80" && echo $1/80'
    container = daemon.api.create_container(helper_image, ["bash", "-c", probe], labels=daemon.labels(role="probe"))
    try:
        daemon.api.start(container["Id"])
        daemon.api.wait(container["Id"])
        return str(daemon.api.logs(container["Id"], stderr=False).decode().strip())
    finally:
        daemon.remove(container["Id"])


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_t21_init_is_the_first_process(reports: dict[Role, Report], role: Role) -> None:
    assert "init" in reports[role]["init"]


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_t2_anonymous_volumes_go_with_their_container(reports: dict[Role, Report], role: Role, daemon: Daemon) -> None:
    volumes = [mount.split("/")[-2] for mount in reports[role]["mounts"].split() if mount.endswith("/_data")]

    assert len(volumes) == 1
    with pytest.raises(docker.errors.NotFound):
        daemon.api.inspect_volume(volumes[0])


# The weight of a container where processors are short, in either generation of the kernel's interface.
WEIGHT = "cat /sys/fs/cgroup/cpu.weight /sys/fs/cgroup/cpu/cpu.shares 2>/dev/null || true"


def test_what_is_timed_weighs_more_than_what_is_built(docker_play: Play, daemon: Daemon, helper_image: str) -> None:
    seen: list[int] = []

    def look(_: str) -> bool:
        for role in TRANSPORT.roles:
            [one] = daemon.api.containers(filters={"label": [f"{LABEL}.role={role}", *mine(daemon)]})
            command = daemon.api.exec_create(one["Id"], ["sh", "-c", WEIGHT])
            seen.append(int(daemon.api.exec_start(command["Id"])))
        return True

    docker_play("stays", has_result=look)
    recipe = io.BytesIO(f"FROM {helper_image}\nRUN {WEIGHT}\n".encode())
    said = list(daemon.api.build(fileobj=recipe, nocache=True, rm=True, decode=True))
    [weight] = [int(line) for it in said if (line := it.get("stream", "").strip()).isdigit()]
    [image] = [it["aux"]["ID"] for it in said if "aux" in it]
    daemon.api.remove_image(image)
    assert min(seen) > 2 * weight


RESTRICTIONS = ("CapAdd", "CapDrop", "SecurityOpt", "Init", "Memory", "MemorySwap", "PidsLimit", "Ulimits", "Binds")


def test_by_hand_a_side_is_restricted_as_it_is_by_the_engine(
    docker_play: Play, daemon: Daemon, helper_image: str
) -> None:
    engine = DockerEngine(daemon, helper=helper_image)
    seen: dict[str, dict[str, Any]] = {}

    def look(_: str) -> bool:
        [dialer] = daemon.api.containers(filters={"label": [f"{LABEL}.role=dialer", *mine(daemon)]})
        seen["engine"] = daemon.api.inspect_container(dialer["Id"])["HostConfig"]
        return True

    played = docker_play("stays", has_result=look)
    lines = engine.reproduction(played.spec, docker_play.slot, names={}, folder=None)
    *run, removal, network = [line.partition("; echo")[0] for line in lines]
    try:
        # What stays does so until it is removed: in the background, or this would wait for it.
        run = [line.replace("docker run --name", "docker run -d --name") for line in run]
        subprocess.run(["sh", "-e"], input="\n".join(run), text=True, check=True, capture_output=True)
        seen["by hand"] = daemon.api.inspect_container(f"interop-again-{played.case.key[:8]}-dialer")["HostConfig"]
    finally:
        subprocess.run(["sh"], input=f"{removal}\n{network}\n", text=True, check=True, capture_output=True)

    of_engine, by_hand = ({name: seen[who].get(name) or None for name in RESTRICTIONS} for who in ("engine", "by hand"))
    assert by_hand == of_engine


def test_volumes_of_an_image_are_no_way_round_the_limit_for_its_disk(
    docker_play: Play, docker_peers: DockerPeers
) -> None:
    image = docker_peers("litter", dockerfile="USER root\nENV TMPDIR=/litter\nVOLUME /litter")

    def limited(spec: AttemptSpec) -> AttemptSpec:
        return spec.changed(replace(spec.participant("dialer"), limits=Limits(disk_bytes=200 * MIB)))

    played = docker_play("litter", images={"dialing": image}, change=limited)

    assert "to its disk, 200 MiB are allowed" in played.text


# --- images that are not there, or do not start (T20) -----------------------------------------------------


@pytest.mark.parametrize("side", ["dialing", "listening"])
def test_t20_a_missing_image_is_that_images_error_and_leaves_the_slot_usable(docker_play: Play, side: str) -> None:
    played = docker_play("good", images={side: "interop/no-such-image:none"})

    assert (played.verdict.outcome, played.code) == (Outcome.ERROR, "container-start")
    assert "interop/no-such-image" in played.text
    assert docker_play("good").verdict.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        ("USER nobody-of-that-name", "nobody-of-that-name"),  # told while it starts, as an internal error
        ("WORKDIR /proc/self/no-such-folder", "no-such-folder"),  # told while it starts
        ("ENTRYPOINT []\nCMD []", "No command specified"),  # told while it is made
    ],
)
def test_t20_an_image_that_the_engine_refuses_is_that_images_error(
    docker_play: Play, docker_peers: DockerPeers, instruction: str, said: str
) -> None:
    """The engine answers these as it answers trouble of its own."""
    played = docker_play("good", images={"dialing": docker_peers("good", dockerfile=instruction)})

    assert (played.verdict.outcome, played.code) == (Outcome.ERROR, "container-start")
    assert said in played.text
    assert docker_play("good").verdict.outcome is Outcome.PASSED


@pytest.mark.parametrize("side", ["dialing", "listening"])
def test_t20_an_entrypoint_that_is_not_there(docker_play: Play, docker_peers: DockerPeers, side: str) -> None:
    image = docker_peers("good", dockerfile='ENTRYPOINT ["/no/such/program"]')

    played = docker_play("good", images={side: image})

    assert (played.verdict.outcome, played.code) == (Outcome.ERROR, "container-start")
    assert "/no/such/program" in played.text


# --- when others interfere --------------------------------------------------------------------------------


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_a_container_removed_from_outside_is_an_engine_error(docker_play: Play, daemon: Daemon, role: Role) -> None:
    def remove(_: str) -> bool:
        [container] = daemon.api.containers(filters={"label": [f"{LABEL}.role={role}", *mine(daemon)]})
        daemon.api.remove_container(container["Id"], force=True)
        return False

    with pytest.raises(EngineError) as caught:
        docker_play("stays", has_result=remove)

    assert caught.value.reference == "engine-lost"
    assert docker_play("good").verdict.outcome is Outcome.PASSED


def pods_of(play: Play) -> dict[Role, str]:
    assert isinstance(play.slot, DockerSlot)
    return dict(play.slot.pods)


def redis_of(play: Play) -> str:
    assert isinstance(play.slot, DockerSlot)
    return play.slot.redis


def test_redis_killed_from_outside_is_an_engine_error(own_play: Play, daemon: Daemon) -> None:
    def kill(_: str) -> bool:
        daemon.api.kill(redis_of(own_play))
        return False

    with pytest.raises(EngineError) as caught:
        own_play("announces", "silent", has_result=kill)

    assert caught.value.reference == "redis-lost"


@pytest.mark.parametrize("number", ["SIGTERM", "SIGUSR1", "SIGKILL"])
def test_a_signal_from_outside_is_never_what_the_program_chose(docker_play: Play, daemon: Daemon, number: str) -> None:
    """`docker stop` and `docker kill`: a listener that handles SIGTERM leaves with 0, and was yet ended by others."""

    def kill(_: str) -> bool:
        [container] = daemon.api.containers(filters={"label": [f"{LABEL}.role=listener", *mine(daemon)]})
        daemon.api.kill(container["Id"], number)
        return False

    with pytest.raises(EngineError, match="somebody else sent signal") as caught:
        docker_play("announces", "silent", has_result=kill)

    assert caught.value.reference == "engine-lost"


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_a_dead_pod_is_made_anew_before_the_next_case(own_play: Play, daemon: Daemon, role: Role) -> None:
    before = pods_of(own_play)
    daemon.api.kill(before[role])

    assert own_play("good").verdict.outcome is Outcome.PASSED
    assert pods_of(own_play) != before


@pytest.mark.parametrize("part", ["pod", "redis"])
def test_what_was_taken_off_its_network_is_made_anew(own_play: Play, daemon: Daemon, part: str) -> None:
    container = pods_of(own_play)["dialer"] if part == "pod" else redis_of(own_play)
    [network] = daemon.api.inspect_container(pods_of(own_play)["dialer"])["NetworkSettings"]["Networks"].values()
    daemon.api.disconnect_container_from_network(container, network["NetworkID"])

    assert own_play("good").verdict.outcome is Outcome.PASSED


class Nobody:
    """A sink that must not be told anything."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(name)


def test_a_pod_that_dies_in_between_is_the_engines_trouble_and_not_the_images(own_play: Play, daemon: Daemon) -> None:
    participant = own_play("good").spec.participant("dialer")
    running = own_play.slot.prepare(participant, Nobody(), {}, {})
    try:
        daemon.api.kill(pods_of(own_play)["dialer"])

        with pytest.raises(EngineError, match="cannot join network of a non running container"):
            running.start()
    finally:
        running.remove()

    assert own_play("good").verdict.outcome is Outcome.PASSED


# Has the engine's socket, and a loopback interface that is not the one the engine publishes ports on.
ELSEWHERE = """
import sys
from ci.engines.docker.daemon import Daemon, connect
from ci.engines.docker.engine import DockerEngine
from ci.errors import EngineError
client = connect()
try:
    with DockerEngine(Daemon(client, run="elsewhere"), helper=sys.argv[1]).slot(0):
        pass
except EngineError as error:
    print(error.reference, error, sep="\\n")
client.close()
"""


def test_an_engine_of_another_machine_is_refused_with_the_reason(daemon: Daemon, helper_image: str) -> None:
    """Another network namespace is like another machine: the engine answers, and its loopback is not ours."""
    assert daemon
    if subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may make no network namespaces")
    script = f'ip link set lo up; exec {sys.executable} -c "$0" {helper_image}'
    command = ["unshare", "-n", "sh", "-c", script, ELSEWHERE]

    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)

    assert done.stdout.startswith("remote-engine\n"), done.stdout + done.stderr
    assert "is on another machine" in done.stdout
    assert "run the command where the engine is" in done.stdout


def test_a_slot_that_cannot_be_made_leaves_nothing(daemon: Daemon) -> None:
    engine = DockerEngine(daemon, helper="interop/no-such-image:none")

    with pytest.raises(EngineError), engine.slot(9):
        pytest.fail("there is no image to make a slot from")


def test_the_engine_describes_itself(daemon: Daemon, helper_image: str) -> None:
    described = DockerEngine(daemon, helper=helper_image).describe()

    assert described["name"] == "docker"
    assert isinstance(described["cpus"], int)
    assert isinstance(described["memoryBytes"], int)
    assert described["memoryBytes"] > 0


def mine(daemon: Daemon) -> list[str]:
    return [f"{label}={daemon.labels()[label]}" for label in (f"{LABEL}.pid", f"{LABEL}.pid-started")]


# --- sweeping ---------------------------------------------------------------------------------------------

# Makes a container and a network and ends without a chance to tidy up.
ABANDON = """
import sys
from ci.engines.docker.daemon import Daemon, connect
client = connect()
daemon = Daemon(client, run="abandoned")
print(daemon.api.create_container(sys.argv[1], ["true"], labels=daemon.labels(role="dialer"))["Id"])
print(daemon.api.create_network(daemon.prefix, labels=daemon.labels(role="network"))["Id"])
client.close()
"""


def swept(client: EngineClient) -> int:
    return sweep(client.api)


def exists(inspect: Any, name: str) -> bool:
    try:
        inspect(name)
    except docker.errors.NotFound:
        return False
    return True


def test_what_a_dead_owner_left_is_swept(docker_client: EngineClient, helper_image: str) -> None:
    command = [sys.executable, "-c", ABANDON, helper_image]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    container, network = done.stdout.split()
    api = docker_client.api
    assert exists(api.inspect_container, container)
    assert exists(api.inspect_network, network)

    assert swept(docker_client) >= 2

    assert not exists(api.inspect_container, container)
    assert not exists(api.inspect_network, network)


def test_nothing_else_is_swept(docker_client: EngineClient, daemon: Daemon, helper_image: str) -> None:
    elsewhere = {f"{LABEL}.host": "another-host", f"{LABEL}.pid": "1", f"{LABEL}.pid-started": "0"}
    dead = daemon.labels() | {f"{LABEL}.pid-started": "1"}
    # Of the same name as this host, and not this one.
    rebooted = dead | {f"{LABEL}.boot": "00000000-0000-0000-0000-000000000000"}
    before_there_were_such_labels = {
        name: value for name, value in dead.items() if name not in (f"{LABEL}.boot", f"{LABEL}.pid-namespace")
    }
    without_pid = {LABEL: "1", f"{LABEL}.host": daemon.labels()[f"{LABEL}.host"]}
    meant_to_stay = Daemon(docker_client, run="tests", keep=True).labels() | {f"{LABEL}.pid-started": "1"}
    kept = [
        daemon.labels(),
        daemon.labels() | elsewhere,
        without_pid,
        meant_to_stay,
        rebooted,
        before_there_were_such_labels,
        {},
    ]
    api = docker_client.api
    with ExitStack() as stack:
        containers = []
        for labels in kept:
            containers.append(api.create_container(helper_image, ["true"], labels=labels)["Id"])
            stack.callback(daemon.remove, containers[-1])

        swept(docker_client)

        assert [exists(api.inspect_container, it) for it in containers] == [True] * len(kept)


# Makes a container and lives until nothing more is said to it.
LIVE = """
import sys
from ci.engines.docker.daemon import Daemon, connect
client = connect()
daemon = Daemon(client, run="elsewhere")
print(daemon.api.create_container(sys.argv[1], ["true"], labels=daemon.labels(role="dialer"))["Id"], flush=True)
sys.stdin.read()
client.close()
"""


def test_a_run_in_a_container_with_the_hosts_network_is_not_swept(
    docker_client: EngineClient, daemon: Daemon, helper_image: str
) -> None:
    """Its host name is ours and its process numbers are not: here there is none of its number, or somebody else's."""
    if subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may make no process namespaces")
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", LIVE, helper_image]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        container = other.stdout.readline().strip()
        try:
            swept(docker_client)
            assert exists(docker_client.api.inspect_container, container)
        finally:
            daemon.remove(container)
            other.stdin.close()


def test_a_process_number_used_again_does_not_protect_what_its_first_owner_left(
    docker_client: EngineClient, daemon: Daemon, helper_image: str
) -> None:
    labels = daemon.labels() | {f"{LABEL}.pid-started": "1"}
    container = docker_client.api.create_container(helper_image, ["true"], labels=labels)["Id"]

    swept(docker_client)

    assert not exists(docker_client.api.inspect_container, container)
