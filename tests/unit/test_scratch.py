from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from ci.engines.local.scratch import scratch_folder, sweep_folders
from ci.errors import EngineError

ROOT = Path(__file__).parents[2]

# Makes a folder with something in it, says where, and is killed.
KILLED = """
import os, signal, sys
from pathlib import Path
from ci.engines.local.scratch import scratch_folder
with scratch_folder("killed", Path(sys.argv[1])) as folder:
    (folder / "sub").mkdir()
    (folder / "sub" / "file").write_text("content")
    (folder / "sub").chmod(0)
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_run(parent: Path) -> Path:
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(parent)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return Path(done.stdout.strip())


def test_a_folder_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder("run-0", tmp_path) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("content")
        (folder / "locked").mkdir()
        (folder / "locked" / "file").write_text("content")
        (folder / "locked").chmod(0)

    assert list(tmp_path.iterdir()) == []


def test_what_a_link_leads_to_is_left_as_it_is(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("content")
    outside.chmod(0o750)

    with scratch_folder("run", tmp_path) as folder:
        (folder / "link").symlink_to(outside)
        (folder / "locked").mkdir()
        (folder / "locked" / "file").write_text("content")
        (folder / "locked").chmod(0)

    assert list(tmp_path.iterdir()) == [outside]
    assert (outside / "file").read_text() == "content"
    assert outside.stat().st_mode & 0o777 == 0o750


def test_two_folders_of_one_name_are_two(tmp_path: Path) -> None:
    with scratch_folder("run", tmp_path) as one, scratch_folder("run", tmp_path) as other:
        assert one != other


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    folder = killed_run(tmp_path)
    assert folder.is_dir()

    assert sweep_folders(tmp_path) == 1

    assert list(tmp_path.iterdir()) == []


def test_what_a_living_run_holds_is_not_swept(tmp_path: Path) -> None:
    with scratch_folder("living", tmp_path) as folder:
        (folder / "file").write_text("content")

        assert sweep_folders(tmp_path) == 0

        assert (folder / "file").read_text() == "content"


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    elsewhere = killed_run(tmp_path)
    kept = tmp_path / "kept"
    elsewhere.rename(kept)
    (tmp_path / "interop-local-link").symlink_to(kept)
    (tmp_path / "interop-local-file").write_text("content")

    assert sweep_folders(tmp_path) == 0

    kept.joinpath("sub").chmod(0o700)
    assert (kept / "sub" / "file").read_text() == "content"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_folders_of_other_users_are_not_swept(tmp_path: Path) -> None:
    folder = killed_run(tmp_path)
    os.chown(folder, 65534, 65534)

    assert sweep_folders(tmp_path) == 0

    assert folder.is_dir()


def test_no_place_for_a_folder_is_an_engine_error(tmp_path: Path) -> None:
    with ExitStack() as stack, pytest.raises(EngineError) as caught:
        stack.enter_context(scratch_folder("run", tmp_path / "missing"))

    assert caught.value.reference == "scratch-folder"
    assert str(tmp_path / "missing") in str(caught.value)
