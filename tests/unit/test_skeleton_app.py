"""The skeleton's own program: how its processes begin and end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import app
import pytest
import redis
from skeleton_variables import CLASSIC, UNIFIED

from ci.model import Contract
from ci.suites.transport.ping_record import find_records

if TYPE_CHECKING:
    from redis_servers import RedisServer

CHECKOUT = Path(__file__).parents[2]
SKELETON = CHECKOUT / "ci" / "data" / "skeleton"
WRITTEN = CHECKOUT / "tests" / "data" / "init"
# Longer than anything here takes; a test that waits for it has found a hang.
PATIENCE = 60.0
NEGOTIATED = "transport=tcp secureChannel=noise muxer=yamux"


@dataclass(frozen=True, kw_only=True)
class Ended:
    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Starts sides of the skeleton as processes, with a Redis between them."""

    redis: str
    folder: Path
    running: ExitStack

    def start(
        self,
        role: str,
        source: str | Path,
        *,
        contract: Contract = Contract.CLASSIC,
        limit: float = PATIENCE,
        redis: str | None = None,
    ) -> subprocess.Popen[str]:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        shutil.copy(SKELETON / "app.py", folder)
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else HEAD + source + FOOT
        (folder / "ping.py").write_text(text, encoding="utf-8")
        dials = str(role == "dialer").lower()
        if contract is Contract.CLASSIC:
            variables = {**CLASSIC, "redis_addr": redis or self.redis, "is_dialer": dials}
        else:
            variables = {**UNIFIED, "REDIS_ADDR": redis or self.redis, "IS_DIALER": dials}
        process = subprocess.Popen(
            [sys.executable, str(folder / "ping.py")],
            env={"PATH": os.environ["PATH"], "TEST_TIMEOUT_SECS": f"{limit:g}", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.running.enter_context(process)
        self.running.callback(process.kill)
        return process

    def play(self, role: str, source: str | Path, *, limit: float = PATIENCE, redis: str | None = None) -> Ended:
        """One side from beginning to end."""
        return ending(self.start(role, source, limit=limit, redis=redis))


HEAD = """
import os, sys, time
from app import main, not_written
def listen(task): raise AssertionError
def dial(task): raise AssertionError
"""
FOOT = """
main(listen, dial, transports=["tcp"], secure_channels=["noise"], muxers=["yamux"])
"""


def ending(process: subprocess.Popen[str]) -> Ended:
    stdout, stderr = process.communicate(timeout=2 * PATIENCE)
    return Ended(code=process.returncode, stdout=stdout, stderr=stderr)


def line_with(process: subprocess.Popen[str], word: str) -> str:
    """The first line on stderr that has the word in it."""
    assert process.stderr is not None
    return next(line for line in process.stderr if word in line)


@pytest.fixture
def stage(redis_server: RedisServer, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as running:
        address = f"{redis_server.address.host}:{redis_server.address.port}"
        yield Stage(redis=address, folder=tmp_path, running=running)


@pytest.fixture
def offer(redis_server: RedisServer) -> Callable[[str], None]:
    """`offer(address)` publishes an address as a listener of the classic generation would."""

    def push(address: str) -> None:
        client = redis_server.client()
        while True:
            with suppress(redis.ConnectionError):
                client.rpush("listenerAddr", address)
                break
        client.close()

    return push


@pytest.mark.parametrize("contract", list(Contract))
def test_two_written_functions_make_a_whole_ping(
    stage: Stage, offer: Callable[[str], None], contract: Contract
) -> None:
    listener = stage.start("listener", WRITTEN / "tcp_ping.py", contract=contract)
    published = line_with(listener, "published ").split()[1]
    dialer = ending(stage.start("dialer", WRITTEN / "tcp_ping.py", contract=contract))
    offer(published)
    second = stage.play("dialer", WRITTEN / "tcp_ping.py")
    listener.send_signal(signal.SIGTERM)
    served = ending(listener)

    negotiated = f"negotiated: {NEGOTIATED}\n"
    assert (dialer.code, second.code, served.code) == (0, 0, 0)
    assert published.startswith("/ip4/127.0.0.1/tcp/")
    assert len(find_records(dialer.stdout)) == 1
    assert dialer.stdout.startswith("latency:\n  " if contract is Contract.UNIFIED else '{"handshakePlusOneRTTMillis"')
    assert dialer.stderr.count(negotiated) == 1
    assert served.stderr.count(negotiated) == 2
    assert served.stdout == ""


@pytest.mark.parametrize(("role", "function"), [("listener", "listen"), ("dialer", "dial")])
def test_an_unwritten_function_says_so_at_once(stage: Stage, role: str, function: str) -> None:
    # Nothing answers there: whoever went to Redis first would stay until the time limit.
    ended = stage.play(role, SKELETON / "ping.py", redis="127.0.0.1:1")

    assert ended.code == 1
    assert ended.stdout == ""
    assert ended.stderr == (f"{function}() is not written yet: write it in ping.py, then delete its @not_written\n")


LISTENERS = {
    "returns": ("def listen(task): pass", "listen() returned, it has to stay"),
    "raises": ("def listen(task): raise KeyError('node')", "listener failed: KeyError: 'node'"),
    "exits": ("def listen(task): sys.exit(0)", "listener failed: SystemExit: 0"),
    "is interrupted": ("def listen(task): raise KeyboardInterrupt", "listener failed: KeyboardInterrupt: "),
    "publishes the wildcard": (
        "def listen(task): task.publish('/ip4/0.0.0.0/tcp/4001/p2p/Qm')",
        "publish() was given '/ip4/0.0.0.0/tcp/4001/p2p/Qm', not /ip4/127.0.0.1/…/p2p/<own peer id>",
    ),
    "publishes no peer": (
        "def listen(task): task.publish('/ip4/127.0.0.1/tcp/4001')",
        "publish() was given '/ip4/127.0.0.1/tcp/4001', not /ip4/127.0.0.1/…/p2p/<own peer id>",
    ),
    "negotiates otherwise": (
        "def listen(task): task.negotiated('tcp', 'tls', 'yamux')",
        f"asked for {NEGOTIATED}, negotiated transport=tcp secureChannel=tls muxer=yamux",
    ),
}


@pytest.mark.parametrize("fault", LISTENERS)
def test_a_listener_that_ends_by_itself_has_failed(stage: Stage, fault: str) -> None:
    source, reason = LISTENERS[fault]
    ended = stage.play("listener", source)

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == reason


REPORT = "task.report(handshake_plus_one_rtt=0.25, ping_rtt=0.125)"
DIALERS = {
    "returns": ("def dial(task): pass", "dial() returned without report()"),
    "raises": ("def dial(task): raise OSError('no\\nroute')", "dialer failed: OSError: no route"),
    "exits": ("def dial(task): sys.exit(0)", "dialer failed: SystemExit: 0"),
    "reports a ping longer than all": (
        "def dial(task): task.report(handshake_plus_one_rtt=1.0, ping_rtt=2.0)",
        "report() was given impossible times: 1.0 s in all, 2.0 s the ping",
    ),
    "reports nothing measured": (
        "def dial(task): task.report(handshake_plus_one_rtt=1.0, ping_rtt=0)",
        "report() was given impossible times: 1.0 s in all, 0 s the ping",
    ),
}


@pytest.mark.parametrize("fault", DIALERS)
def test_a_dialer_without_a_result_has_failed(stage: Stage, offer: Callable[[str], None], fault: str) -> None:
    source, reason = DIALERS[fault]
    offer("/ip4/127.0.0.1/tcp/1/p2p/Qm")
    ended = stage.play("dialer", source)

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == reason


@pytest.mark.parametrize("then", ["pass", "time.sleep(600)", "raise OSError('closing')", "sys.exit(3)"])
def test_a_result_stands_whatever_the_library_does_in_the_end(
    stage: Stage, offer: Callable[[str], None], then: str
) -> None:
    offer("/ip4/127.0.0.1/tcp/1/p2p/Qm")
    ended = stage.play("dialer", f"def dial(task):\n    {REPORT}\n    {then}")

    assert ended.code == 0
    assert ended.stdout == '{"handshakePlusOneRTTMillis": 250.0, "pingRTTMilllis": 125.0}\n'


def test_standard_output_is_the_result_s_alone(stage: Stage, offer: Callable[[str], None]) -> None:
    offer("/ip4/127.0.0.1/tcp/1/p2p/Qm")
    noise = "print('one'); os.write(1, b'two\\n'); os.system('echo three')"
    ended = stage.play("dialer", f"def dial(task):\n    {noise}\n    {REPORT}")

    assert len(ended.stdout.splitlines()) == 1
    assert {"one", "two", "three"} <= set(ended.stderr.splitlines())


def test_what_is_no_address_is_not_dialed(stage: Stage, offer: Callable[[str], None]) -> None:
    offer("127.0.0.1:4001")
    ended = stage.play("dialer", f"def dial(task): {REPORT}")

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1].endswith("the listener published '127.0.0.1:4001', which is no multiaddr")


@pytest.mark.parametrize(
    ("role", "source", "redis"),
    [
        pytest.param("listener", "def listen(task): time.sleep(600)", None, id="nobody stops the listener"),
        pytest.param("dialer", "", None, id="no address comes"),
        pytest.param("listener", "", "127.0.0.1:1", id="no Redis for the listener"),
        pytest.param("dialer", "", "127.0.0.1:1", id="no Redis for the dialer"),
    ],
)
def test_the_clock_ends_every_wait(stage: Stage, role: str, source: str, redis: str | None) -> None:
    ended = stage.play(role, source, limit=0.5, redis=redis)

    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == f"{role} timed out after 0.5 s"


def test_the_reason_is_the_last_line_whoever_else_has_something_to_say() -> None:
    # Between the reason and the end another thread is given all the time it needs.
    source = """
import app, os, threading
end = os._exit
def late(code):
    other = threading.Thread(target=app.log, args=("connecting",), daemon=True)
    other.start()
    other.join(timeout=1)
    end(code)
os._exit = late
app.log("before")
app.leave(1, "the reason")
"""
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=SKELETON, capture_output=True, text=True, check=False, timeout=PATIENCE
    )

    assert (done.returncode, done.stderr) == (1, "before\nthe reason\n")


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the start of a process is read from /proc")
def test_the_process_s_age_is_the_one_the_system_knows() -> None:
    """Measured by a process of its own, which has slept: at least that long, and less than we waited for it."""
    source = "import time; time.sleep(0.5); import app; print(app.running_for())"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=SKELETON, capture_output=True, text=True, check=True, timeout=PATIENCE
    )
    waited = time.monotonic() - began

    # The system counts in hundredths.
    assert 0.49 <= float(done.stdout) <= waited + 0.02


@pytest.mark.parametrize(("age", "left"), [(0.5, 6.5), (7.0, 0.0), (60.0, 0.0)])
def test_time_spent_importing_the_library_counts(monkeypatch: pytest.MonkeyPatch, age: float, left: float) -> None:
    class _LeftError(Exception):
        pass

    def timer(after: float, code: int, reason: str = "") -> NoReturn:
        raise _LeftError(after, code, reason)

    monkeypatch.setattr(app, "running_for", lambda: age)
    monkeypatch.setattr(app, "start_timer", timer)
    for name, value in {**CLASSIC, "is_dialer": "false", "test_timeout_seconds": "7"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TEST_KEY", raising=False)

    with pytest.raises(_LeftError) as raised:
        app.main(lambda _: None, lambda _: None, transports=["tcp"], secure_channels=["noise"], muxers=["yamux"])
    assert raised.value.args == (left, 1, "listener timed out after 7 s")


def test_a_dialer_told_to_stop_has_not_succeeded(stage: Stage) -> None:
    dialer = stage.start("dialer", "")
    line_with(dialer, "waiting for an address")
    dialer.send_signal(signal.SIGTERM)

    assert ending(dialer).code == 128 + signal.SIGTERM


def test_a_stale_address_is_replaced(stage: Stage, offer: Callable[[str], None], redis_server: RedisServer) -> None:
    offer("/ip4/127.0.0.1/tcp/1/p2p/QmOld")
    fresh = "/ip4/127.0.0.1/tcp/2/p2p/QmNew"
    listener = stage.start("listener", f"def listen(task):\n    task.publish(' {fresh} ')\n    time.sleep(600)")
    line_with(listener, "published ")
    client = redis_server.client()
    found = client.lrange("listenerAddr", 0, -1)
    client.close()

    assert found == [fresh.encode()]
