"""Where programs read hostile files: what they can do there, and how their ends are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.sandbox import Sandboxes, open_sandbox
from ci.errors import EngineError
from ci.spec.sandbox import ProgramFailedError, ProgramLateError, Sandbox


@pytest.fixture(scope="module")
def sandbox(daemon: Daemon, helper_image: str) -> Iterator[Sandbox]:
    with open_sandbox(daemon, helper_image) as opened:
        yield opened


def said(sandbox: Sandbox, script: str, *, seconds: float = 30) -> str:
    return b"".join(sandbox.run(["sh", "-c", script], seconds=seconds)).decode().strip()


def test_a_file_is_read_and_not_changed(sandbox: Sandbox) -> None:
    path = sandbox.write("file", bytes(range(256)) * 5000)
    assert b"".join(sandbox.run(["cat", path], seconds=30)) == bytes(range(256)) * 5000
    for command in (f"echo more >> {path}", f"rm {path}", "touch /srv/another"):
        with pytest.raises(ProgramFailedError, match=r"Permission denied|cannot remove"):
            said(sandbox, command)
    # By us it can be.
    assert sandbox.write("file", b"new") == path
    assert said(sandbox, f"cat {path}") == "new"


def test_nobody_is_there_to_talk_to_and_no_right_is_left(sandbox: Sandbox) -> None:
    assert said(sandbox, "ls /sys/class/net") == "lo"
    assert said(sandbox, "id -un") == "nobody"
    status = dict(line.split(":\t") for line in said(sandbox, "cat /proc/self/status").splitlines())
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


@pytest.mark.parametrize("script", ["head -c 2M /dev/zero > /tmp/large", "head -c 2M /dev/zero > /var/tmp/large"])
def test_it_cannot_fill_the_disk(sandbox: Sandbox, script: str) -> None:
    with pytest.raises(ProgramFailedError):
        said(sandbox, script)


def test_an_end_that_is_none_of_success_is_told_with_what_was_said_last(sandbox: Sandbox) -> None:
    came: list[bytes] = []
    with pytest.raises(ProgramFailedError, match="sh ended with exit code 3: no such luck"):
        came.extend(sandbox.run(["sh", "-c", "printf torn; echo no such luck >&2; exit 3"], seconds=30))
    assert b"".join(came) == b"torn"
    with pytest.raises(ProgramFailedError, match="sh ended with exit code 4: no words"):
        said(sandbox, "exit 4")


def test_a_flood_of_complaints_is_cut(sandbox: Sandbox) -> None:
    with pytest.raises(ProgramFailedError) as caught:
        said(sandbox, "head -c 5M /dev/zero | tr '\\0' x >&2; exit 1")
    assert 100 < len(caught.value.complaint) <= 2000


def test_who_is_late_is_ended(sandbox: Sandbox) -> None:
    came: list[bytes] = []
    with pytest.raises(ProgramLateError, match=r"sh was not done after 0\.3 s"):
        came.extend(sandbox.run(["sh", "-c", "printf torn; sleep 60"], seconds=0.3))
    assert b"".join(came) == b"torn"
    with pytest.raises(ProgramFailedError, match="exit code 137"):
        said(sandbox, "trap '' TERM; sleep 60 & wait; sleep 60", seconds=0.3)
    assert "sleep 60" not in said(sandbox, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")


def test_what_is_not_read_to_its_end_is_no_trouble(sandbox: Sandbox) -> None:
    for _ in range(3):
        assert next(sandbox.run(["yes"], seconds=5)).startswith(b"y\n")
    assert said(sandbox, "echo here") == "here"


def test_nothing_of_it_stays(daemon: Daemon, helper_image: str) -> None:
    with open_sandbox(daemon, helper_image) as first:
        first.write("secret", b"of the first")
    with open_sandbox(daemon, helper_image) as second, pytest.raises(ProgramFailedError, match="No such file"):
        said(second, "cat /srv/secret")


def running(daemon: Daemon) -> set[str]:
    return {it["Id"] for it in daemon.api.containers(filters={"name": "sandbox"})}


def test_one_that_is_ready_has_not_been_used(daemon: Daemon, helper_image: str) -> None:
    before = running(daemon)
    sandboxes = Sandboxes(daemon, helper_image)
    with sandboxes.one_ready():
        for turn in range(3):
            with sandboxes.open() as first, sandboxes.open() as beside:
                for sandbox in (first, beside):
                    assert said(sandbox, "ls /srv /tmp | grep -v :") == ""
                first.write("secret", b"of the first")
                said(first, f"echo {turn} > /tmp/secret")
                assert said(first, "cat /srv/secret") == "of the first"
                assert said(beside, "ls /srv /tmp | grep -v :") == ""
    assert running(daemon) == before
    with sandboxes.open() as later:
        assert running(daemon) - before
        assert said(later, "echo here") == "here"
    assert running(daemon) == before


def test_an_engine_that_opens_none_says_so_when_it_is_asked(daemon: Daemon) -> None:
    sandboxes = Sandboxes(daemon, "interop/nobody:has-made-this")
    with sandboxes.one_ready():
        for _ in range(2):
            with pytest.raises(EngineError, match="No such image"), sandboxes.open():
                pass
