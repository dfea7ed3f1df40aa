"""Which engine is taken, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest
from terminals import File

from ci.commands.engine_choice import backend_for
from ci.commands.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]


def test_why_cases_are_local_processes_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("INTEROP_CACHE", str(tmp_path / "cache"))
    backend = backend_for("auto", Workspace.at(ROOT / "versions.yaml"), File().console, run="r1")
    assert backend.why.startswith("engine: local processes, because no Docker engine answers: ")
    assert backend.why.count("Docker") == 1
