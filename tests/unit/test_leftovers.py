"""Which leftovers go: the rule by itself, and on a real disk."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.__main__ import main
from ci.commands.gc_table import Decided, as_data, kept_lines, line, size_words
from ci.engines.gc import Kind, Leftover, Owner, Rule, age_words, parse_age
from ci.engines.local.gc import LocalLeftovers, a_run_lives
from ci.errors import ConfigurationError, EngineError, ExitCode
from ci.util.cache_folder import cache_candidates

DAY = 86400.0

# --- ages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90m", 5400), ("24h", DAY), ("7d", 7 * DAY), ("0s", 0), ("1.5h", 5400), (" 2W ", 14 * DAY), ("007d", 7 * DAY)],
)
def test_ages_that_are_understood(text: str, seconds: float) -> None:
    assert parse_age(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-1d", "1 d", "1h30m", "1e3s", "inf", "nan", "٣d", "1y", "9" * 10 + "d"]
)
def test_ages_that_are_not(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_age(text)
    assert caught.value.reference == "bad-age"
    assert "24h" in caught.value.hint


@given(st.integers(0, 10**6), st.sampled_from("smhdw"))
def test_words_never_make_a_thing_older(number: int, unit: str) -> None:
    seconds = parse_age(f"{number}{unit}")
    shown = age_words(seconds).replace(" min", "m").replace(" ", "")
    assert parse_age(shown) <= seconds
    assert seconds == 0 or parse_age(shown) > seconds / 2


# --- the rule ---------------------------------------------------------------------------------------------


def leftover(**more: Any) -> Leftover:
    given: dict[str, Any] = {"kind": Kind.CONTAINER, "name": "n", "handle": "h", "age": 2 * DAY, "owner": Owner.GONE}
    return Leftover(**given | more)


@pytest.mark.parametrize(
    ("it", "rule", "reason"),
    [
        (leftover(), Rule(older_than=DAY), None),
        (leftover(age=DAY), Rule(older_than=DAY), None),
        (leftover(age=DAY - 1), Rule(older_than=DAY), "younger than 24 h"),
        (leftover(age=None), Rule(older_than=0), "its age is not known"),
        (leftover(owner=Owner.ALIVE), Rule(older_than=0, other_hosts=True), "its run lives"),
        (
            leftover(owner=Owner.UNKNOWN),
            Rule(older_than=DAY),
            "its run was on another host, in another container, or before a restart (--other-hosts)",
        ),
        (leftover(owner=Owner.UNKNOWN), Rule(older_than=DAY, other_hosts=True), None),
        (leftover(needed="it is current"), Rule(older_than=0), "it is current"),
        (leftover(owner=Owner.SHARED), Rule(older_than=DAY), None),
        (leftover(owner=Owner.SHARED), Rule(older_than=DAY, lives=True), "a run lives that may use it"),
        (leftover(owner=Owner.GONE), Rule(older_than=DAY, lives=True), None),
    ],
)
def test_why_a_leftover_stays(it: Leftover, rule: Rule, reason: str | None) -> None:
    assert rule.keeps(it) == reason


LEFTOVERS = st.builds(
    leftover,
    kind=st.sampled_from(Kind),
    age=st.none() | st.floats(0, 100 * DAY),
    owner=st.sampled_from(Owner),
    needed=st.sampled_from(["", "it is current"]),
)
RULES = st.builds(Rule, older_than=st.floats(0, 100 * DAY), other_hosts=st.booleans(), lives=st.booleans())


@given(LEFTOVERS, RULES)
def test_what_goes_is_old_and_nobodys(it: Leftover, rule: Rule) -> None:
    if rule.keeps(it) is None:
        assert it.age is not None
        assert it.age >= rule.older_than
        assert it.owner is not Owner.ALIVE
        assert not it.needed
        assert not (it.owner is Owner.SHARED and rule.lives)
        assert it.owner is not Owner.UNKNOWN or rule.other_hosts


@given(LEFTOVERS, RULES, st.floats(0, 100 * DAY))
def test_a_stricter_rule_removes_nothing_more(it: Leftover, rule: Rule, more: float) -> None:
    stricter = Rule(older_than=rule.older_than + more, other_hosts=False, lives=True)
    assert rule.keeps(it) is None or stricter.keeps(it) is not None


# --- the disk ---------------------------------------------------------------------------------------------


def backdate(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment), follow_symlinks=False)


def entry(cache: Path, name: str, *, age: float = 2 * DAY, size: int = 1000) -> Path:
    """A cache entry as builds leave it."""
    place = cache / name
    place.mkdir(parents=True)
    (place / "content").write_bytes(b"x" * 10)
    complete = place / "complete.json"
    complete.write_text(json.dumps({"bytes": size, "made": 1}), encoding="utf-8")
    backdate(complete, age)
    return place


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """As whoever uses it holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDONLY) if path.is_dir() else os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    (folder / "locks").mkdir(parents=True)
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


@pytest.fixture
def here(cache: Path, temporary: Path) -> LocalLeftovers:
    return LocalLeftovers(caches=[cache, cache.with_name("missing")], temporary=temporary)


def names(found: Any, rule: Rule) -> set[str]:
    return {it.name for it in found if rule.keeps(it) is None}


def test_old_entries_go_and_young_ones_stay(cache: Path, here: LocalLeftovers) -> None:
    old, young = entry(cache, "builds/py-aa"), entry(cache, "builds/py-bb", age=60)
    found = here.find()
    assert names(found, Rule(older_than=DAY)) == {"builds/py-aa"}
    assert {it.size for it in found} == {1000}
    for it in found:
        if Rule(older_than=DAY).keeps(it) is None:
            here.remove(it)
    assert not old.exists()
    assert young.exists()


def test_a_half_made_entry_goes_only_when_nobody_makes_it(cache: Path, here: LocalLeftovers) -> None:
    making = cache / "toolchains" / "node-aa.making"
    making.mkdir(parents=True)
    backdate(making, 2 * DAY)
    path = cache / "locks" / "toolchains-node-aa.lock"
    with lock(path):
        [it] = here.find()
        assert it.needed == "somebody makes it just now"
        with pytest.raises(EngineError, match="in use"):
            here.remove(it)
    [it] = here.find()
    assert Rule(older_than=DAY).keeps(it) is None
    here.remove(it)
    assert not making.exists()
    assert path.exists()


def test_folders_that_are_not_ours_are_not_seen(cache: Path, here: LocalLeftovers) -> None:
    (cache / "builds" / "no-entry").mkdir(parents=True)
    (cache / "link").symlink_to(entry(cache.parent / "elsewhere", "builds/x").parent)
    assert here.find() == []
    (cache / "locks").rmdir()
    entry(cache, "builds/py-aa")
    assert here.find() == []


def test_downloads_go_only_from_a_folder_that_is_all_ours(cache: Path, here: LocalLeftovers) -> None:
    module = cache / "go" / "pkg" / "mod"
    module.mkdir(parents=True)
    (module / "file").write_text("x", encoding="utf-8")
    for path in (module, module.parent, cache / "go"):
        backdate(path, 3 * DAY)
    (cache / "holiday.jpg").write_text("x", encoding="utf-8")
    [it] = here.find()
    assert "holiday.jpg" in it.needed

    (cache / "holiday.jpg").unlink()
    module.chmod(0o500)
    [it] = here.find()
    assert names([it], Rule(older_than=DAY)) == {"go (downloads)"}
    here.remove(it)
    assert not (cache / "go").exists()
    assert cache.exists()


def test_private_folders_of_living_runs_stay(temporary: Path, here: LocalLeftovers, cache: Path) -> None:
    entry(cache, "builds/py-aa")
    folders = [temporary / name for name in ("interop-local-run-dead", "interop-local-run-lives", "interop-new-x")]
    for folder in [*folders, temporary / "interop-other", temporary / "else"]:
        folder.mkdir()
        backdate(folder, 2 * DAY)
    (temporary / "interop-local-link").symlink_to(folders[0])
    with lock(folders[1]):
        found = here.find()
        assert {it.name for it in found if it.kind is Kind.SCRATCH} == {str(it) for it in folders}
        assert a_run_lives(found)
        rule = Rule(older_than=DAY, lives=True)
        assert names(found, rule) == {str(folders[0]), str(folders[2])}
        [lives] = [it for it in found if it.owner is Owner.ALIVE]
        with pytest.raises(EngineError, match="in use"):
            here.remove(lives)
    assert not a_run_lives(here.find())


def test_a_tree_that_cannot_be_removed_is_told(
    cache: Path, here: LocalLeftovers, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry(cache, "builds/py-aa")
    [it] = here.find()

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("ci.engines.local.gc.shutil.rmtree", refuse)
    with pytest.raises(EngineError, match="py-aa cannot be removed: Operation not permitted"):
        here.remove(it)


# --- where the cache is -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "macos", "folders"),
    [
        ({"INTEROP_CACHE": "/a", "HOME": "/h"}, False, ["/a"]),
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, False, ["/x/interop-matrix", "/c/.nox/cache"]),
        ({"XDG_CACHE_HOME": "x", "HOME": "/h"}, False, ["/h/.cache/interop-matrix", "/c/.nox/cache"]),
        ({"HOME": "/h"}, True, ["/h/Library/Caches/interop-matrix", "/c/.nox/cache"]),
        ({"HOME": ""}, False, ["/c/.nox/cache"]),
        ({}, False, ["/c/.nox/cache"]),
    ],
)
def test_where_the_cache_may_be(environment: dict[str, str], macos: bool, folders: list[str]) -> None:
    found = cache_candidates(environment, checkout=Path("/c"), macos=macos)
    assert [str(it) for it in found] == folders


# --- the command, without Docker --------------------------------------------------------------------------


@pytest.fixture
def no_docker(cache: Path, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("INTEROP_CACHE", str(cache))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(tmp_path)
    return entry(cache, "builds/py-aa"), entry(cache, "builds/py-bb", age=60)


def test_gc_removes_nothing_unless_told_to(no_docker: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc"]) == ExitCode.GREEN
    assert all(it.exists() for it in no_docker)
    printed = capsys.readouterr().out
    assert "only this host's own folders: no Docker engine answers" in printed
    assert "builds/py-aa" in printed
    assert "1 thing would be removed, at most 1.0 kB" in printed
    assert "1 cache entry: younger than 24 h" in printed


def test_gc_removes_what_is_old(no_docker: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    old, young = no_docker
    assert main(["gc", "--yes", "--json"]) == ExitCode.GREEN
    data = json.loads(capsys.readouterr().out)
    assert data["removed"] is True
    assert [(it["name"], it["kept"], it["failed"]) for it in data["leftovers"]] == [
        ("builds/py-aa", None, None),
        ("builds/py-bb", "younger than 24 h", None),
    ]
    assert not old.exists()
    assert young.exists()
    assert main(["gc", "--yes", "--older-than", "30s"]) == ExitCode.GREEN
    assert not young.exists()


def test_gc_says_what_it_could_not_remove(
    no_docker: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("ci.engines.local.gc.shutil.rmtree", refuse)
    assert main(["gc", "--yes"]) == ExitCode.ENGINE
    assert no_docker[0].exists()
    printed = capsys.readouterr().out
    assert "builds/py-aa was not removed" in printed
    assert "nothing to remove" not in printed


def test_gc_refuses_what_is_no_age(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gc", "--yes", "--older-than", "soon"]) == ExitCode.CONFIGURATION
    assert "`soon` is no age" in capsys.readouterr().out


# --- what is printed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "words"),
    [(None, ""), (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (388_000_000, "388 MB"), (2_150_000_000, "2.1 GB")],
)
def test_sizes(size: int | None, words: str) -> None:
    assert size_words(size) == words


def test_lines() -> None:
    it = leftover(kind=Kind.IMAGE, name="interop/py:1", size=388_000_000, age=3 * DAY)
    assert line(it) == "  388 MB      3 d  image      interop/py:1"
    kept = [Decided(it=leftover(kind=Kind.CACHE), kept="a"), *[Decided(it=it, kept="b")] * 2]
    assert kept_lines(kept) == ["   2 images: b", "   1 cache entry: a"]
    [row] = as_data([Decided(it=it, kept="b")], removed=False, older_than=DAY)["leftovers"]
    assert row == {
        "kind": "image",
        "name": "interop/py:1",
        "age": round(3 * DAY),
        "size": 388_000_000,
        "owner": "gone",
        "host": "",
        "kept": "b",
        "failed": None,
    }
