"""Scenes over a simulated network as shell commands: what a shell makes of them."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from ci.engines.docker.network_by_hand import long_values, network_lines
from ci.model import Role
from ci.spec.attempt import AttemptSpec
from ci.spec.network import HOSTS, PLACES, SIDES_OF_SIMULATOR
from ci.suites.quic.attempt_specs import RoleImages, attempt_spec
from ci.suites.quic.attempt_specs import test_case as the_test_case
from ci.suites.quic.materials.case_files import prepare
from ci.suites.registry import SUITES

# Stands in for the real one: writes its words down, each one behind a mark, lines within a word joined.
DOCKER = """docker() {
    { for word in "$@"; do printf "<%s>" "$word"; done; } | tr '\\n' ' ' >> "$log"
    echo >> "$log"
}
"""
PLAYERS: dict[Role, tuple[str, str]] = {
    "client": ("aioquic-v1", "sha256:c"),
    "server": ("quic-go-v1", "sha256:s"),
    "simulator": ("simulator", "sha256:n"),
    "iperf_client": ("iperf", "sha256:i"),
    "iperf_server": ("iperf", "sha256:i"),
}
NAMES = {"sha256:c": "interop/aioquic-v1:1", "sha256:s": "interop/quic-go-v1:1", "sha256:n": "interop/simulator:1"}


def described(folder: Path, name: str, suite: str = "quic") -> AttemptSpec:
    case = SUITES[suite].words.case("aioquic-v1", "quic-go-v1", name)
    test = the_test_case(case)
    case_files = test.case_files(7)
    prepare(case_files, folder)
    played = attempt_spec(case, test, case_files, RoleImages(PLAYERS, seeded=True), folder)
    for file, value in long_values(played).items():
        (folder / file).write_text(value)
    return played


def shell(folder: Path, lines: list[str]) -> list[str]:
    """What `docker` is told, a line a call."""
    log = folder / "log"
    script = f"log={shlex.quote(str(log))}\n{DOCKER}" + "\n".join(lines)
    subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=60)
    return log.read_text().splitlines()


def play(folder: Path, name: str, suite: str = "quic", *, locks_memory: bool = False) -> tuple[AttemptSpec, list[str]]:
    played = described(folder, name, suite)
    lines = network_lines(played, folder, helper="helper:1", images=NAMES, locks_memory=locks_memory)
    return played, shell(folder, lines)


def options(line: str, name: str) -> list[str]:
    words = line.strip("<> ").split("><")
    return [words[number + 1] for number, word in enumerate(words) if word == name]


def created(said: list[str], role: str) -> str:
    (line,) = [it for it in said if it.startswith("<create>") and options(it, "--name")[0].split("-", 3)[3] == role]
    return line


@pytest.mark.parametrize(
    ("name", "suite"), [("retry", "quic"), ("crosstraffic", "quic"), ("handshake", "webtransport")]
)
def test_everybody_gets_what_the_scene_says(tmp_path: Path, name: str, suite: str) -> None:
    played, said = play(tmp_path, name, suite)
    for participant in played.participants:
        line = created(said, participant.role.replace("_", "-"))
        assert options(line, "-e") == [f"{key}={value}" for key, value in participant.environment.items()]
        assert line.strip().endswith(f"<{NAMES.get(participant.image, participant.image)}>")
        assert ("NET_RAW" in options(line, "--cap-add")) == (participant.role == "simulator")


def test_two_thousand_urls_are_read_from_a_file(tmp_path: Path) -> None:
    played, said = play(tmp_path, "multiplexing")
    requests = played.participant("client").environment["REQUESTS"]
    lines = network_lines(played, tmp_path, helper="h", images={}, locks_memory=False)

    assert len(requests) > 50_000
    assert all(len(line) < 4000 for line in lines)
    assert f"REQUESTS={requests}" in options(created(said, "client"), "-e")


@pytest.mark.parametrize("locks_memory", [True, False])
def test_only_endpoints_lock_memory_and_only_where_that_is_allowed(tmp_path: Path, locks_memory: bool) -> None:
    _, said = play(tmp_path, "retry", locks_memory=locks_memory)
    locks = {
        role: [it for it in options(created(said, role), "--ulimit") if it.startswith("memlock=")]
        for role in ("client", "server", "simulator")
    }
    assert [role for role, found in locks.items() if found] == (["client", "server"] if locks_memory else [])


def test_pods_have_the_addresses_and_names_of_the_contract(tmp_path: Path) -> None:
    _, said = play(tmp_path, "crosstraffic")
    pods = {options(it, "--name")[0].partition("-pod-")[2]: it for it in said if it.startswith("<run>")}
    given = {it.split("><")[1].partition("-pod-")[2]: it for it in said if it.startswith("<exec>")}

    assert set(pods) == set(given) == {role.replace("_", "-") for role in PLAYERS}
    for role in PLAYERS:
        sides = SIDES_OF_SIMULATOR if role == "simulator" else (PLACES[role],)
        dashed = role.replace("_", "-")
        for number, side in enumerate(sides):
            assert f"ip address add {side.ipv4}/24 dev eth{number}" in given[dashed]
            assert f"ip -6 address add {side.ipv6}/64 dev eth{number}" in given[dashed]
        assert options(pods[dashed], "--network")[0].endswith(sides[0].network)
        assert options(pods[dashed], "--add-host") == [f"{host}:{address}" for host, address in HOSTS[role]]


def test_the_simulator_starts_first_and_ends_last(tmp_path: Path) -> None:
    _, said = play(tmp_path, "crosstraffic")
    starts = [word for it in said if it.startswith("<start>") for word in it.strip("<> ").split("><")[1:]]
    stops = [it.strip("<> ").split("><")[-1] for it in said if it.startswith("<stop>")]

    assert starts[0].endswith("-simulator")
    assert starts[-1].endswith("-client")
    assert stops[-1].endswith("-simulator")


@pytest.mark.parametrize("name", ["retry", "crosstraffic"])
def test_everything_that_is_made_is_removed(tmp_path: Path, name: str) -> None:
    _, said = play(tmp_path, name)
    made = {it for line in said if line.startswith(("<run>", "<create>")) for it in options(line, "--name")}
    (removal,) = [line for line in said if line.startswith("<rm>")]
    networks = [line.strip("<> ").split("><") for line in said if line.startswith("<network>")]
    created_networks = {words[-1] for words in networks if words[1] == "create"}

    assert made == {word for word in removal.strip("<> ").split("><")[1:] if not word.startswith("-")}
    assert created_networks == {it for words in networks if words[1] == "rm" for it in words[2:]}
    assert len(created_networks) == 2


def test_a_folder_with_any_name_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "it's a $folder"
    folder.mkdir()
    _, said = play(folder, "retry")

    assert f"<cp><{folder}/certs/.>" in "".join(said)


def test_what_arrived_is_compared_where_files_are_sent(tmp_path: Path) -> None:
    for name, suite, compared in (
        ("transfer", "quic", "server_www client_downloads"),
        ("transfer-datagram-send", "webtransport", "client_www server_downloads"),
        ("handshake", "webtransport", ""),
    ):
        folder = tmp_path / name
        folder.mkdir()
        played = described(folder, name, suite)
        lines = network_lines(played, folder, helper="h", images={}, locks_memory=False)
        found = [line for line in lines if line.startswith("diff ")]
        assert len(found) == bool(compared)
        assert all(word in found[0] for word in compared.split())
