"""Podman's socket speaks like Docker's, and is not taken for it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.engines.docker.daemon import connect
from ci.errors import EngineError, ExitCode


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[str]:
    program = shutil.which("podman")
    if program is None:
        pytest.skip("there is no podman here")
    socket = tmp_path / "podman.sock"
    # It makes nothing, so it may have the store that there is.
    with subprocess.Popen([program, "system", "service", "--time", "0", f"unix://{socket}"]) as process:
        until = time.monotonic() + 30
        while not socket.exists() and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.05)
        yield f"unix://{socket}"
        process.terminate()


def test_it_is_refused_by_its_name(podman: str) -> None:
    with pytest.raises(EngineError) as refused:
        connect({"DOCKER_HOST": podman})
    assert refused.value.reference == "engine-podman"
    assert refused.value.exit_code is ExitCode.ENGINE
    assert "Podman" in refused.value.message
    assert "--engine local" in refused.value.hint
