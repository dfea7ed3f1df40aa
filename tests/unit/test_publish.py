"""The dashboard reaches a branch of a real remote, alone, and on top of whatever else has happened there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ci.errors import ConfigurationError
from ci.publish import push_dashboard

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here, and publishing is git's")

README = "# Title\n<!--INTEROP_DASHBOARD_START-->\nold\n<!--INTEROP_DASHBOARD_END-->\nend\n"


def git(where: Path, *words: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    return subprocess.run(
        ["git", *identity, *words], cwd=where, env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    bare = tmp_path / "remote.git"
    bare.mkdir()
    git(bare, "init", "-q", "--bare", "-b", "main")
    first = clone(bare, tmp_path / "first")
    (first / "README.md").write_text(README)
    (first / "other").write_text("1\n")
    git(first, "checkout", "-q", "-B", "main")
    commit(first, "first")
    return bare


def clone(remote: Path, where: Path) -> Path:
    git(remote.parent, "clone", "-q", str(remote), str(where))
    return where


def commit(where: Path, subject: str) -> None:
    git(where, "add", "-A")
    git(where, "commit", "-q", "-m", subject)
    git(where, "push", "-q", "origin", "HEAD:main")


def test_only_the_text_between_the_markers_is_committed(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    (mine / "README.md").write_text("a local change that is nobody's business")
    (mine / "other").write_text("another")

    made = push_dashboard(mine, "README.md", "new\n", branch="main")
    assert made == git(remote, "rev-parse", "main").strip()
    assert git(remote, "show", "main:README.md") == README.replace("old", "new")
    assert git(remote, "show", "--format=", "--name-only", "main").split() == ["README.md"]
    assert git(mine, "worktree", "list").count("\n") == 1


def test_each_suite_is_pushed_to_its_own_place(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    with pytest.raises(ConfigurationError, match="QUIC_DASHBOARD_START"):
        push_dashboard(mine, "README.md", "new\n", branch="main", suite="quic")
    pair = "<!--QUIC_DASHBOARD_START-->\n<!--QUIC_DASHBOARD_END-->\n"
    (mine / "README.md").write_text(README + pair)
    commit(mine, "room for another")
    push_dashboard(mine, "README.md", "new\n", branch="main", suite="quic")
    assert git(remote, "show", "main:README.md") == README + pair.replace("\n", "\nnew\n", 1)


def test_nothing_is_committed_when_nothing_changed(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    before = git(remote, "rev-parse", "main")
    assert push_dashboard(mine, "README.md", "old\n", branch="main") is None
    assert git(remote, "rev-parse", "main") == before


def test_what_others_pushed_meanwhile_stays(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    theirs = clone(remote, tmp_path / "theirs")
    (theirs / "other").write_text("2\n")
    commit(theirs, "second")

    push_dashboard(mine, "README.md", "new\n", branch="main")
    assert git(remote, "show", "main:other") == "2\n"
    assert git(remote, "log", "--format=%s", "main").splitlines() == [
        "dashboard: update [skip ci]",
        "second",
        "first",
    ]


def test_a_readme_without_markers_is_refused_and_left(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    (mine / "README.md").write_text("no markers\n")
    commit(mine, "second")
    before = git(remote, "rev-parse", "main")
    with pytest.raises(ConfigurationError):
        push_dashboard(mine, "README.md", "new\n", branch="main")
    assert git(remote, "rev-parse", "main") == before
    assert git(mine, "worktree", "list").count("\n") == 1


def test_a_branch_that_is_not_there(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    with pytest.raises(ConfigurationError, match="git fetch"):
        push_dashboard(mine, "README.md", "new\n", branch="nowhere")
