"""What `init --into` puts into an implementation's own repository: files that are right as they are."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from checkouts import ROOT

from ci.__main__ import main
from ci.config.catalogue import load
from ci.errors import ExitCode
from ci.suites.registry import known_suites

ROW = """schema: 1
versions:
  - {id: go-v1, family: go, image: "nobody/go:1", transports: [quic-v1]}
"""
HUB = "owner/interop@" + "a" * 40
VERSIONS = str(ROOT / "versions.yaml")


def init(family: str, into: Path, *words: str) -> int:
    return main(["init", family, "--into", str(into), "--versions", VERSIONS, "--hub", HUB, *words])


@pytest.mark.parametrize(
    ("family", "suite", "stands_for"),
    [("go", "transport", "go-v0.51"), ("zig-x", "transport", None), ("quinn", "quic", "quinn-v0.11")],
)
def test_both_files_are_right(tmp_path: Path, family: str, suite: str, stands_for: str | None) -> None:
    assert init(family, tmp_path) == ExitCode.GREEN
    versions = load(ROOT / "versions.yaml", known_suites(), extra=[tmp_path / f"interop/{family}.yaml"]).by_id()
    mine = versions[f"{family}-head"]
    assert suite in mine.suites
    if stands_for is not None:
        assert mine.transports == versions[stands_for].transports
        assert mine.part == versions[stands_for].part

    workflow = yaml.safe_load((tmp_path / ".github/workflows/interop.yml").read_text())
    checkout, action = workflow["jobs"]["interop"]["steps"]
    assert checkout["with"] == {"persist-credentials": False}
    assert action["uses"] == "owner/interop/.github/actions/run-interop@" + "a" * 40
    given = action["with"]
    declared = yaml.safe_load((ROOT / ".github/actions/run-interop/action.yml").read_text())["inputs"]
    assert given.keys() <= declared.keys()
    assert {name for name, it in declared.items() if it.get("required")} <= given.keys()
    assert given.get("stands-for") == stands_for
    assert given["baseline"] == f"https://owner.github.io/interop/{suite}/merged.json"
    assert given.get("suite", "transport") == suite
    # What a repository has to add to a workflow that it has: the lines of its two steps.
    steps = (tmp_path / ".github/workflows/interop.yml").read_text().partition("steps:\n")[2]
    assert len(steps.strip().splitlines()) <= 10 + (suite != "transport")


def test_nothing_that_exists_is_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workflow = tmp_path / ".github/workflows/interop.yml"
    workflow.parent.mkdir(parents=True)
    workflow.write_text("mine")
    assert init("go", tmp_path) == ExitCode.CONFIGURATION
    assert "is there already" in capsys.readouterr().out
    assert workflow.read_text() == "mine"
    assert not (tmp_path / "interop").exists()


def test_the_hub_is_the_checkouts_own_where_that_is_on_github(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, mine = tmp_path / "hub", tmp_path / "mine"
    hub.mkdir()
    mine.mkdir()
    (hub / "versions.yaml").write_text(ROW)
    words = ["init", "go", "--into", str(mine), "--versions", str(hub / "versions.yaml")]
    assert main(words) == ExitCode.CONFIGURATION
    assert "--hub OWNER/NAME@COMMIT" in capsys.readouterr().out
    for git in (
        ["init", "-q"],
        ["remote", "add", "origin", "git@github.com:Somebody/matrix.git"],
        ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "--allow-empty", "-m", "x"],
    ):
        subprocess.run(["git", *git], cwd=hub, check=True)
    assert main(words) == ExitCode.GREEN
    assert "uses: Somebody/matrix/.github/actions/run-interop@" in (mine / ".github/workflows/interop.yml").read_text()


@pytest.mark.parametrize("hub", ["owner/interop", "owner/interop@main", "interop@" + "a" * 40, "o/i@" + "A" * 40])
def test_a_hub_without_a_commit_is_refused(tmp_path: Path, hub: str) -> None:
    assert main(["init", "go", "--into", str(tmp_path), "--versions", VERSIONS, "--hub", hub]) == 2
    assert list(tmp_path.iterdir()) == []
