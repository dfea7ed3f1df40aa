"""A host that refuses something is no bug of this program, and is told apart from one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ci import __main__ as program
from ci.errors import ExitCode
from ci.util.host_trouble import host_trouble


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_what_the_host_refuses_says_what_to_do(number: int) -> None:
    error = host_trouble(OSError(number, os.strerror(number), "/some/file"))
    assert error is not None
    assert error.message == f"/some/file: {os.strerror(number)}"
    assert error.why
    assert error.hint
    assert error.exit_code is ExitCode.ENGINE


@pytest.mark.parametrize("number", [errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP])
def test_a_path_that_cannot_be_is_bad_configuration(number: int) -> None:
    error = host_trouble(OSError(number, os.strerror(number), "/some/file"))
    assert error is not None
    assert error.message == f"/some/file: {os.strerror(number)}"
    assert error.exit_code is ExitCode.CONFIGURATION


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EBADF, None])
def test_whatever_else_is_a_bug(number: int | None) -> None:
    assert host_trouble(OSError(number, "?") if number else OSError("?")) is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_shows_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fill(*_: object) -> None:
        with Path("/dev/full").open("w", encoding="utf-8") as file:
            file.write("x")

    monkeypatch.setattr("ci.commands.list_cases.Workspace.from_arguments", fill)
    assert program.main(["list"]) == ExitCode.ENGINE
    told = capsys.readouterr().out
    assert "No space left on device" in told
    assert "make room" in told
    assert "Traceback" not in told
