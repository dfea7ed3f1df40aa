"""Requests to stop, by real signals to real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from waiting import eventually

from ci.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
# Waits for a request, then cleans up for as long as its standard input is open.
PATIENT = """
import os, sys
from ci.terminal.console import Console
from ci.terminal.interrupts import interruptible

console = Console.for_stream(sys.stdout, os.environ)
with interruptible(console, stop=lambda: print("stopped", flush=True)) as cancelled:
    print("ready", os.getpid(), flush=True)
    while not cancelled.wait(0.05):
        pass
    sys.stdin.read()
print("clean", flush=True)
sys.exit(3)
"""
# What nox runs it with, passing signals on.
SUPERVISED = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import noxfile
sys.exit(noxfile.supervised([sys.executable, "-c", {PATIENT!r}]))
"""


@contextmanager
def started(script: str, **more: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process, at the head of a group of its own, and the id of the one that handles requests."""
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        **more,
    ) as process:
        try:
            assert process.stdout is not None
            word, _, pid = process.stdout.readline().partition(" ")
            assert word == "ready"
            yield process, int(pid)
        finally:
            process.kill()


def rest(process: subprocess.Popen[str]) -> list[str]:
    """What it says once it may end."""
    output, _ = process.communicate(timeout=60)
    return output.splitlines()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_one_request_that_comes_several_times_is_one(number: signal.Signals) -> None:
    with started(PATIENT) as (process, _):
        for _ in range(4):
            process.send_signal(number)
        said = rest(process)
        assert (process.returncode, said[1:]) == (3, ["stopped", "clean"])
        assert said[0] == f"warning: {number.name}: stopping and cleaning up; Ctrl-C once more ends at once"


# Its main thread sleeps until another one ends, which takes the signal, as one that is starting a further one may.
ASLEEP = """
import os, signal, sys, threading, time
from ci.terminal.console import Console
from ci.terminal.interrupts import interruptible

answered = []
with interruptible(Console.for_stream(sys.stdout, os.environ)) as cancelled:
    print("ready", os.getpid(), flush=True)

    def take():
        time.sleep(0.5)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        answered.append(cancelled.wait(20))

    other = threading.Thread(target=take)
    other.start()
    other.join()
print("asked" if answered == [True] else "lost", flush=True)
"""


def test_a_request_that_another_thread_takes_is_not_lost() -> None:
    with started(ASLEEP) as (process, _):
        assert rest(process)[-1] == "asked"


def test_sigterm_never_cuts_the_cleaning_up_short() -> None:
    """A CI runner sends SIGINT, seconds later SIGTERM: that is no reason to leave things behind."""
    with started(PATIENT) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert "SIGINT" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert (rest(process)[-1], process.returncode) == ("clean", 3)


def test_ctrl_c_once_more_ends_at_once() -> None:
    with started(PATIENT) as (process, _):

        def ended() -> bool:
            process.send_signal(signal.SIGINT)
            return process.poll() is not None

        assert eventually(ended)
        assert process.returncode == ExitCode.INTERRUPTED


def test_what_it_was_started_to_ignore_stays_ignored() -> None:
    with started(PATIENT, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)) as (process, _):
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert "SIGTERM" in rest(process)[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_below_nox_a_signal_to_the_group_is_one_request(number: signal.Signals) -> None:
    """As `timeout` sends it: to nox, and to the whole group, nox once more among it."""
    with started(SUPERVISED) as (process, pid):
        assert pid != process.pid
        process.send_signal(number)
        os.killpg(process.pid, number)
        said = rest(process)
        assert (process.returncode, said[1:]) == (3, ["stopped", "clean"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_nox_passes_on_what_comes_to_it_alone(number: signal.Signals) -> None:
    with started(SUPERVISED) as (process, _):
        process.send_signal(number)
        assert (rest(process)[-1], process.returncode) == ("clean", 3)


def test_elsewhere_a_request_unwinds_what_is_being_done() -> None:
    """A command that takes no notice of requests: its `finally` runs, and no second signal cuts that short."""
    script = """
import os, sys
from ci.terminal.interrupts import raised
try:
    with raised():
        try:
            print("ready", os.getpid(), flush=True)
            sys.stdin.read()
        finally:
            sys.stdin.read()
            print("clean", flush=True)
except KeyboardInterrupt as request:
    print(type(request).__name__, request)
"""
    with started(script) as (process, _):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        assert rest(process) == ["clean", "Interrupted SIGTERM"]
