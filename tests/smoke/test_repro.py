"""`repro` as its users start it, on a real engine, with fake peers: what it shows, prints, keeps and leaves behind."""

from __future__ import annotations

import json
import re
import signal
import struct
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from by_hand import at_terminal, commands_in, folder_in, left_of, paste
from checkouts import Checkout, make_checkout
from fake_peers import DockerPeers

from ci.engines.docker.daemon import LABEL, Daemon, sweep
from ci.errors import ExitCode

CASE = "a-v1 x b-v1 (tcp, noise, yamux)"


@pytest.fixture(scope="module")
def peers(daemon: Daemon, helper_image: str) -> Iterator[DockerPeers]:
    peers = DockerPeers(daemon, helper=helper_image)
    yield peers
    peers.close()


@pytest.fixture
def checkout(tmp_path: Path, peers: DockerPeers) -> Callable[..., Checkout]:
    """`checkout("good", "hang")`: what `a-v1`, the dialer, and `b-v1`, the listener, do."""

    def make(dialer: str, listener: str = "good", contracts: Mapping[str, str] | None = None) -> Checkout:
        return make_checkout(tmp_path, {"a-v1": dialer, "b-v1": listener}, peers, contracts=contracts)

    return make


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, daemon: Daemon) -> Iterator[None]:
    """The commands are processes of their own: what bears the name of one of this test's runs is theirs."""
    yield
    assert [it for folder in tmp_path.glob("results/*") for it in left_of(daemon, folder.name)] == []


# --- what it shows and prints -----------------------------------------------------------------------------


def test_a_case_that_passes_and_passes_again_by_hand(checkout: Callable[..., Checkout]) -> None:
    it = checkout("good", contracts={"b-v1": "classic"})  # two generations: by hand, somebody has to carry the address
    code, said = it.run("repro", CASE)

    assert code == ExitCode.GREEN, said
    assert re.search(r"^\+ +\d+\.\d{3} dialer/stdout   \|   handshake_plus_one_rtt: 7\.342$", said, re.MULTILINE)
    assert re.search(r"^\+ +\d+\.\d{3} dialer/stderr   \| negotiated: ", said, re.MULTILINE)
    assert re.search(r"^passed after \d+\.\d\d s\n  handshakePlusOneRTTMillis 7\.342", said, re.MULTILINE)
    evidence = it.folder / re.findall(r"^  evidence: (.*)$", said, re.MULTILINE)[0]
    assert json.loads((evidence / "case.json").read_text())["outcome"] == "passed"
    assert "7.342" in (evidence / "dialer.stdout.txt").read_text()
    assert not list(folder_in(it).glob("try-*"))

    by_hand = paste(commands_in(said))
    assert "handshake_plus_one_rtt: 7.342" in by_hand
    assert "the dialer exited 0" in by_hand
    again = re.findall(r"docker network rm (\S+)", said)[0]
    names = ["docker", "ps", "-a", "--filter", f"name={again}", "--format", "{{.Names}}"]
    assert subprocess.run(names, capture_output=True, text=True, check=True).stdout == ""


def test_a_case_that_fails_and_fails_again_by_hand(checkout: Callable[..., Checkout]) -> None:
    it = checkout("exit-3")
    code, said = it.run("repro", *CASE.split())  # without quotes, where the shell lets it through

    assert code == ExitCode.FAILED
    assert "  dialer-exit, dialer: the dialer exited 3" in said
    assert re.search(r"dialer/stderr   \| giving up$", said, re.MULTILINE)
    assert "the dialer exited 3" in paste(commands_in(said))


@pytest.mark.parametrize(
    ("words", "tries"), [(("--times", "2"), 2), (("--until-fail",), 1), (("--until-fail", "--times", "5"), 1)]
)
def test_again_and_again(checkout: Callable[..., Checkout], words: tuple[str, ...], tries: int) -> None:
    it = checkout("exit-3")
    code, said = it.run("repro", CASE, "--quiet", *words)

    assert code == ExitCode.FAILED
    assert "giving up" not in said.replace("its last line: giving up", "")
    assert len(re.findall(r"^try \d+: failed after", said, re.MULTILINE)) == tries
    assert len(list(folder_in(it).rglob("case.json"))) == tries
    assert ("0 of 2 passed (0 %)" in said) == (tries == 2)


def test_until_fail_ends_when_nothing_fails(checkout: Callable[..., Checkout]) -> None:
    code, said = checkout("good").run("repro", CASE, "--until-fail", "--times", "2")

    assert code == ExitCode.GREEN
    assert "2 of 2 passed (100 %)" in said


def test_what_cannot_be_played(checkout: Callable[..., Checkout]) -> None:
    it = checkout("good", "127.0.0.1:9/nobody/nothing:v1")

    assert it.run("repro", CASE.replace("b-v1", "b-v2"))[0] == ExitCode.CONFIGURATION
    code, said = it.run("repro", CASE)
    assert code == ExitCode.BUILD
    assert "cannot be pulled" in said
    assert list((it.folder / "results").iterdir()) == []


# --- what it keeps ----------------------------------------------------------------------------------------


def test_packets_of_both_sides(checkout: Callable[..., Checkout]) -> None:
    it = checkout("good")
    code, said = it.run("repro", CASE, "--pcap")

    assert code == ExitCode.GREEN, said
    for role in ("dialer", "listener"):
        path = it.folder / re.findall(rf"^  packets: (.*/{role}\.pcap)$", said, re.MULTILINE)[0]
        data = path.read_bytes()
        assert struct.unpack("<I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D)
        # Both have spoken with Redis, and what one pushed the other one got.
        assert b"/ip4/10.0.0.7/tcp/4001" in data
    assert "lacks" not in said


def test_what_is_kept_stays_until_it_is_removed(checkout: Callable[..., Checkout], daemon: Daemon) -> None:
    it = checkout("good", "silent")
    code, said = it.run("repro", CASE, "--keep", "--timeout", "2")
    run = folder_in(it).name
    try:
        assert code == ExitCode.FAILED
        assert "the listener published no address" in said
        sweep(daemon.api)  # the next run of anything on this host
        states = {
            container["Labels"][f"{LABEL}.role"]: container["State"]
            for container in daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={run}"})
        }
        assert states == {"dialer": "running", "listener": "running", "helper": "running"}
    finally:
        paste(commands_in(said, after="to remove them:").splitlines()[0])
    assert left_of(daemon, run) == []


# --- at a terminal ----------------------------------------------------------------------------------------


def test_no_terminal_no_shell(checkout: Callable[..., Checkout]) -> None:
    code, said = checkout("exit-3").run("repro", CASE, "--shell")

    assert code == ExitCode.FAILED
    assert "no shell: --shell needs a terminal" in said


@pytest.mark.parametrize(
    ("dialer", "listener", "side"),
    [("exit-3", "good", "dialer"), ("good", "silent", "listener")],  # one has ended, the other one still runs
)
def test_a_shell_where_it_failed(checkout: Callable[..., Checkout], dialer: str, listener: str, side: str) -> None:
    it = checkout(dialer, listener)
    code, said = at_terminal(
        it,
        ["repro", CASE, "--shell", "--timeout", "2"],
        f"a shell on the {side}'s side",
        b'echo "<$IS_DIALER>"\nexit\n',
    )

    assert code == ExitCode.FAILED
    assert f"<{str(side == 'dialer').lower()}>" in said
    assert "evidence: " in said.split("a shell on")[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_cleans_up_even_what_was_to_be_kept(
    checkout: Callable[..., Checkout], daemon: Daemon, number: signal.Signals
) -> None:
    it = checkout("announces", "silent")
    process = it.start("repro", CASE, "--keep", "--pcap")
    assert process.stdout is not None
    for line in process.stdout:
        if line.endswith("| ready\n"):
            break
    (folder,) = (it.folder / "results").iterdir()
    assert left_of(daemon, folder.name)
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == ExitCode.INTERRUPTED
    assert "stopping and cleaning up" in output
    assert left_of(daemon, folder.name) == []
    assert not folder.exists()
