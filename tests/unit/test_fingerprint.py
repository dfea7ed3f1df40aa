"""The content key: what alters it and what does not."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.errors import ConfigurationError
from ci.images.content_key import content_key


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout in which impls/go/v0.51 has a file, a link to a shared file and one to a shared folder."""
    checkout = tmp_path / "checkout"
    (checkout / ".git").mkdir(parents=True)
    (checkout / ".gitignore").write_text("*image.json\nnode_modules/\n/results/\n", encoding="utf-8")
    version = checkout / "impls" / "go" / "v0.51"
    (version / "sub").mkdir(parents=True)
    (version / "Makefile").write_text("all:\n", encoding="utf-8")
    (version / "sub" / "go.sum").write_text("sum\n", encoding="utf-8")
    (version.parent / "main.go").write_text("package main\n", encoding="utf-8")
    (version.parent / "lib").mkdir()
    (version.parent / "lib" / "a.go").write_text("package lib\n", encoding="utf-8")
    (version / "main.go").symlink_to("../main.go")
    (version / "lib").symlink_to("../lib")
    return version


def write(path: str, text: str = "x") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")

    return change


def rename(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / old).rename(folder / new)

    return change


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(write("Makefile", "all: more\n"), id="content"),
        pytest.param(write("empty", ""), id="new empty file"),
        pytest.param(rename("Makefile", "makefile"), id="rename"),
        pytest.param(rename("sub/go.sum", "go.sum"), id="move"),
        pytest.param(lambda folder: (folder / "Makefile").chmod(0o755), id="executable"),
        pytest.param(lambda folder: (folder / "Makefile").unlink(), id="removal"),
        pytest.param(write("../main.go"), id="content of a linked file"),
        pytest.param(write("../lib/b.go"), id="new file in a linked folder"),
        pytest.param(write(".gitignore", "sub/\n"), id="ignore rules of the folder itself"),
    ],
)
def test_alters_the_key(folder: Path, change: Callable[[Path], None]) -> None:
    before = content_key(folder)
    change(folder)
    assert content_key(folder) != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(write("image.json"), id="ignored by the root"),
        pytest.param(write("chromium-image.json"), id="ignored by a glob"),
        pytest.param(write("node_modules/a/b.js"), id="in an ignored folder"),
        pytest.param(write("lib/node_modules/a.js"), id="ignored behind a link"),
        pytest.param(write("../other.txt"), id="outside the folder"),
        pytest.param(write(".git/HEAD"), id="git's own"),
        pytest.param(lambda folder: (folder / "empty").mkdir(), id="an empty folder"),
        pytest.param(lambda folder: (folder / "Makefile").chmod(0o604), id="other bits of the mode"),
        pytest.param(lambda folder: os.utime(folder / "Makefile", (1, 1)), id="times"),
        pytest.param(lambda folder: (folder / "image.json").symlink_to("nowhere"), id="an ignored dangling link"),
        pytest.param(lambda folder: (folder / "image.json").symlink_to("image.json"), id="an ignored loop"),
    ],
)
def test_leaves_the_key(folder: Path, change: Callable[[Path], None]) -> None:
    before = content_key(folder)
    change(folder)
    assert content_key(folder) == before


def test_a_link_and_a_copy_are_the_same(folder: Path) -> None:
    before = content_key(folder)
    (folder / "main.go").unlink()
    (folder / "main.go").write_text("package main\n", encoding="utf-8")
    assert content_key(folder) == before


def test_rules_of_the_folders_between(folder: Path) -> None:
    before = content_key(folder)
    (folder / "debug.log").write_text("x", encoding="utf-8")
    assert content_key(folder) != before
    (folder.parent / ".gitignore").write_text("*.log\n", encoding="utf-8")
    assert content_key(folder) == before


def test_the_deepest_rule_wins(folder: Path) -> None:
    (folder / "sub" / ".gitignore").write_text("!kept-image.json\n", encoding="utf-8")
    before = content_key(folder)
    (folder / "sub" / "kept-image.json").write_text("x", encoding="utf-8")
    assert content_key(folder) != before


def test_rules_above_the_checkout_do_not_count(folder: Path) -> None:
    checkout = folder.parents[2]
    before = content_key(folder)
    (checkout.parent / ".gitignore").write_text("*\n", encoding="utf-8")
    assert content_key(folder) == before


def test_without_git_the_root_is_said(folder: Path) -> None:
    checkout = folder.parents[2]
    before = content_key(folder)
    (folder / "image.json").write_text("x", encoding="utf-8")
    (checkout / ".git").rmdir()
    assert content_key(folder) != before
    assert content_key(folder, root=checkout) == before


def test_name_of_the_folder_and_working_folder_do_not_count(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_key(folder)
    monkeypatch.chdir(folder.parent)
    assert content_key(Path("v0.51")) == before
    folder.rename(folder.parent / "v0.52")
    assert content_key(Path("v0.52")) == before


def test_arguments_and_platform_count(folder: Path) -> None:
    keys = {
        content_key(folder),
        content_key(folder, platform="linux/amd64"),
        content_key(folder, platform="linux/arm64"),
        content_key(folder, arguments={"A": "1", "B": "2"}),
        content_key(folder, arguments={"A": "2", "B": "1"}),
        content_key(folder, arguments={"A": "1B2"}),
        content_key(folder, arguments={"A1": "B2"}),
    }
    assert len(keys) == 7
    assert content_key(folder, arguments={"B": "2", "A": "1"}) == content_key(folder, arguments={"A": "1", "B": "2"})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(lambda f: (f / "gone").symlink_to("nowhere"), "a link to nowhere", id="dangling"),
        pytest.param(lambda f: (f / "self").symlink_to("self"), "a link to self", id="link to itself"),
        pytest.param(lambda f: (f / "up").symlink_to(".."), "leads back", id="link to a folder above"),
        pytest.param(lambda f: os.mkfifo(f / "pipe"), "neither a file", id="pipe"),
        pytest.param(lambda f: (f / ".gitignore").mkdir(), ".gitignore", id="rules that are a folder"),
    ],
)
def test_refuses(folder: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(folder)
    with pytest.raises(ConfigurationError) as caught:
        content_key(folder)
    assert caught.value.reference == "no-content-key"
    assert said in caught.value.message


@pytest.mark.parametrize("path", ["nowhere", "Makefile"])
def test_refuses_what_is_no_folder(folder: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot fingerprint"):
        content_key(folder / path)


def test_names_that_are_not_unicode(folder: Path) -> None:
    before = content_key(folder)
    Path(os.fsdecode(bytes(folder) + b"/\xff")).write_bytes(b"x")
    assert content_key(folder) != before


NAMES = st.text(alphabet="ab.-é ", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
TREES = st.dictionaries(NAMES, st.tuples(st.binary(max_size=6), st.booleans()), max_size=5)


def plant(tree: dict[str, tuple[bytes, bool]], names: list[str], folder: Path) -> str:
    for name in names:
        content, executable = tree[name]
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o755 if executable else 0o644)
    return content_key(folder)


@settings(max_examples=50)
@given(TREES, TREES)
def test_keys_are_equal_exactly_when_trees_are(
    one: dict[str, tuple[bytes, bool]], other: dict[str, tuple[bytes, bool]]
) -> None:
    with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
        equal = plant(one, list(one), Path(a)) == plant(other, list(reversed(other)), Path(b))
        assert equal == (one == other)
