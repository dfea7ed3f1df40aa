"""Entries of the user's cache folder are there whole or not at all, and are made once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.errors import EngineError
from ci.images.caches.folder import Cache, Stopped, cache_folder

ROOT = Path(__file__).parents[2]


# --- which folder -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "macos", "folder"),
    [
        ({"INTEROP_CACHE": "own", "XDG_CACHE_HOME": "xdg", "HOME": "home"}, False, "own"),
        ({"XDG_CACHE_HOME": "xdg", "HOME": "home"}, False, "xdg/interop-matrix"),
        ({"HOME": "home"}, False, "home/.cache/interop-matrix"),
        ({"HOME": "home"}, True, "home/Library/Caches/interop-matrix"),
        ({}, False, "checkout/.nox/cache"),
    ],
)
def test_the_folder_is_the_users(tmp_path: Path, variables: dict[str, str], macos: bool, folder: str) -> None:
    environment = {name: str(tmp_path / value) for name, value in variables.items()}
    found = cache_folder(environment, checkout=tmp_path / "checkout", macos=macos)
    assert found == tmp_path / folder
    assert found.is_dir()


@pytest.mark.parametrize("home", ["", ".", "relative/home"])
def test_a_home_that_is_none_is_passed_over(tmp_path: Path, home: str) -> None:
    environment = {"HOME": home, "XDG_CACHE_HOME": home}
    assert cache_folder(environment, checkout=tmp_path) == tmp_path / ".nox" / "cache"


def test_a_home_that_cannot_be_written_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, so not even root can make a folder in it", encoding="utf-8")
    environment = {"HOME": str(tmp_path / "home")}
    assert cache_folder(environment, checkout=tmp_path) == tmp_path / ".nox" / "cache"


def test_a_folder_that_was_asked_for_is_used_or_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {"INTEROP_CACHE": str(tmp_path / "file" / "cache"), "HOME": str(tmp_path)}
    with pytest.raises(EngineError, match=r"INTEROP_CACHE is no use: .*file/cache: Not a directory") as caught:
        cache_folder(environment, checkout=tmp_path)
    assert caught.value.hint


def test_no_folder_anywhere_names_each(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="INTEROP_CACHE=") as caught:
        cache_folder({"HOME": str(tmp_path / "file")}, checkout=tmp_path / "file")
    assert f"{tmp_path}/file/.cache/interop-matrix: " in caught.value.message
    assert f"{tmp_path}/file/.nox/cache: " in caught.value.message


# --- entries ----------------------------------------------------------------------------------------------


def fill(making: Path) -> None:
    (making / "program").write_bytes(b"12345")


def test_an_entry_is_made_once_and_found_afterwards(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert cache.find("builds", "a") is None
    assert cache.size("builds", "a") == 0
    place = cache.make("builds", "a", fill)
    assert place == cache.find("builds", "a") == cache.place("builds", "a")
    assert (place / "program").read_bytes() == b"12345"
    assert cache.size("builds", "a") == 5

    def never(making: Path) -> None:
        pytest.fail(f"made again, in {making}")

    assert cache.make("builds", "a", never) == place


def test_a_failed_entry_leaves_nothing(tmp_path: Path) -> None:
    def break_off(making: Path) -> None:
        fill(making)
        raise OSError("disk full")

    cache = Cache(tmp_path)
    with pytest.raises(OSError, match="disk full"):
        cache.make("builds", "a", break_off)
    assert cache.find("builds", "a") is None
    assert list((tmp_path / "builds").iterdir()) == []
    assert cache.make("builds", "a", fill).is_dir()


def test_half_made_entries_count_for_nothing_and_are_swept(tmp_path: Path) -> None:
    (tmp_path / "builds" / "a").mkdir(parents=True)
    (tmp_path / "builds" / "a.making").mkdir()
    (tmp_path / "builds" / "a.making" / "old").touch()
    cache = Cache(tmp_path)
    assert cache.find("builds", "a") is None
    place = cache.make("builds", "a", fill)
    assert sorted(it.name for it in place.iterdir()) == ["complete.json", "program"]
    assert [it.name for it in (tmp_path / "builds").iterdir()] == ["a"]


def test_finding_an_entry_makes_it_young(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    complete = cache.make("builds", "a", fill) / "complete.json"
    os.utime(complete, (1000, 1000))
    cache.find("builds", "a")
    assert complete.stat().st_mtime > 1000


def test_many_at_once_make_one_entry(tmp_path: Path) -> None:
    made, together = [], threading.Barrier(4)

    def build(making: Path) -> None:
        made.append(making)
        fill(making)

    def one() -> None:
        together.wait()
        Cache(tmp_path).make("builds", "a", build)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert Cache(tmp_path).find("builds", "a") is not None


HOLDER = """
import sys, time
from pathlib import Path
from ci.images.caches.folder import Cache

def build(making):
    (making / "half").touch()
    print("making", flush=True)
    time.sleep(600)

Cache(Path(sys.argv[1])).make("builds", "a", build)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another run, in the middle of making the entry `a`."""
    words = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "making\n"
        yield process
        process.kill()


def test_what_a_killed_run_was_making_is_made_anew(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    assert (tmp_path / "builds" / "a.making" / "half").exists()
    holder.kill()
    holder.wait()
    place = Cache(tmp_path).make("builds", "a", fill)
    assert not (place / "half").exists()


def test_waiting_for_another_run_can_be_called_off(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    cache = Cache(tmp_path)
    timer = threading.Timer(0.3, cache.stop)
    timer.start()
    with pytest.raises(Stopped):
        cache.make("builds", "a", fill)
    timer.join()
    assert holder.poll() is None
    assert (tmp_path / "builds" / "a.making" / "half").exists()
