"""The pages of one suite reach a branch of a real remote, leave those of the others, and keep no history of commits."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from test_publish import clone, commit, git, remote  # noqa: F401 -- a fixture

from ci.errors import ConfigurationError
from ci.reports.pages_branch import copy_folder, push_pages

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here, and publishing is git's")


def says(text: str) -> Callable[[Path, Path], None]:
    def fill(_: Path, folder: Path) -> None:
        (folder / "index.html").write_text(text)

    return fill


@pytest.fixture
def mine(remote: Path, tmp_path: Path) -> Path:  # noqa: F811
    return clone(remote, tmp_path / "mine")


def test_the_first_makes_the_branch_and_the_next_leaves_the_other_suites(remote: Path, mine: Path) -> None:  # noqa: F811
    assert push_pages(mine, "transport", says("one"), branch="gh-pages")
    assert push_pages(mine, "quic", says("two"), branch="gh-pages")
    assert push_pages(mine, "transport", says("three"), branch="gh-pages")
    assert git(remote, "ls-tree", "-r", "--name-only", "gh-pages").split() == [
        ".nojekyll", "index.html", "quic/index.html", "transport/index.html",
    ]  # fmt: skip
    assert git(remote, "show", "gh-pages:transport/index.html") == "three"
    assert git(remote, "show", "gh-pages:quic/index.html") == "two"
    assert 'href="quic/"' in git(remote, "show", "gh-pages:index.html")
    # However often it is published: the newest state alone.
    assert git(remote, "rev-list", "--count", "gh-pages").strip() == "1"
    assert git(mine, "status", "--porcelain") == ""


def test_what_is_replaced_can_be_read_and_what_is_not_there_any_more_goes(remote: Path, mine: Path) -> None:  # noqa: F811
    push_pages(mine, "quic", says("old"), branch="gh-pages")

    def follows(replaced: Path, folder: Path) -> None:
        (folder / "next.html").write_text((replaced / "index.html").read_text() + " and new")

    push_pages(mine, "quic", follows, branch="gh-pages")
    assert git(remote, "show", "gh-pages:quic/next.html") == "old and new"
    assert "quic/index.html" not in git(remote, "ls-tree", "-r", "--name-only", "gh-pages")


def test_nothing_is_pushed_where_nothing_changed(remote: Path, mine: Path) -> None:  # noqa: F811
    push_pages(mine, "quic", says("same"), branch="gh-pages")
    before = git(remote, "rev-parse", "gh-pages")
    assert push_pages(mine, "quic", says("same"), branch="gh-pages") is None
    assert git(remote, "rev-parse", "gh-pages") == before


def test_who_is_overtaken_begins_anew(remote: Path, mine: Path, tmp_path: Path) -> None:  # noqa: F811
    push_pages(mine, "quic", says("old"), branch="gh-pages")
    theirs = clone(remote, tmp_path / "theirs")
    tries = []

    def overtaken(_: Path, folder: Path) -> None:
        (folder / "index.html").write_text("mine")
        tries.append(1)
        if len(tries) < 3:
            push_pages(theirs, "transport", says(f"theirs {len(tries)}"), branch="gh-pages")

    assert push_pages(mine, "quic", overtaken, branch="gh-pages")
    assert len(tries) == 3
    assert git(remote, "show", "gh-pages:transport/index.html") == "theirs 2"
    assert git(remote, "show", "gh-pages:quic/index.html") == "mine"


def test_a_branch_that_may_not_be_pushed_to_is_said(remote: Path, mine: Path) -> None:  # noqa: F811
    (remote / "hooks").mkdir(exist_ok=True)
    (remote / "hooks/pre-receive").write_text("#!/bin/sh\necho protected >&2\nexit 1\n")
    (remote / "hooks/pre-receive").chmod(0o755)
    with pytest.raises(ConfigurationError, match="protected"):
        push_pages(mine, "quic", says("new"), branch="gh-pages")


def test_links_in_what_is_published_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "site/below").mkdir(parents=True)
    (tmp_path / "site/index.html").write_text("page")
    (tmp_path / "site/below/link").symlink_to(tmp_path / "secret")
    (tmp_path / "site/folder").symlink_to(tmp_path)
    copy_folder(tmp_path / "site", tmp_path / "copy")
    assert sorted(it.name for it in (tmp_path / "copy").rglob("*")) == ["below", "index.html"]


def test_a_commit_of_the_checkout_is_no_business_of_the_pages(remote: Path, mine: Path) -> None:  # noqa: F811
    (mine / "other").write_text("2\n")
    commit(mine, "second")
    push_pages(mine, "quic", says("page"), branch="gh-pages")
    assert git(remote, "show", "main:other") == "2\n"
    assert "other" not in git(remote, "ls-tree", "-r", "--name-only", "gh-pages")
