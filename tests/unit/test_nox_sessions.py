"""What a person sees of the sessions around the commands: of nox itself, and of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Loads the project's noxfile as nox would, and has one session more that does nothing.
NOXFILE = f"""
import importlib.util
import nox
spec = importlib.util.spec_from_file_location("ours", {str(ROOT / "noxfile.py")!r})
spec.loader.exec_module(importlib.util.module_from_spec(spec))

@nox.session(venv_backend="none")
def nothing(session):
    pass
"""


def run(*words: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def test_nox_says_nothing_of_a_program_that_nobody_needs(tmp_path: Path) -> None:
    (tmp_path / "noxfile.py").write_text(NOXFILE)

    said = run("nox", "-f", str(tmp_path / "noxfile.py"), "-s", "nothing", UV="/nowhere/uv")

    assert "Session nothing was successful" in said
    assert "uv binary" not in said


def test_without_docker_the_reason_for_skipping_is_said_once() -> None:
    # Where this run itself may not do without Docker, the one it starts may.
    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:9", "INTEROP_REQUIRE_DOCKER": ""}
    said = run("pytest", "-p", "no:cacheprovider", "tests/network/test_iperf.py", **nowhere)

    (line,) = [line for line in said.splitlines() if "no Docker engine answers" in line]
    assert " tests skipped: no Docker engine answers" in line
