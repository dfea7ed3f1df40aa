"""`repro` over a simulated network, with endpoints that misbehave: what it shows, prints, keeps and leaves behind.

The decrypted captures of good ones are in test_decrypted.py; a fake speaks no QUIC.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from by_hand import at_terminal, commands_in, folder_in, left_of, paste
from checkouts import Checkout, make_network_checkout
from fake_peers import DockerPeers

from ci.engines.docker.daemon import LABEL, Daemon, sweep
from ci.errors import ExitCode

CLAIMS = 'ENV CLAIMS="handshake transfer"'
CASE = "client-v1 x server-v1 (handshake)"


@pytest.fixture
def checkout(tmp_path: Path, endpoints: DockerPeers) -> Callable[..., Checkout]:
    """`checkout("fails", "stays")`: two versions that claim handshake and transfer, and then do that."""

    def make(client: str, server: str = "stays", claims: str = CLAIMS) -> Checkout:
        images = {
            "client-v1": endpoints(client, dockerfile=claims),
            "server-v1": endpoints(server, dockerfile=CLAIMS),
        }
        return make_network_checkout(tmp_path, images, roles={"client-v1": "client", "server-v1": "server"})

    return make


@pytest.fixture
def words(endpoints: DockerPeers) -> tuple[str, ...]:
    return ("repro", CASE, "--suite", "quic", "--simulator", endpoints("stays"))


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, daemon: Daemon) -> Iterator[None]:
    yield
    assert [it for folder in tmp_path.glob("results/*") for it in left_of(daemon, folder.name)] == []


def test_a_case_that_fails_and_fails_again_by_hand(checkout: Callable[..., Checkout], words: tuple[str, ...]) -> None:
    it = checkout("fails")
    code, said = it.run(*words)

    assert code == ExitCode.FAILED, said
    assert re.search(r"^\+ +\d+\.\d{3} client/stderr +\| I cannot$", said, re.MULTILINE)
    assert re.search(r"^\+ +\d+\.\d{3} simulator/stdout \| env: SCENARIO=simple-p2p ", said, re.MULTILINE)
    assert re.search(
        r"^failed after \d+\.\d\d s \(seed \d+\)\n  client-exit, client: the client exited 1", said, re.MULTILINE
    )
    evidence = Path(re.findall(r"^  evidence: (.*)$", said, re.MULTILINE)[0])
    assert json.loads((it.folder / evidence / "case.json").read_text())["outcome"] == "failed"

    commands = commands_in(said)
    by_hand = paste(commands)
    assert "I cannot\nthe client exited 1\n" in by_hand
    assert "env: TESTCASE=handshake" in by_hand  # what the server was given
    # A fake has fetched nothing, and that is said.
    assert "Only in " in by_hand
    again = re.findall(r"docker network rm (\S+)-left ", commands)[0]
    for kind in (["ps", "-a"], ["network", "ls"]):
        listed = ["docker", *kind, "--filter", f"name={again}", "-q"]
        assert subprocess.run(listed, capture_output=True, text=True, check=True).stdout == ""


def test_tries_have_seeds_of_their_own_or_the_one_that_was_asked_for(
    checkout: Callable[..., Checkout], words: tuple[str, ...]
) -> None:
    it = checkout("fails")
    _, said = it.run(*words, "--times", "2", "--quiet")
    own = re.findall(r"^try \d: failed after .* \(seed (\d+)\)$", said, re.MULTILINE)
    _, said = it.run(*words, "--times", "2", "--quiet", "--seed", "5")
    asked = re.findall(r"^try \d: failed after .* \(seed (\d+)\)$", said, re.MULTILINE)

    assert len(set(own)) == 2
    assert asked == ["5", "5"]
    assert "I cannot" not in said.replace("the last line of the client: I cannot", "")
    assert "0 of 2 passed (0 %)" in said


def test_what_is_not_done_and_what_is_not_tried(checkout: Callable[..., Checkout], words: tuple[str, ...]) -> None:
    code, said = checkout("fails", claims='ENV CLAIMS="retry"').run(*words)
    assert code == ExitCode.FAILED
    assert "unsupported after" in said
    assert "exit-127, client" in said


def test_an_endpoint_without_manners_is_not_played(checkout: Callable[..., Checkout], words: tuple[str, ...]) -> None:
    code, said = checkout("fails", claims="").run(*words)

    assert code == ExitCode.INCOMPLETE, said
    assert "not-run after" in said
    assert "not-compliant, client" in said
    assert "the same by hand" not in said


def test_what_is_kept_runs_on_where_it_ran(
    checkout: Callable[..., Checkout], words: tuple[str, ...], daemon: Daemon
) -> None:
    it = checkout("stays")
    code, said = it.run(*words, "--keep", "--timeout", "1")
    run = folder_in(it).name
    try:
        assert code == ExitCode.FAILED
        assert "timed-out after" in said
        sweep(daemon.api)  # the next run of anything on this host
        found = daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={run}"})
        states = {container["Labels"][f"{LABEL}.role"]: container["State"] for container in found}
        assert states == dict.fromkeys(("client", "server", "simulator", "helper"), "running")
    finally:
        paste(commands_in(said, after="to remove them:").splitlines()[0])
    assert left_of(daemon, run) == []


def test_what_only_its_files_give_away_is_kept_too(
    checkout: Callable[..., Checkout], words: tuple[str, ...], daemon: Daemon
) -> None:
    it = checkout("good")
    code, said = it.run(*words, "--keep", "--times", "2", "--quiet")
    run = folder_in(it).name
    try:
        assert code == ExitCode.FAILED
        assert said.count("wrong-files") >= 2
        found = daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={run}"})
        # Those of the last try: stopped, because only then the captures are whole.
        states = sorted((it["Labels"][f"{LABEL}.role"], it["State"]) for it in found)
        assert [state for state in states if state[0] != "helper"] == [
            ("client", "exited"), ("server", "exited"), ("simulator", "exited"),
        ]  # fmt: skip
    finally:
        paste(commands_in(said, after="to remove them:").splitlines()[0])


@pytest.mark.parametrize(
    ("client", "server", "more", "side"),
    [
        ("fails", "stays", (), "client"),  # it has ended: a new container with its files
        ("stays", "unsupported", (), "server"),
        ("stays", "stays", ("--timeout", "1"), "client"),  # it still runs
    ],
)
def test_a_shell_where_it_failed(
    checkout: Callable[..., Checkout], words: tuple[str, ...], daemon: Daemon,
    client: str, server: str, more: tuple[str, ...], side: str,
) -> None:  # fmt: skip
    before = len(daemon.api.images(filters={"dangling": True}))
    code, said = at_terminal(
        checkout(client, server),
        [*words, "--shell", *more],
        f"a shell on the {side}'s side",
        b'echo "<$ROLE>"; ls -d /certs; ip -o address show eth0; exit\n',
    )

    assert code == ExitCode.FAILED
    assert f"<{side}>" in said
    assert "/certs" in said.split("a shell on")[1]
    assert ("193.167.0.100/24" if side == "client" else "193.167.100.100/24") in said
    assert "evidence: " in said.split("a shell on")[1]
    assert len(daemon.api.images(filters={"dangling": True})) <= before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_however_it_is_ended_nothing_stays(
    checkout: Callable[..., Checkout], words: tuple[str, ...], daemon: Daemon, number: signal.Signals
) -> None:
    it = checkout("stays")
    process = it.start(*words, "--quiet")
    folder = None
    while folder is None or len(left_of(daemon, folder.name)) < 8:  # two networks, three pods, three of the case
        assert process.poll() is None
        folder = next((it.folder / "results").glob("*"), None)
    process.send_signal(number)
    process.communicate(timeout=60)
    if number == signal.SIGKILL:
        assert left_of(daemon, folder.name)
        sweep(daemon.api)  # the next run of anything on this host, or `gc`
    assert left_of(daemon, folder.name) == []


def test_a_seed_means_nothing_without_a_network(checkout: Callable[..., Checkout]) -> None:
    code, said = checkout("good").run("repro", "a-v1 x b-v1 (tcp, noise, yamux)", "--seed", "1")
    assert code == ExitCode.CONFIGURATION
    assert "unknown-case" in said or "no-seed" in said
