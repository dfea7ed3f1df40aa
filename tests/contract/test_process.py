"""A program under its supervisor: with a kernel that lets the supervisor adopt orphans, and with `ps` alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from processes import NEEDS_PS, is_running
from waiting import eventually

from ci.engines.base import KILLED_FOR_MEMORY
from ci.engines.local import process
from ci.engines.local.process import Process
from ci.engines.local.supervisor import from_proc, from_ps
from ci.spec.attempt import MIB, Limits

if TYPE_CHECKING:
    from ci.spec.attempt import Stream

ROOT = Path(__file__).parents[2]

# As on a system that is not Linux.
WITHOUT_PRCTL = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from ci.engines.local import supervisor
supervisor._prctl = lambda: lambda option, value: False
supervisor.main(sys.argv[1:])
"""


@dataclass
class Told:
    """What a process has reported."""

    streams: dict[Stream, bytes] = field(default_factory=lambda: {"stdout": b"", "stderr": b""})
    ends: list[tuple[int, bool]] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def output(self, stream: Stream, data: bytes) -> None:
        assert not self.over.is_set(), "output comes before the end"
        self.streams[stream] += data

    def ended(self, exit_code: int, *, out_of_memory: bool) -> None:
        self.ends.append((exit_code, out_of_memory))
        self.over.set()

    def lost(self, why: str, error: Exception | None = None) -> None:  # noqa: ARG002
        self.losses.append(why)
        self.over.set()

    def says(self, word: bytes) -> bool:
        return eventually(lambda: word in self.streams["stdout"])


@dataclass
class Running:
    process: Process
    told: Told

    def end(self) -> tuple[int, bool]:
        assert self.told.over.wait(30)
        assert self.told.losses == []
        [end] = self.told.ends
        return end


Run = Callable[..., Running]


@pytest.fixture(
    params=[
        pytest.param("adopting", marks=pytest.mark.skipif(sys.platform != "linux", reason="orphans go to init there")),
        pytest.param("ps", marks=NEEDS_PS),
    ]
)
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """`run("echo hello")`: a shell command, started."""
    if request.param == "ps":
        driver = tmp_path / "supervisor.py"
        driver.write_text(WITHOUT_PRCTL, encoding="utf-8")
        monkeypatch.setattr(process, "SUPERVISOR", driver)
    running: list[Process] = []

    def start(
        *command: str, environment: Mapping[str, str] | None = None, limits: Limits | None = None, go: bool = True
    ) -> Running:
        told = Told()
        made = Process(
            command if len(command) > 1 else ["/bin/sh", "-c", command[0]],
            environment={"PATH": os.defpath, **(environment or {})},
            folder=tmp_path,
            limits=limits or Limits(),
            watcher=told,
        )
        running.append(made)
        if go:
            made.start()
        return Running(made, told)

    yield start
    for it in running:
        it.close()


# --- how it ended -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [0, 1, 77, 125, 127, 137, 255])
def test_an_exit_code(run: Run, code: int) -> None:
    assert run(f"exit {code}").end() == (code, False)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP, signal.SIGPIPE])
def test_a_signal(run: Run, number: signal.Signals) -> None:
    assert run(f"kill -{number.value} $$").end() == (128 + number, False)


@pytest.fixture
def small_machine() -> Iterator[Path]:
    """A group of processes whose members the kernel kills for want of memory; the file that takes members."""
    old, new = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")
    group = (old if old.is_dir() else new) / f"interop-tests-{os.getpid()}"
    limit = group / ("memory.limit_in_bytes" if old.is_dir() else "memory.max")
    try:
        group.mkdir()
        limit.write_text(str(32 * MIB))
    except OSError:
        pytest.skip("this user may not limit the memory of a group of processes")
    yield group / "cgroup.procs"
    assert eventually(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


def test_killed_while_the_machine_is_out_of_memory_is_no_end_of_its_own(run: Run, small_machine: Path) -> None:
    hog = f"echo $$ > {small_machine}; x=; while :; do x=$x$(head -c 1000000 /dev/zero | tr '\\0' x); done"
    running = run(hog)

    assert running.told.over.wait(60)
    assert (running.told.ends, running.told.losses) == ([], [KILLED_FOR_MEMORY])


def test_both_streams_to_their_end(run: Run) -> None:
    told = run("echo out; echo err >&2; printf more; head -c 3000000 /dev/zero; exit 3").told

    assert told.over.wait(30)
    assert told.streams["stdout"] == b"out\nmore" + bytes(3_000_000)
    assert told.streams["stderr"] == b"err\n"


def test_streams_closed_long_before_the_end(run: Run) -> None:
    running = run("exec >&- 2>&-; sleep 0.3; exit 5")

    assert running.end() == (5, False)


@pytest.mark.parametrize(
    ("command", "says"),
    [(["/no/such/program", ""], "No such file or directory"), (["/etc/passwd", ""], "Permission denied")],
)
def test_what_cannot_be_started(run: Run, command: list[str], says: str) -> None:
    running = run(*command)

    assert running.end() == (127, False)
    assert running.told.streams["stderr"].decode() == f"{command[0]}: {says}\n"


def test_the_programs_environment_does_not_reach_its_supervisor(run: Run, tmp_path: Path) -> None:
    (tmp_path / "signal.py").write_text("raise SystemExit('a module of the program')")
    hostile = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": "/nowhere", "PYTHONSTARTUP": "/nowhere"}

    running = run("echo $PYTHONHOME", environment=hostile)

    assert running.end() == (0, False)
    assert running.told.streams["stdout"] == b"/nowhere\n"


# --- stopping ---------------------------------------------------------------------------------------------


def test_sigterm_is_passed_on_to_the_program(run: Run) -> None:
    running = run("trap 'echo asked; exit 9' TERM; echo up; while :; do sleep 0.02; done")
    assert running.told.says(b"up")

    running.process.stop(20)

    assert running.end() == (9, False)
    assert running.told.streams["stdout"].endswith(b"asked\n")


def test_what_ignores_it_is_killed(run: Run) -> None:
    running = run("trap '' TERM; echo up; while :; do sleep 0.02; done")
    assert running.told.says(b"up")

    running.process.stop(0.1)

    assert running.end() == (137, False)


def test_what_is_stopped_by_job_control_is_killed(run: Run) -> None:
    running = run("echo up; kill -STOP $$")
    assert running.told.says(b"up")

    running.process.stop(0.1)

    assert running.end() == (137, False)


def test_stopping_what_has_ended_changes_nothing(run: Run) -> None:
    running = run("exit 4")
    assert running.told.over.wait(30)

    running.process.stop(20)

    assert running.end() == (4, False)


def test_what_was_never_started_leaves_nothing_either(run: Run) -> None:
    running = run("echo never", go=False)
    supervisor = running.process._supervisor.pid

    running.process.stop(20)
    running.process.close()

    assert not is_running(supervisor)
    assert running.told == Told(over=running.told.over)
    assert not running.told.over.is_set()


def test_children_in_the_background_end_with_the_program(run: Run) -> None:
    running = run("trap '' TERM; sleep 1000 & sleep 1001 & echo $!; exit 6")

    assert running.end() == (6, False)
    assert not is_running(int(running.told.streams["stdout"]))


def test_a_whole_tree_ends_when_it_has_to(run: Run) -> None:
    tree = "sh -c 'sh -c \"trap : TERM; sleep 1000 & echo \\$!; wait; wait\" & wait' & wait"
    running = run(tree)
    assert running.told.says(b"\n")

    running.process.kill()

    assert running.end() == (137, False)
    assert not is_running(int(running.told.streams["stdout"]))


# --- limits -----------------------------------------------------------------------------------------------


def test_too_much_memory_is_told(run: Run) -> None:
    hog = "import time; eaten = b'x' * (80 << 20); time.sleep(1000)"

    running = run(sys.executable, "-I", "-c", hog, limits=Limits(memory_bytes=64 * MIB))

    assert running.end() == (137, True)


def test_the_youngest_processes_too_many_are_killed(run: Run) -> None:
    running = run(
        "for _ in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo $!; wait $!; echo status $?; exit 0",
        limits=Limits(processes=6),
    )

    assert running.end() == (0, False)
    assert running.told.streams["stdout"].endswith(b"status 137\n")
    assert b"6 are allowed" in running.told.streams["stderr"]


# --- looking ----------------------------------------------------------------------------------------------


@NEEDS_PS
@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_both_ways_of_looking_see_the_same() -> None:
    code = "import subprocess; subprocess.run(['sh', '-c', 'echo up; read _; exit 0'])"
    command = [sys.executable, "-I", "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        with closing(parent.stdin):
            parent.stdout.readline()
            seen = from_proc(parent.pid)
            listed = from_ps(parent.pid)

    assert len(seen) == 1
    assert seen.keys() == listed.keys()
    assert all(it.memory > 0 and it.tasks == 1 for it in seen.values())
    assert [it.memory for it in seen.values()] == [it.memory for it in listed.values()]
