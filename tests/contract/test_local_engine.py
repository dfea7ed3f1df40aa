"""What only the local engine promises: a host that is left as it was, and programs that learn nothing of it."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from documented import case_json_keys
from fake_peers import LocalPeers, Play, Played
from processes import children, command_lines, descendants, is_running
from redis_servers import redis_program
from waiting import eventually

from ci.engines.local import redis as local_redis
from ci.engines.local.engine import LocalEngine, LocalSlot
from ci.engines.programs import Program
from ci.errors import EngineError
from ci.images.base import Image
from ci.model import Outcome, ReasonCode
from ci.runner.base import AttemptContext
from ci.runner.evidence import keep_evidence
from ci.runner.evidence_folder import case_folder
from ci.spec.attempt import MIB, AttemptSpec, Limits
from ci.suites.base import Repetition
from ci.suites.transport.running import TransportRun
from ci.suites.transport.words import TRANSPORT

ROOT = Path(__file__).parents[2]

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the kernel has nothing of the kind")


def engine_of(peers: LocalPeers, *, server: str | None = None) -> LocalEngine:
    return LocalEngine(peers.program, redis_server=server or str(redis_program()), run="tests")


@pytest.fixture(scope="module")
def local_slot(local_peers: LocalPeers) -> Iterator[LocalSlot]:
    with engine_of(local_peers).slot(0) as slot:
        yield slot


@pytest.fixture
def local_play(local_slot: LocalSlot, local_peers: LocalPeers) -> Play:
    return Play(local_slot, local_peers)


def python(peers: LocalPeers, code: str) -> str:
    """A side that is a few lines of Python; as a dialer it never has a result."""
    return peers.add(Program(command=(sys.executable, "-I", "-c", textwrap.dedent(code))))


def play_dialer(play: Play, image: str, *, limits: Limits | None = None) -> Played:
    def change(spec: AttemptSpec) -> AttemptSpec:
        return spec if limits is None else spec.changed(replace(spec.participant("dialer"), limits=limits))

    return play("good", "silent", images={"dialing": image}, change=change)


# --- Redis ------------------------------------------------------------------------------------------------


def client_of(slot: LocalSlot, *, host: str = "", password: str | None = None) -> redis.Redis:
    address = slot.surroundings.redis
    return redis.Redis(host=host or address.host, port=address.port, password=password)


def test_redis_asks_for_the_password_and_no_command_line_tells_it(local_slot: LocalSlot) -> None:
    password = local_slot.surroundings.redis_password
    assert password is not None

    with client_of(local_slot) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    with client_of(local_slot, password=password) as friend:
        assert friend.ping()

    listed = command_lines()
    assert any("redis.conf" in line for line in listed)
    assert not any(password in line for line in listed)
    assert password not in repr(local_slot.coordinator)


def keep(root: Path, played: Played) -> Path:
    """The folder of the kept evidence."""
    images = {side: Image(digest="local:0") for side in ("dialing", "listening")}
    run = TransportRun({}).case_run(played.case, {}, identity="run/1/1", number=1)
    repetition = Repetition(where="", seed=None, spec=played.spec, evidence=played.evidence, verdict=played.verdict)
    context = AttemptContext(number=1, identity="", folder=root, started_at="2026-01-01T00:00:00Z", labels={})
    keep_evidence(None, played.case, run, [repetition], played.verdict, context, images, {})
    return root / case_folder(played.case)


def test_every_key_of_case_json_is_documented(local_play: Play, tmp_path: Path) -> None:
    played = local_play("good")
    folder = keep(tmp_path, played)
    facts = json.loads((folder / "case.json").read_text())
    assert facts.keys() <= case_json_keys()
    assert "redisKeys" in facts


def test_the_password_is_not_kept_as_evidence(local_play: Play, tmp_path: Path) -> None:
    password = local_play.slot.surroundings.redis_password
    assert password is not None
    played = local_play("good")
    assert played.spec.participant("dialer").environment["REDIS_PASSWORD"] == password

    keep(tmp_path, played)

    kept = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert any("redis_addr" in text for text in kept)
    assert not any(password in text for text in kept)


@linux
def test_redis_is_bound_to_one_address_of_loopback(local_slot: LocalSlot) -> None:
    """All of 127/8 leads to this host, so a server bound to every address would answer here."""
    with client_of(local_slot, host="127.0.0.2") as client, pytest.raises(redis.ConnectionError, match="refused"):
        client.ping()


def test_redis_writes_nothing_to_disk(local_slot: LocalSlot) -> None:
    client = local_slot.coordinator._client
    assert client.config_get("save")["save"] == ""
    assert client.config_get("appendonly")["appendonly"] == "no"


def test_a_port_that_somebody_else_takes_first_is_given_up(
    local_peers: LocalPeers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind((local_redis.LOOPBACK, 0))
        other.listen()
        taken = other.getsockname()[1]
        ports = iter([taken, taken, local_redis.free_port()])
        monkeypatch.setattr(local_redis, "free_port", lambda: next(ports))

        with engine_of(local_peers).slot(0) as slot:
            assert slot.surroundings.redis.port != taken
            assert Play(slot, local_peers)("good").verdict.outcome is Outcome.PASSED


def test_no_port_at_all_is_an_engine_error(local_peers: LocalPeers, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind((local_redis.LOOPBACK, 0))
        other.listen()
        monkeypatch.setattr(local_redis, "free_port", lambda: other.getsockname()[1])

        with pytest.raises(EngineError, match="exit code 1") as caught, engine_of(local_peers).slot(0):
            pytest.fail("there is no port to make a slot with")

    assert caught.value.reference == "redis-start"


@pytest.mark.parametrize("server", ["/no/such/redis-server", "/bin/false"])
def test_a_redis_that_does_not_start_is_an_engine_error(local_peers: LocalPeers, server: str) -> None:
    with pytest.raises(EngineError, match=server) as caught, engine_of(local_peers, server=server).slot(0):
        pytest.fail("there is no Redis to make a slot with")

    assert caught.value.reference == "redis-start"


# --- what a program is given ------------------------------------------------------------------------------


def test_the_environment_is_clean(
    local_play: Play, local_peers: LocalPeers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    show = python(local_peers, "import json, os; print(json.dumps({**os.environ}))")

    played = play_dialer(local_play, show)

    given = json.loads(played.output("dialer", "stdout"))
    home = given.pop("HOME")
    assert given.pop("TMPDIR") == home
    assert not Path(home).exists(), "it goes with the program"
    # Python sets this one itself, for itself and for its children.
    given.pop("LC_CTYPE", None)
    assert given == {
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **played.spec.participant("dialer").environment,
    }


def test_a_program_brings_variables_and_a_folder_of_its_own(
    local_play: Play, local_peers: LocalPeers, tmp_path: Path
) -> None:
    code = "import os; print(os.getcwd(), os.environ['PATH'], os.environ['LC_TIME'])"
    program = Program(
        command=(sys.executable, "-I", "-c", code), environment={"PATH": "/opt", "LC_TIME": "C"}, folder=str(tmp_path)
    )

    played = play_dialer(local_play, local_peers.add(program))

    assert played.output("dialer", "stdout") == f"{tmp_path} /opt C\n"


def test_stdin_is_empty_and_nothing_else_is_open(local_play: Play, local_peers: LocalPeers) -> None:
    code = """
        import os, sys
        print(repr(sys.stdin.read()), [it for it in range(3, 256) if os.path.exists(f"/dev/fd/{it}")])
    """
    played = play_dialer(local_play, python(local_peers, code))

    assert played.output("dialer", "stdout") == "'' []\n"


def test_its_files_are_its_own_and_bounded(local_play: Play, local_peers: LocalPeers) -> None:
    code = """
        import os, resource
        with open(os.path.join(os.environ["HOME"], "file"), "wb") as file:
            print(oct(os.fstat(file.fileno()).st_mode & 0o777), oct(os.stat(os.environ["HOME"]).st_mode & 0o777))
            try:
                file.truncate(1 << 31)
            except OSError as error:
                print(error.strerror)
        print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 4096)
    """
    played = play_dialer(local_play, python(local_peers, code))

    assert played.output("dialer", "stdout").splitlines() == [
        "0o600 0o700",
        os.strerror(errno.EFBIG),
        "(0, 0) True",
    ]


@linux
@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_no_new_privileges(local_play: Play, role: Any) -> None:
    """A descendant with privileges of its own could not be killed."""
    played = local_play("report", "report")

    assert "NoNewPrivs:\t1\n" in played.output(role, "stderr")


# --- memory -----------------------------------------------------------------------------------------------


def test_the_memory_of_a_family_counts_together(local_play: Play, local_peers: LocalPeers) -> None:
    code = f"""
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                break
        eaten = bytearray(os.urandom({20 * MIB}))
        time.sleep(1000)
    """
    played = play_dialer(local_play, python(local_peers, code), limits=Limits(memory_bytes=64 * MIB))

    assert (played.verdict.outcome, played.code) == (Outcome.FAILED, ReasonCode.OUT_OF_MEMORY), played.text
    assert played.evidence.exits["dialer"].exit_code == 128 + signal.SIGKILL


@linux
def test_memory_that_a_family_shares_counts_once(local_play: Play, local_peers: LocalPeers) -> None:
    """Long enough for several looks at it."""
    code = f"""
        import os, time
        eaten = os.urandom({40 * MIB})
        children = [pid for pid in (os.fork() for _ in range(3))]
        time.sleep(0.5)
        os._exit(7)
    """
    played = play_dialer(local_play, python(local_peers, code), limits=Limits(memory_bytes=96 * MIB))

    assert played.evidence.exits["dialer"].exit_code == 7, played.text


# --- programs that are not there (T20) --------------------------------------------------------------------


@pytest.mark.parametrize("side", ["dialing", "listening"])
@pytest.mark.parametrize(
    ("program", "says"),
    [
        (None, "local:gone"),
        (Program(command=("/no/such/program",)), "/no/such/program: No such file or directory"),
        (Program(command=("/etc/passwd",)), "/etc/passwd: Permission denied"),
        (Program(command=("/bin/true",), folder="/no/such/folder"), "/no/such/folder"),
    ],
)
def test_t20_what_cannot_be_started_is_that_programs_error(
    local_play: Play, local_peers: LocalPeers, side: str, program: Program | None, says: str
) -> None:
    image = "local:gone" if program is None else local_peers.add(program)

    played = local_play("good", images={side: image})

    assert (played.verdict.outcome, played.code) == (Outcome.ERROR, ReasonCode.CONTAINER_START)
    assert says in played.text
    assert local_play("good").verdict.outcome is Outcome.PASSED


# --- nothing is left --------------------------------------------------------------------------------------


def family() -> set[int]:
    return descendants(os.getpid())


@pytest.mark.parametrize("behaviours", [("good", "good"), ("stays", "stubborn"), ("double-fork", "double-fork")])
def test_a_slot_leaves_neither_processes_nor_files(
    local_peers: LocalPeers, behaviours: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = family()

    with engine_of(local_peers).slot(0) as slot:
        assert Play(slot, local_peers)(*behaviours).verdict.outcome is Outcome.PASSED
        [folder] = tmp_path.iterdir()
        assert [it.name for it in folder.iterdir()] == ["redis"]

    assert family() - before == set()
    assert list(tmp_path.iterdir()) == []


# Plays a case that does not end, and says what runs for it.
RUNNER = """
import os, sys
from fake_peers import LocalPeers, Play
from redis_servers import redis_program
from waiting import eventually
from ci.engines.local.engine import LocalEngine
from processes import descendants

def tell(_):
    # Three supervisors, Redis, two sides, and a command that a side waits for; or the orphan, too.
    eventually(lambda: len(descendants(os.getpid())) >= 7)
    if "fork" in sys.argv[1]:
        eventually(lambda: any(it["name"] == "orphan" for it in slot.coordinator._client.client_list()))
    print(*descendants(os.getpid()), flush=True)
    return False

peers = LocalPeers(tools=redis_program().parent)
with LocalEngine(peers.program, redis_server=str(redis_program()), run="killed").slot(0) as slot:
    Play(slot, peers)("announces", sys.argv[1], has_result=tell)
"""


def start_runner(listener: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, listener],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ":".join(map(str, [ROOT, ROOT / "tests", *sys.path])), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("listener", ["silent", "hang", "double-fork-silent"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_killed_runner_leaves_nothing_running_and_its_folder_to_the_next(
    local_peers: LocalPeers, listener: str, number: signal.Signals, tmp_path: Path
) -> None:
    with start_runner(listener, tmp_path) as runner:
        assert runner.stdout is not None
        running = [int(pid) for pid in runner.stdout.readline().split()]
        runner.send_signal(number)

    assert len(running) >= 7
    assert eventually(lambda: not any(is_running(pid) for pid in running))

    [folder] = tmp_path.iterdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        engine_of(local_peers)
    assert not folder.exists()


def test_a_supervisor_killed_by_somebody_is_an_engine_error(local_peers: LocalPeers) -> None:
    before = family()

    with engine_of(local_peers).slot(0) as slot:
        with_redis = family()

        def kill_the_supervisors(_: str) -> bool:
            for pid in children(os.getpid()) - with_redis:
                os.kill(pid, signal.SIGKILL)
            return False

        with pytest.raises(EngineError) as caught:
            Play(slot, local_peers)("announces", "silent", has_result=kill_the_supervisors)
        assert caught.value.reference == "engine-lost"
        assert eventually(lambda: family() == with_redis)
        assert Play(slot, local_peers)("good").verdict.outcome is Outcome.PASSED

    assert family() - before == set()


# --- side by side -----------------------------------------------------------------------------------------


def test_runs_of_the_same_name_side_by_side_do_not_meet(local_peers: LocalPeers) -> None:
    addresses = [f"/ip4/127.0.0.1/tcp/{4000 + number}/p2p/QmListener" for number in range(4)]

    def told(address: str) -> list[str]:
        with engine_of(local_peers).slot(0) as slot:
            play = Play(slot, local_peers)
            listener = local_peers("good", address=address)
            return [play("tells", images={"listening": listener}).output("dialer", "stderr") for _ in range(3)]

    with ThreadPoolExecutor(len(addresses)) as pool:
        heard = list(pool.map(told, addresses))

    assert heard == [[f"got: {address}\n"] * 3 for address in addresses]


def test_the_engine_describes_itself(local_peers: LocalPeers) -> None:
    described = engine_of(local_peers).describe()

    assert described["name"] == "local"
    assert isinstance(described["cpus"], int)
    assert isinstance(described["memoryBytes"], int)
    assert described["memoryBytes"] > 64 * MIB
    assert int(str(described["redis"]).split(".")[0]) >= 6
