"""The pipeline of a suite over a simulated network, as its users start it, with endpoints that misbehave.

What a good endpoint looks like is shown by real ones; here is what becomes of the others.
"""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from checkouts import Checkout, assert_nothing_is_left, make_network_checkout, own_run
from documented import case_json_keys
from fake_peers import DockerPeers

from ci.engines.docker.daemon import LABEL, Daemon
from ci.errors import ExitCode

CLAIMS = 'ENV CLAIMS="handshake transfer"'
RUN = own_run("network")
WORDS = ("--suite", "quic", "--run", RUN, "--workers", "1")
HANDSHAKE = ("--select", "handshake")


@pytest.fixture
def checkout(tmp_path: Path, endpoints: DockerPeers) -> Callable[..., Checkout]:
    """`checkout(client="stays", server="fails")`: two versions that claim handshake and transfer, and then do that."""

    def make(*, client: str, server: str, claims: Mapping[str, str] | None = None) -> Checkout:
        said = {"client-v1": CLAIMS, "server-v1": CLAIMS} | dict(claims or {})
        images = {
            name: endpoints(behaviour, dockerfile=said[name])
            for name, behaviour in (("client-v1", client), ("server-v1", server))
        }
        return make_network_checkout(tmp_path, images, roles={"client-v1": "client", "server-v1": "server"})

    return make


@pytest.fixture
def simulator(endpoints: DockerPeers) -> tuple[str, str]:
    return ("--simulator", endpoints("stays"))


@pytest.fixture(autouse=True)
def _nothing_of_the_commands_is_left(daemon: Daemon) -> Iterator[None]:
    yield
    assert_nothing_is_left(daemon, RUN, f"{RUN}-2")


@pytest.mark.parametrize(
    ("client", "server", "outcome", "code", "side", "exit_code"),
    [
        ("fails", "stays", "failed", "client-exit", "client", ExitCode.FAILED),
        ("stays", "fails", "failed", "server-exit", "server", ExitCode.FAILED),
        ("good", "stays", "failed", "wrong-files", "client", ExitCode.FAILED),
        ("stays", "stays", "timed-out", "exchanging", "both", ExitCode.FAILED),
    ],
)
def test_who_is_to_blame_is_said(
    checkout: Callable[..., Checkout], simulator: tuple[str, str],
    client: str, server: str, outcome: str, code: str, side: str, exit_code: int,
) -> None:  # fmt: skip
    it = checkout(client=client, server=server)
    ended, said = it.run("run-shard", "1/1", *WORDS, *HANDSHAKE, *simulator, "--timeout", "3", "--retries", "0")
    [record] = it.attempts(RUN)
    assert (record["outcome"], record["reason"]["code"]) == (outcome, code), said
    assert record["reason"]["side"] in (side, "unknown")
    assert ended == exit_code
    assert record["roles"].keys() == {"client", "server", "simulator"}
    assert isinstance(record["seed"], int)
    assert record["durations"].keys() == {"verdict", "judging", "total"}


def test_what_an_endpoint_does_not_do_is_no_failure(
    checkout: Callable[..., Checkout], simulator: tuple[str, str]
) -> None:
    it = checkout(client="fails", server="stays", claims={"client-v1": 'ENV CLAIMS="retry"'})
    ended, said = it.run("run-shard", "1/1", *WORDS, *HANDSHAKE, *simulator)
    [record] = it.attempts(RUN)  # and not tried again
    assert (record["outcome"], record["reason"]["code"], record["reason"]["side"]) == (
        "unsupported", "exit-127", "client",
    ), said  # fmt: skip
    assert ended == ExitCode.GREEN
    merged, _ = it.run("merge-results", "--suite", "quic", "--run", RUN, *HANDSHAKE, *simulator)
    assert merged == ExitCode.GREEN


def test_an_endpoint_without_manners_is_not_tried(
    checkout: Callable[..., Checkout], simulator: tuple[str, str]
) -> None:
    it = checkout(client="fails", server="stays", claims={"client-v1": ""})
    _, said = it.run("run-shard", "1/1", *WORDS, *simulator, "--select", "transfer", "--select", "handshake")
    records = it.attempts(RUN)
    assert {(record["outcome"], record["reason"]["code"]) for record in records} == {("not-run", "not-compliant")}, said
    asked = json.loads((it.folder / f"results/{RUN}/shard-1-of-1/compliance.json").read_text())
    assert {(answer["version"], answer["exit"], answer["compliant"]) for answer in asked.values()} == {
        ("client-v1", 1, False),
        ("server-v1", 127, True),
    }


def test_an_endpoint_without_its_program_is_no_column_of_unsupported(
    checkout: Callable[..., Checkout], simulator: tuple[str, str]
) -> None:
    it = checkout(client="no-program", server="stays")
    ended, said = it.run(
        "run-shard", "1/1", *WORDS, *simulator, "--select", "transfer", "--select", "handshake", "--retries", "0"
    )
    records = it.attempts(RUN)
    assert {(record["outcome"], record["reason"]["code"], record["reason"]["side"]) for record in records} == {
        ("error", "container-start", "client")
    }, said
    assert all("/opt/endpoint/program" in record["reason"]["text"] for record in records)
    assert ended == ExitCode.INCOMPLETE


def test_a_simulator_that_dies_is_nobodys_fault(checkout: Callable[..., Checkout], endpoints: DockerPeers) -> None:
    it = checkout(client="stays", server="stays")
    dying = ("--simulator", endpoints("fails"))
    ended, said = it.run("run-shard", "1/1", *WORDS, *HANDSHAKE, *dying, "--retries", "0")
    [record] = it.attempts(RUN)
    assert (record["outcome"], record["reason"]["code"], record["reason"]["side"]) == ("error", "simulator", "harness")
    assert "I cannot" in record["reason"]["text"], said
    assert ended == ExitCode.INCOMPLETE


def test_a_simulator_that_is_not_there_is_said_before_anything_runs(checkout: Callable[..., Checkout]) -> None:
    it = checkout(client="stays", server="stays")
    nowhere = ("--simulator", "127.0.0.1:9/nobody/nothing:v1")
    ended, said = it.run("run-shard", "1/1", *WORDS, *HANDSHAKE, *nowhere)
    assert ended == ExitCode.BUILD
    assert "the image of the simulator is not there" in said


def test_an_interrupted_run_cleans_up_and_goes_on(
    checkout: Callable[..., Checkout], simulator: tuple[str, str], daemon: Daemon
) -> None:
    it = checkout(client="stays", server="stays")
    words = ("run-shard", "1/1", *WORDS, *HANDSHAKE, *simulator, "--retries", "0")
    process = it.start(*words)
    assert process.stdout is not None
    mine = {"label": [f"{LABEL}.run={RUN}", f"{LABEL}.role=client"]}
    while not daemon.api.containers(filters=mine):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED, output
    assert daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={RUN}"}) == []
    assert it.attempts(RUN) == []
    assert it.run(*words, "--timeout", "1")[0] == ExitCode.FAILED
    assert len(it.attempts(RUN)) == 1


def test_a_disk_that_takes_no_more_costs_the_case_and_says_so(
    checkout: Callable[..., Checkout], simulator: tuple[str, str]
) -> None:
    """The limit of a process for the size of a file stands for the disk: the files of `transfer` are larger."""
    it = checkout(client="good", server="stays")
    process = it.start("run-shard", "1/1", *WORDS, "--select", "transfer", *simulator, "--retries", "0")
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (2**20, 2**20))
    said, _ = process.communicate(timeout=120)
    [record] = it.attempts(RUN)
    assert (record["outcome"], record["reason"]["side"]) == ("error", "harness"), said
    assert "cannot be written" in record["reason"]["text"]
    assert process.returncode == ExitCode.INCOMPLETE
    shard = it.folder / f"results/{RUN}/shard-1-of-1"
    assert not [path for path in shard.rglob("*") if path.is_file() and path.stat().st_size >= 2**20]


def test_two_runs_at_once_do_not_meet(checkout: Callable[..., Checkout], simulator: tuple[str, str]) -> None:
    """Each has its slots, with the same addresses, and its results; neither removes what is the other's."""
    it = checkout(client="stays", server="stays")
    words = ("--suite", "quic", "--workers", "2", *HANDSHAKE, *simulator, "--retries", "0", "--timeout", "4")
    both = [it.start("run-shard", "1/1", "--run", run, *words) for run in (RUN, f"{RUN}-2")]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [ExitCode.FAILED] * 2, said
    for run in (RUN, f"{RUN}-2"):
        [record] = it.attempts(run)
        assert (record["outcome"], record["reason"]["code"]) == ("timed-out", "exchanging")


def test_the_evidence_of_a_case_lies_where_it_always_did(
    checkout: Callable[..., Checkout], simulator: tuple[str, str]
) -> None:
    it = checkout(client="writes", server="stays")
    it.run("run-shard", "1/1", *WORDS, *HANDSHAKE, *simulator, "--retries", "0")
    [record] = it.attempts(RUN)
    shard = it.folder / f"results/{RUN}/shard-1-of-1"
    folder = shard / "server-v1_client-v1" / "handshake"
    found = {path.relative_to(shard).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {evidence["path"] for evidence in record["evidence"]} == found
    assert (folder / "client" / "keys.log").read_text() == "key\n"
    assert not (folder / "certs").exists()  # made from the seed, so they can be made again
    for evidence in record["evidence"]:
        assert (shard / evidence["path"]).stat().st_size == evidence["bytes"]
    facts = json.loads((folder / "case.json").read_text())
    [repetition] = facts["repetitions"]
    assert {*facts, *repetition} <= case_json_keys()
    assert repetition["seed"] == record["seed"]
    assert repetition["roles"]["client"]["environment"]["TESTCASE"] == "handshake"


def test_long_names_are_judged_and_not_kept(checkout: Callable[..., Checkout], simulator: tuple[str, str]) -> None:
    """The files of `zerortt` have names of 250 letters. This server copies them to where the client's belong."""
    claims = 'ENV CLAIMS="zerortt"'
    it = checkout(client="stays", server="writes", claims={"client-v1": claims, "server-v1": claims})
    it.run("run-shard", "1/1", *WORDS, "--select", "zerortt", *simulator, "--retries", "0")
    [record] = it.attempts(RUN)
    assert (record["outcome"], record["reason"]["code"]) == ("failed", "wrong-files")
    assert max(len(part) for evidence in record["evidence"] for part in evidence["path"].split("/")) <= 150
    folder = it.folder / f"results/{RUN}/shard-1-of-1/server-v1_client-v1/zerortt"
    [repetition] = json.loads((folder / "case.json").read_text())["repetitions"]
    assert repetition["notKeptWhole"] == {"server": ["server_downloads"]}
