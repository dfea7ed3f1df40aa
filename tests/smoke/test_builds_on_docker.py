"""Builds as their users meet them: what is told meanwhile, and what is left when they are called off.

`python -m ci …` in a checkout whose one version is built by a Makefile of the test's own.
"""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from checkouts import ROOT, Checkout, make_checkout
from processes import command_lines
from waiting import eventually

from ci.engines.docker.daemon import Daemon
from ci.errors import ExitCode

pytestmark = pytest.mark.parametrize("engine_name", ["docker"], indirect=True, scope="session")

NOWHERE = "127.0.0.1:9/nobody/nothing:v1"  # a closed port: refused at once
# Says where it is as Docker does, then waits until it may end; never longer than a test may take.
MAKEFILE = """\
all:
	@echo 'Step 2/7 : RUN waiting'
	@for n in `seq 600`; do test -e ../../../end && break; sleep 0.1; done; test -e ../../../end
	@printf '{"imageID": "%s"}' "$$(cat ../../../end)" >image.json
"""

# Makes the terminal it was given that of its session, as a login does.
IN_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from ci.__main__ import program
sys.exit(program())
"""


@pytest.fixture
def checkout(tmp_path: Path, daemon: Daemon, peer_image: Any, build_base: str) -> Iterator[Checkout]:
    """Version `a` is built, `b` cannot be pulled."""
    assert build_base
    it = make_checkout(tmp_path, {"a-v1": NOWHERE, "b-v1": NOWHERE}, peer_image)
    versions = tmp_path / "versions.yaml"
    versions.write_text(versions.read_text().replace(f"image: '{NOWHERE}'", "build: impls/a/v1", 1))
    folder = tmp_path / "impls/a/v1"
    folder.mkdir(parents=True)
    # By a content of its own, so that no other test's image is found for it.
    (folder / "Makefile").write_text(f"# {tmp_path}\n{MAKEFILE}")
    (tmp_path / ".gitignore").write_text("*image.json\nbuild.log\n")
    yield it
    for image in daemon.api.images("interop/a-v1"):
        for tag in image["RepoTags"]:
            if tag.startswith("interop/a-v1:"):
                daemon.api.remove_image(tag)
    assert eventually(lambda: not any(str(tmp_path) in line for line in command_lines()))


@contextmanager
def started(checkout: Checkout, *words: str) -> Iterator[subprocess.Popen[str]]:
    """The command, with the build under way."""
    with checkout.start(*words) as process:
        try:
            assert process.stdout is not None
            until(process.stdout, "building a-v1")
            yield process
        finally:
            process.kill()


def until(lines: Iterable[str], words: str) -> list[str]:
    seen = []
    for line in lines:
        seen.append(line)
        if words in line:
            return seen
    raise AssertionError("".join(seen))


def test_pulls_are_told_while_a_build_still_runs(checkout: Checkout, peer_image: Callable[[str], str]) -> None:
    with checkout.start("build-images") as process:
        assert process.stdout is not None
        seen = until(process.stdout, "cannot be pulled")
        if not any(line.startswith("building a-v1") for line in seen):
            seen += until(process.stdout, "building a-v1")
        assert "building a-v1, log: impls/a/v1/build.log\n" in seen

        (checkout.folder / "begun").write_text(peer_image("good"))
        (checkout.folder / "begun").rename(checkout.folder / "end")
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == ExitCode.GREEN, rest
        assert "2 images: 1 built, 1 unavailable" in rest


def waiting(checkout: Checkout) -> bool:
    """Whether `make` has begun."""
    log = checkout.folder / "impls/a/v1/build.log"
    return log.exists() and "Step 2/7" in log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [("build-images",), ("interop",), ("repro", "a-v1 x a-v1 (tcp, noise, yamux)")])
def test_a_build_that_is_called_off_says_one_line_and_leaves_nothing(
    checkout: Checkout, words: tuple[str, ...], number: signal.Signals
) -> None:
    with started(checkout, *words) as process:
        assert eventually(lambda: waiting(checkout))
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)

    said = [line for line in rest.splitlines() if "b-v1" not in line and NOWHERE not in line]
    assert process.returncode == ExitCode.INTERRUPTED, rest
    assert said[0] == f"warning: {number.name}: stopping and cleaning up; Ctrl-C once more ends at once"
    # `interop` adds what it has come to, and how to go on; the three cases with b-v1 may be has_result by then, or not.
    more = ["interrupted after N of 4 cases", "to go on"] if words[0] == "interop" else []
    assert [re.sub("after [03] of", "after N of", line.partition(":")[0]) for line in said[1:]] == more
    assert not (checkout.folder / "impls/a/v1/image.json").exists()


def test_a_terminal_that_is_closed_ends_a_build_and_all_it_started(checkout: Checkout) -> None:
    """Everything that is said after that fails: nobody is there to read it."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", IN_TERMINAL, "build-images"],
        cwd=checkout.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        assert eventually(lambda: waiting(checkout))
        os.close(ours)  # the kernel sends SIGHUP
        assert process.wait(timeout=60) == ExitCode.INTERRUPTED


def test_a_killed_build_takes_what_it_started_with_it(checkout: Checkout) -> None:
    with started(checkout, "build-images") as process:
        process.kill()
    # The fixture sees to it that nothing runs on.
