"""What the suites over a simulated network ask of an engine: the contract's addresses, once per slot."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_peers import DockerPeers

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.networks import UNSTARTABLE, NetworkEngine, NetworkSlot
from ci.errors import EngineError
from ci.model import Outcome, ReasonCode, Role, Verdict
from ci.runner.attempt import attempt
from ci.runner.inbox import Cancelled
from ci.spec.attempt import MIB, AttemptSpec, End, Evidence, Participant
from ci.suites.quic.attempt_specs import RoleImages
from ci.suites.quic.compliance import COMPLIANCE_FILE, Compliance
from ci.suites.registry import SUITES

CLAIMS = "ENV CLAIMS=handshake"
CASE = SUITES["quic"].words.case("a", "b", "handshake")


@pytest.fixture(scope="module")
def network_engine(daemon: Daemon, helper_image: str) -> NetworkEngine:
    return NetworkEngine(daemon, helper=helper_image)


@pytest.fixture(scope="module")
def network_slot(network_engine: NetworkEngine) -> Iterator[NetworkSlot]:
    with network_engine.slot(0) as slot:
        slot.open("iperf_client", "iperf_server")  # made when first asked for, and gone with the slot
        yield slot


@dataclass
class Play:
    """Plays one attempt with these behaviours; whoever is not named stays until it is stopped."""

    slot: NetworkSlot
    endpoints: DockerPeers
    folder: Path

    def __call__(
        self,
        behaviours: Mapping[Role, str] | None = None,
        *,
        images: Mapping[Role, str] | None = None,
        inputs: Mapping[Role, Mapping[str, Path]] | None = None,
        environment: Mapping[str, str] | None = None,
        deadline: float = 20,
        most_bytes: int = 10 * MIB,
        more: tuple[Role, ...] = (),
        cancelled: threading.Event | None = None,
    ) -> Evidence:
        roles: tuple[Role, ...] = ("simulator", "server", "client", *more)
        spec = AttemptSpec(
            case=CASE,
            participants=tuple(
                Participant(
                    role=role,
                    version=role,
                    image=(images or {}).get(role) or self.endpoints((behaviours or {}).get(role, "stays")),
                    environment={"ROLE": role, "TESTCASE": "handshake", **(environment or {})},
                )
                for role in roles
            ),
            inputs=inputs or {},
            outputs={"client": {"/logs": "client", "/downloads": "client_downloads"}},
            deadline=deadline,
            stop_timeout=3,
            outer=("simulator",),
            output_bytes=most_bytes,
        )
        return self.run(spec, self.folder, cancelled)

    def run(self, spec: AttemptSpec, folder: Path, cancelled: threading.Event | None = None) -> Evidence:
        self.slot.restore(*spec.roles)
        return attempt(self.slot, spec, labels={}, cancelled=cancelled or threading.Event(), folder=folder)


@pytest.fixture
def network_play(network_slot: NetworkSlot, endpoints: DockerPeers, tmp_path: Path) -> Play:
    return Play(network_slot, endpoints, tmp_path)


def said(evidence: Evidence, role: Role) -> str:
    return evidence.streams[role, "stdout"].text()


def lines(evidence: Evidence, role: Role, kind: str) -> set[str]:
    return {" ".join(line.split()[1:]) for line in said(evidence, role).splitlines() if line.startswith(f"{kind}:")}


# --- what a container finds -------------------------------------------------------------------------------


def test_everyone_has_the_addresses_of_the_contract(network_play: Play) -> None:
    evidence = network_play({"client": "good"}, more=("iperf_client", "iperf_server"))
    expected = {
        "client": {"eth0 193.167.0.100/24", "eth0 fd00:cafe:cafe::100/64"},
        "server": {"eth0 193.167.100.100/24", "eth0 fd00:cafe:cafe:100::100/64"},
        "iperf_client": {"eth0 193.167.0.90/24", "eth0 fd00:cafe:cafe::90/64"},
        "iperf_server": {"eth0 193.167.100.110/24", "eth0 fd00:cafe:cafe:100::110/64"},
        "simulator": {
            "eth0 193.167.0.2/24",
            "eth0 fd00:cafe:cafe::2/64",
            "eth1 193.167.100.2/24",
            "eth1 fd00:cafe:cafe:100::2/64",
        },
    }
    for role, addresses in expected.items():
        found = {it for it in lines(evidence, role, "address") if " fe80:" not in it}
        assert found == addresses


def test_nobody_has_a_way_out(network_play: Play) -> None:
    evidence = network_play({"client": "good"})
    for role in ("client", "server", "simulator"):
        routes = lines(evidence, role, "route")
        assert routes
        assert not [route for route in routes if route.startswith("default")]


def test_names_stand_for_the_addresses_of_the_contract(network_play: Play) -> None:
    evidence = network_play({"client": "good"})
    assert lines(evidence, "client", "host") >= {
        "193.167.0.2 sim",
        "193.167.100.100 server4",
        "fd00:cafe:cafe:100::100 server6",
        "193.167.100.100 server46",
        "fd00:cafe:cafe:100::100 server46",
    }
    assert lines(evidence, "server", "host") >= {"193.167.100.2 sim", "193.167.100.100 server4"}
    assert "193.167.100.100 server" in lines(evidence, "simulator", "host")
    assert "HOSTNAME=client" in lines(evidence, "client", "env")
    assert "HOSTNAME=sim" in lines(evidence, "simulator", "env")


def test_variables_arrive(network_play: Play) -> None:
    evidence = network_play({"client": "good"}, environment={"REQUESTS": "https://server4:443/a https://server4:443/b"})
    assert "REQUESTS=https://server4:443/a https://server4:443/b" in lines(evidence, "client", "env")


def test_a_case_finds_nothing_of_the_one_before(network_play: Play) -> None:
    network_play({"client": "spoils"})
    evidence = network_play({"client": "good"})
    assert not [it for it in lines(evidence, "client", "route") if it.startswith("10.9.9.")]
    assert not [it for it in lines(evidence, "client", "address") if "10.9.9.9" in it]


def test_slots_do_not_see_each_other(
    network_engine: NetworkEngine, endpoints: DockerPeers, daemon: Daemon, tmp_path: Path
) -> None:
    """The same address exists twice on one daemon, and each client reaches its own."""
    with network_engine.slot(1) as one, network_engine.slot(2) as other:
        ask = {"ASKED": "193.167.0.2"}
        elsewhere = Play(other, endpoints, tmp_path / "other")
        assert "reached" in said(elsewhere({"client": "asks"}, environment=ask), "client")
        one.restore("client", "simulator", "server")
        daemon.api.stop(other.pods["simulator"], timeout=0)
        # The address exists in the first slot alone: the second one's client must not find it.
        assert "193.167.0.2" in _addresses(daemon, one.pods["simulator"])
        assert not _reaches(daemon, other.pods["client"], "193.167.0.2")
        assert _reaches(daemon, one.pods["client"], "193.167.0.2")


def _run(daemon: Daemon, container: str, command: str) -> tuple[int, str]:
    made = daemon.api.exec_create(container, ["sh", "-c", command])["Id"]
    output = daemon.api.exec_start(made).decode()
    return daemon.api.exec_inspect(made)["ExitCode"], output


def _addresses(daemon: Daemon, container: str) -> str:
    return _run(daemon, container, "ip -o address show")[1]


def _reaches(daemon: Daemon, container: str, address: str) -> bool:
    """Nobody listens there, so whoever has the address refuses."""
    return "refused" in _run(daemon, container, f'timeout 2 bash -c ": >/dev/tcp/{address}/1" 2>&1')[1]


# --- how an attempt ends ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviours", "first", "exit_code"),
    [
        ({"client": "good"}, "client", 0),
        ({"client": "fails"}, "client", 1),
        ({"server": "unsupported"}, "server", 127),
        ({"simulator": "fails"}, "simulator", 1),
    ],
)
def test_the_first_to_end_ends_it(
    network_play: Play, behaviours: Mapping[Role, str], first: Role, exit_code: int
) -> None:
    evidence = network_play(behaviours)
    assert evidence.first == first
    assert evidence.exits[first].exit_code == exit_code
    assert not evidence.exits[first].stopped
    for role in {"client", "server", "simulator"} - {first}:
        end = evidence.exits[role]
        assert end.stopped
        # By itself when told to, unless it was told before it could listen.
        assert end.exit_code in (0, 128 + signal.SIGTERM)


def test_the_simulator_is_stopped_last(network_play: Play) -> None:
    evidence = network_play({"client": "good"})
    assert evidence.exits["simulator"].at > evidence.exits["server"].at


def test_a_deadline_ends_it_too(network_play: Play) -> None:
    evidence = network_play(deadline=0.5)
    assert evidence.first is None
    assert all(end.stopped for end in evidence.exits.values())


def test_who_does_not_listen_is_killed(network_play: Play) -> None:
    evidence = network_play({"client": "good", "server": "ignores-term"})
    assert evidence.exits["server"].stopped
    assert evidence.exits["server"].signal == 9


def test_an_image_that_does_not_start_is_not_unsupported(network_play: Play) -> None:
    """127 has a meaning of its own here, so it must not be what Docker's trouble looks like."""
    broken = network_play.endpoints("good", dockerfile='ENTRYPOINT ["/no-such-program"]')
    evidence = network_play(images={"client": broken})
    assert evidence.first == "client"
    assert evidence.exits["client"].exit_code == UNSTARTABLE
    assert "no-such-program" in evidence.streams["client", "stderr"].text()


def test_a_flood_is_bounded(network_play: Play) -> None:
    evidence = network_play({"client": "floods"}, deadline=60)
    capture = evidence.streams["client", "stdout"]
    assert evidence.first == "client"
    assert capture.total == 100_000_000
    assert len(capture.data()) < 3 * MIB
    assert capture.truncated


def test_it_can_be_interrupted(network_play: Play) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        network_play(cancelled=cancelled)


# --- files ------------------------------------------------------------------------------------------------


def test_files_go_in_and_come_out(network_play: Play, tmp_path: Path) -> None:
    www, certs = tmp_path / "www", tmp_path / "certs"
    for folder in (www, certs, tmp_path / "downloads"):
        folder.mkdir()
    (www / "three-word-slug").write_bytes(b"\x00\xff" * 5000)
    long = "n" * 250  # as in `zerortt`
    (www / long).write_text("early")
    (certs / "priv.key").write_text("secret")
    (certs / "priv.key").chmod(0o600)
    evidence = network_play(
        {"client": "writes"},
        inputs={"client": {"/www": www, "/certs": certs, "/downloads": tmp_path / "downloads"}},
    )
    assert evidence.exits["client"].exit_code == 0
    assert evidence.cut == {}
    assert "-rw------- 1 0 0 6 " in " ".join(said(evidence, "client").split())
    assert "may write: yes" in said(evidence, "client")
    downloaded = tmp_path / "client_downloads"
    assert {path.name for path in downloaded.iterdir()} == {"three-word-slug", long}
    assert (downloaded / long).read_text() == "early"
    assert (downloaded / "three-word-slug").read_bytes() == b"\x00\xff" * 5000
    kept = {path.relative_to(tmp_path / "client").as_posix() for path in (tmp_path / "client").rglob("*")}
    assert kept == {"keys.log", "qlog", "qlog/deep", "qlog/deep/big"}  # and not what a link would have led to
    assert (tmp_path / "client/qlog/deep/big").stat().st_size == 3_000_000


def test_what_is_too_much_is_cut_and_said(network_play: Play, tmp_path: Path) -> None:
    evidence = network_play({"client": "writes"}, most_bytes=MIB)
    assert evidence.cut == {"client": ("client",)}
    assert sum(path.stat().st_size for path in (tmp_path / "client").rglob("*") if path.is_file()) <= MIB


# --- who answers 127 --------------------------------------------------------------------------------------


def role_images_of(endpoints: DockerPeers, *, client: str, server: str, **operator: str) -> RoleImages:
    """:param operator: variables of whoever runs the matrix"""
    players: dict[Role, tuple[str, str]] = {
        "client": ("a", client),
        "server": ("b", server),
        "simulator": ("simulator", endpoints("stays")),
    }
    return RoleImages(players, seeded=False, operator=operator)


@pytest.mark.parametrize(
    ("client", "server", "side"),
    [(True, True, None), (False, True, "client"), (True, False, "server")],
)
def test_an_endpoint_that_claims_everything_is_found_out(
    network_play: Play, endpoints: DockerPeers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    client: bool, server: bool, side: Role | None,
) -> None:  # fmt: skip
    monkeypatch.setattr("ci.suites.quic.compliance.LIMIT_SECONDS", 2.0)
    role_images = role_images_of(
        endpoints,
        client=endpoints("stays", dockerfile=CLAIMS if client else ""),
        server=endpoints("fails", dockerfile=CLAIMS if server else ""),
    )
    objection = Compliance(tmp_path).objection(CASE, role_images, network_play.run)
    if side is None:
        assert objection is None
    else:
        assert objection is not None
        assert objection.outcome is Outcome.NOT_RUN
        assert objection.reason is not None
        assert (objection.reason.code, objection.reason.side) == (ReasonCode.NOT_COMPLIANT, side)
    assert (tmp_path / COMPLIANCE_FILE).exists()

    if side == "client":
        return  # it did not end, which is no answer: whoever goes on with the run asks it again

    def run_nothing(spec: AttemptSpec, folder: Path) -> Evidence:
        raise AssertionError(spec, folder)  # the answers are known

    again = Compliance(tmp_path).objection(CASE, role_images, run_nothing)
    assert again == objection


def test_a_slow_start_is_no_answer(
    network_play: Play, endpoints: DockerPeers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is busy for longer than the first question lasts."""
    monkeypatch.setattr("ci.suites.quic.compliance.LIMIT_SECONDS", 2.0)
    image = endpoints("stays", dockerfile=CLAIMS)
    role_images = role_images_of(endpoints, client=image, server=image, CLIENT_PARAMS=f"{time.time() + 5:.0f}")
    assert Compliance(tmp_path).objection(CASE, role_images, network_play.run) is None


@pytest.mark.parametrize(
    ("behaviour", "dockerfile", "said"),
    [
        ("no-program", 'ENV CLAIMS="handshake transfer http3"', "/opt/endpoint/program"),
        # A script that a checkout on Windows has spoilt.
        ("stays", r"RUN sed -i '1s,.*,#!/usr/bin/env bash\r,' /peer.sh", "env:"),
        # It can do something, though neither a handshake nor a transfer.
        ("stays", 'ENV CLAIMS="retry"', None),
    ],
)
def test_an_endpoint_that_does_nothing_at_all_is_an_error(
    network_play: Play, endpoints: DockerPeers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    behaviour: str, dockerfile: str, said: str | None,
) -> None:  # fmt: skip
    monkeypatch.setattr("ci.suites.quic.compliance.PROGRAM_LIMIT_SECONDS", 2.0)
    client, server = endpoints(behaviour, dockerfile=dockerfile), endpoints("stays", dockerfile=CLAIMS)
    role_images = role_images_of(endpoints, client=client, server=server)
    compliance = Compliance(tmp_path)
    assert compliance.objection(CASE, role_images, network_play.run) is None
    exits: dict[Role, End] = {"client": End(at=0.1, exit_code=127), "server": End(at=0.1, exit_code=143, stopped=True)}
    unsupported = Verdict(outcome=Outcome.UNSUPPORTED)

    found = compliance.reconsidered(CASE, role_images, network_play.run, exits, unsupported)
    # It is known from then on, also to whoever goes on with the run.
    known = Compliance(tmp_path).objection(CASE, role_images, network_play.run)
    if said is None:
        assert (found, known) == (unsupported, None)
        return
    assert found == known
    assert found.reason is not None
    assert (found.outcome, found.reason.code, found.reason.side) == (
        Outcome.ERROR, ReasonCode.CONTAINER_START, "client",
    )  # fmt: skip
    assert "answers 127 to every test case" in found.reason.text
    assert said in found.reason.text
    answers = json.loads((tmp_path / COMPLIANCE_FILE).read_text())
    assert any(said in line for answer in answers.values() for line in answer["lastLines"]["stderr"])


# --- pods that are not what they were ---------------------------------------------------------------------


@pytest.mark.parametrize("role", ["client", "server", "simulator"])
def test_a_dead_pod_is_made_anew_for_the_next_case(
    network_engine: NetworkEngine, endpoints: DockerPeers, daemon: Daemon, tmp_path: Path, role: Role
) -> None:
    with network_engine.slot(2) as slot:
        daemon.api.kill(slot.pods[role])
        evidence = Play(slot, endpoints, tmp_path)({"client": "good"})

    assert evidence.first == "client"
    assert evidence.exits["client"].exit_code == 0


def test_a_pod_that_cannot_be_connected_is_not_left_behind(network_engine: NetworkEngine, daemon: Daemon) -> None:
    network = daemon.api.create_network(daemon.name("left"), labels=daemon.labels(role="network"))["Id"]
    slot = NetworkSlot(network_engine, daemon.name("9"), {"left": network, "right": "no-such-network"})
    try:
        with pytest.raises(EngineError, match="no-such-network"):
            slot.open("simulator")
        assert slot.pods
    finally:
        slot.close()
        daemon.api.remove_network(network)
    # What is left is looked for after every test.


# --- other networks ---------------------------------------------------------------------------------------


def test_a_network_that_would_rewrite_packets_here_is_refused(
    network_engine: NetworkEngine, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Docker masquerades by source address, whatever bridge a packet crosses. A real one would stop other runs here."""
    rival = {"Name": "leftnet", "Driver": "bridge", "IPAM": {"Config": [{"Subnet": "193.167.0.0/24"}]}}
    real = daemon.api.networks
    monkeypatch.setattr(daemon.api, "networks", lambda: [*real(), rival])
    with pytest.raises(EngineError, match="leftnet"), network_engine.slot(9):
        pass
