"""`run-shard` before anything runs: what the environment says, and with which engine a shard goes on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from runs import RED, attempt, start, write_shard

from ci.__main__ import command_line, main
from ci.commands.workspace import Workspace
from ci.model import Outcome
from ci.results.shard_file import RESULTS_FILE

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["run-shard", "1/1", "--run", "r", "--select", "py-v0.8 and quic-v1"]


@pytest.fixture
def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of a shard that was begun in containers and met trouble in its first case."""
    monkeypatch.chdir(ROOT)
    plan = Workspace.from_arguments(command_line().parse_args(WORDS)).plan
    first = attempt(plan.selected[0].case, Outcome.ERROR, RED, engine={"name": "docker", "version": "20.10"})
    write_shard(tmp_path / "r/shard-1-of-1", [first], begin=start(plan=plan.digest), ends=False)
    return tmp_path


@pytest.mark.parametrize("host", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "nonsense"])
def test_what_was_begun_in_containers_never_goes_on_as_processes(
    host: str, begun: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    before = (begun / "r/shard-1-of-1" / RESULTS_FILE).read_bytes()
    assert main([*WORDS, "--results", str(begun)]) == 6
    told = capsys.readouterr().out
    assert "engine: docker, with which this was begun" in told
    assert "reference: engine-unreachable" in told
    assert (begun / "r/shard-1-of-1" / RESULTS_FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("variables", "reference"),
    [
        ({"GITHUB_RUN_ATTEMPT": "abc"}, "bad-value"),
        ({"GITHUB_RUN_ATTEMPT": "0"}, "bad-value"),
        ({"GITHUB_RUN_ATTEMPT": "²"}, "bad-value"),
        ({"GITHUB_RUN_ATTEMPT": "9" * 5000}, "bad-value"),
        ({"INTEROP_RUN": "../elsewhere"}, "run-name"),
        ({"INTEROP_CACHE": "/proc/none"}, "no-cache-folder"),
    ],
)
def test_a_variable_that_says_nonsense_is_named(
    variables: Mapping[str, str],
    reference: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    words = [it for it in WORDS if "INTEROP_RUN" not in variables or it not in ("--run", "r")]
    assert main([*words, "--results", str(tmp_path / "results"), "--engine", "local"]) in (2, 6)
    told = capsys.readouterr().out
    assert f"reference: {reference}" in told
    assert all(name in told for name in variables)
    assert "Traceback" not in told
    assert not (tmp_path / "results").exists()
