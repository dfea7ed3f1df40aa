"""Builds end with the command that started them, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkouts import Checkout
from processes import is_running
from waiting import eventually

from ci.engines.docker.daemon import Daemon
from ci.util import guarded

ROOT = Path(__file__).resolve().parents[2]

# Starts a build that starts another program, says that one's number, and takes no notice of signals.
BUILD = "trap '' INT; sh -c 'sleep 1000 & echo $! > {pid}; wait'"
RUNNER = """
import os, sys
from pathlib import Path
from ci.images.build_commands import Commands
Commands(os.environ).run(["sh", "-c", sys.argv[1]], log=Path(sys.argv[2]), folder=Path("/"))
"""


def number_in(file: Path) -> int:
    """Of the process that a build has started."""
    assert eventually(lambda: file.exists() and file.read_text().endswith("\n"))
    return int(file.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_what_a_build_has_started_ends_with_us(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", RUNNER, BUILD.format(pid=tmp_path / "pid"), str(tmp_path / "log")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as runner:
        started = number_in(tmp_path / "pid")
        runner.send_signal(number)
        runner.wait(20)

    assert eventually(lambda: not is_running(started))


def test_one_that_has_ended_can_be_ended() -> None:
    """Its group is gone: that is what was wanted."""
    with Path(os.devnull).open("wb") as nowhere:
        process = guarded.start(["true"], output=nowhere, environment=os.environ)
        os.waitpid(process.pid, 0)  # behind its back, so that it takes it for running

        guarded.end(process)

    assert process.returncode is not None


VERSIONS = """schema: 1
versions:
  - id: slow-v1
    family: slow
    build: impls/slow
    transports: [tcp]
    secureChannels: [noise]
    muxers: [yamux]
"""


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_build_of_images_ends_with_its_command(
    tmp_path: Path, daemon: Daemon, build_base: str, number: signal.Signals
) -> None:
    assert daemon
    assert build_base
    (tmp_path / "versions.yaml").write_text(VERSIONS)
    folder = tmp_path / "impls" / "slow"
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text(f"image.json:\n\tsleep 1000 & echo $$! > {tmp_path / 'pid'}; wait\n")
    with Checkout(tmp_path).start("build-images", "--engine", "docker") as command:
        started = number_in(tmp_path / "pid")
        command.send_signal(number)
        command.communicate(timeout=30)

    assert eventually(lambda: not is_running(started))
