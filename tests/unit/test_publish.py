"""The dashboard reaches a branch of a real remote, alone, and on top of whatever else has happened there."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from ci.errors import ConfigurationError
from ci.reports.publish import push_dashboard
from ci.util.git import authorization

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

    made = push_dashboard(mine, "README.md", "new\n", branch="main", marker="INTEROP")
    assert made == git(remote, "rev-parse", "main").strip()
    assert git(remote, "show", "main:README.md") == README.replace("old", "new")
    assert git(remote, "show", "--format=", "--name-only", "main").split() == ["README.md"]
    assert git(mine, "worktree", "list").count("\n") == 1


def test_each_suite_is_pushed_to_its_own_place(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    with pytest.raises(ConfigurationError, match="QUIC_DASHBOARD_START"):
        push_dashboard(mine, "README.md", "new\n", branch="main", marker="QUIC")
    pair = "<!--QUIC_DASHBOARD_START-->\n<!--QUIC_DASHBOARD_END-->\n"
    (mine / "README.md").write_text(README + pair)
    commit(mine, "room for another")
    push_dashboard(mine, "README.md", "new\n", branch="main", marker="QUIC")
    assert git(remote, "show", "main:README.md") == README + pair.replace("\n", "\nnew\n", 1)


def test_what_is_remembered_of_the_run_is_pushed_with_it_and_nobody_elses_line_is_lost(
    remote: Path, tmp_path: Path
) -> None:
    def remembers(line: str) -> Callable[[Path], bool]:
        def add(path: Path) -> bool:
            path.parent.mkdir(exist_ok=True)
            before = path.read_text() if path.exists() else ""
            if line in before:
                return False
            path.write_text(before + line)
            return True

        return add

    mine, theirs = clone(remote, tmp_path / "mine"), clone(remote, tmp_path / "theirs")
    for where, line in ((mine, "one\n"), (theirs, "two\n"), (mine, "two\n")):
        others = {"history/transport.jsonl": remembers(line)}
        push_dashboard(where, "README.md", line, branch="main", marker="INTEROP", others=others)
    assert git(remote, "show", "main:history/transport.jsonl") == "one\ntwo\n"
    # The last changed nothing in the README, so a run more is nothing to commit for.
    assert git(remote, "rev-list", "--count", "main").strip() == "3"
    assert git(remote, "show", "--format=", "--name-only", "main").split() == ["README.md", "history/transport.jsonl"]


def test_nothing_is_committed_when_nothing_changed(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    before = git(remote, "rev-parse", "main")
    assert push_dashboard(mine, "README.md", "old\n", branch="main", marker="INTEROP") is None
    assert git(remote, "rev-parse", "main") == before


def test_what_others_pushed_meanwhile_stays(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    theirs = clone(remote, tmp_path / "theirs")
    (theirs / "other").write_text("2\n")
    commit(theirs, "second")

    push_dashboard(mine, "README.md", "new\n", branch="main", marker="INTEROP")
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
        push_dashboard(mine, "README.md", "new\n", branch="main", marker="INTEROP")
    assert git(remote, "rev-parse", "main") == before
    assert git(mine, "worktree", "list").count("\n") == 1


def test_a_branch_that_is_not_there(remote: Path, tmp_path: Path) -> None:
    mine = clone(remote, tmp_path / "mine")
    with pytest.raises(ConfigurationError, match="git fetch"):
        push_dashboard(mine, "README.md", "new\n", branch="nowhere", marker="INTEROP")


class Listening(BaseHTTPRequestHandler):
    """A server that turns everybody away and keeps what it was told, and what its host could read meanwhile."""

    told: ClassVar[list[str]] = []
    readable: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.told.append(self.headers.get("Authorization", ""))
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it has ended
                self.readable.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name it has there
        pass


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no command lines to read here")
def test_the_token_reaches_the_server_and_no_command_line(
    remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = clone(remote, tmp_path / "mine")
    with HTTPServer(("127.0.0.1", 0), Listening) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}"
            git(mine, "remote", "set-url", "origin", f"{address}/a/b.git")
            monkeypatch.setenv("GITHUB_SERVER_URL", address)
            monkeypatch.setenv("GITHUB_TOKEN", "ghs_secret\n")
            # What somebody else says to git in this way stays said.
            monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
            monkeypatch.setenv("GIT_CONFIG_KEY_0", "http.proxy")
            monkeypatch.setenv("GIT_CONFIG_VALUE_0", "")
            with pytest.raises(ConfigurationError, match="`git fetch` failed") as caught:
                push_dashboard(mine, "README.md", "new\n", branch="main", marker="INTEROP")
        finally:
            server.shutdown()
            thread.join()
    secret = base64.b64encode(b"x-access-token:ghs_secret").decode()
    assert f"basic {secret}" in Listening.told
    assert any("git" in line and address in line for line in Listening.readable)
    assert not any(secret in line or "ghs_secret" in line for line in Listening.readable)
    assert "secret" not in str(caught.value)


def test_without_a_token_nothing_is_said_to_git() -> None:
    assert authorization({}) == authorization({"GITHUB_TOKEN": ""}) == {}
    assert authorization({"GITHUB_TOKEN": "t", "GIT_CONFIG_COUNT": "none"})["GIT_CONFIG_COUNT"] == "1"
