"""Whatever a command is told to read: a file is read, and anything else is refused at once and in words."""

from __future__ import annotations

import io
import os
import shutil
import socket
from pathlib import Path

import pytest
from runs import attempt, start, write_shard

from ci.__main__ import main
from ci.results.shard_file import RESULTS_FILE
from ci.suites.transport.words import Stack
from ci.util.atomic import write_atomically
from ci.util.given_files import open_given, read_given

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def things(tmp_path: Path) -> dict[str, Path]:
    """What may stand where a file is expected."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    with (tmp_path / "huge").open("wb") as huge:
        huge.truncate(1 << 41)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    return {name: tmp_path / name for name in ("pipe", "link", "folder", "huge", "socket", "missing")} | {
        "device": Path("/dev/zero")
    }


THINGS = ["pipe", "link", "folder", "huge", "socket", "missing", "device"]


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_file_is_refused(things: dict[str, Path], thing: str) -> None:
    with pytest.raises(OSError, match=r"a pipe|a folder|a device|larger than|No such") as caught:
        read_given(things[thing])
    assert caught.value.strerror


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    assert read_given(tmp_path / "link", most_bytes=7) == b"content"
    with pytest.raises(OSError, match="larger than 0 MiB"):
        read_given(tmp_path / "link", most_bytes=6)
    with open_given(tmp_path / "file") as file:
        assert isinstance(file, io.BufferedReader)


COMMANDS = [
    "list --versions {}",
    "list --extra-versions {}",
    "run-shard 1/1 --versions {}",
    "update-readme {}",
    "update-readme --readme {} {merged}",
    "export-results {} --suite quic --format quic-interop-runner",
    "merge-results {shard} --results {results} --no-worse-than {}",
    "merge-results {}",
    "init zig --versions {}",
    "interop --engine local --readme {}",
]


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_waits_or_breaks(
    things: dict[str, Path],
    command: str,
    thing: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)
    folders = {"results": tmp_path / "results", "shard": tmp_path / "shard", "merged": tmp_path / "merged.json"}
    write_shard(folders["shard"], [attempt(Stack("quic-v1").case("py-v0.8", "py-v0.8"))], begin=start())
    words = [word.format(things[thing], **folders) for word in command.split()]
    assert main(words) == 2
    told = capsys.readouterr().out
    assert told.startswith("error: ")
    assert "Traceback" not in told


@pytest.mark.parametrize("name", [RESULTS_FILE, "plan.json"])
def test_a_strangers_shard_makes_nobody_wait(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    folder = write_shard(tmp_path / "shard", [attempt(Stack("quic-v1").case("a-v1", "b-v1"))], begin=start())
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert main(["merge-results", str(folder), "--results", str(tmp_path)]) == 2
    assert "Traceback" not in capsys.readouterr().out


@pytest.mark.parametrize("thing", ["pipe", "link", "folder", "device"])
def test_what_is_no_file_is_not_replaced(things: dict[str, Path], thing: str, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    target = Path("/dev/null") if thing == "device" else things[thing]
    with pytest.raises(OSError, match="something else than a file"):
        write_atomically(target, b"content")
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert not target.is_file()


@pytest.mark.parametrize("link", ["impls/zig", "impls/zig/v1", "impls/zig/v1/Makefile"])
def test_nothing_is_built_that_a_link_leads_to_outside(
    link: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkout, outside = tmp_path / "checkout", tmp_path / "outside"
    (outside / "impls/zig/v1").mkdir(parents=True)
    (outside / "impls/zig/v1/Makefile").write_text("all:\n\ttouch hostile\n")
    shutil.copytree(outside, checkout)
    if (checkout / link).is_dir():
        shutil.rmtree(checkout / link)
    else:
        (checkout / link).unlink()
    (checkout / link).symlink_to(outside / link)
    (checkout / "versions.yaml").write_text(
        "schema: 1\nversions:\n  - {id: zig-v1, family: zig, build: impls/zig/v1, transports: [quic-v1]}\n"
    )
    assert main(["list", "--versions", str(checkout / "versions.yaml")]) == 2
    told = capsys.readouterr().out
    assert "`impls/zig/v1` must be a folder inside the checkout" in told
    assert "links out of it" in told
