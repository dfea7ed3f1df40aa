"""docs/adding-an-implementation.md, followed to the letter: `init`, write two functions, `make`, `check-image`.

The document's own example has a real library; installing that takes minutes, so the two functions here speak plain
TCP with each other. All else is the same: the same skeleton, the same commands, every check of `check-image`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ci.__main__ import main
from ci.commands.check_image import image_named
from ci.conformance.base import Status
from ci.conformance.check_image import check
from ci.conformance.report import render
from ci.model import Contract
from ci.suites.transport.words import Stack

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.engines.docker.daemon import Daemon

# Images are what this is about, so it is played on the engine that has them.
pytestmark = pytest.mark.parametrize("engine_name", ["docker"], indirect=True, scope="session")

CHECKOUT = Path(__file__).parents[2]
STACK = Stack("tcp", "noise", "yamux")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What `init` and `make` need of a checkout, with one family in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "impls").mkdir()
    shutil.copy(CHECKOUT / "impls" / "image.mk", tmp_path / "impls")
    row = "  - id: other-v1\n    family: other\n    image: example.org/other:1\n    transports: [quic-v1]\n"
    (tmp_path / "versions.yaml").write_text(f"schema: 1\nversions:\n{row}", encoding="utf-8")
    return tmp_path


@pytest.fixture
def make(daemon: Daemon, build_base: str) -> Iterator[Callable[[Path], str]]:
    """`make(folder)` builds a version as a person would; the image's id."""
    with ExitStack() as stack:

        def run(folder: Path) -> str:
            done = subprocess.run(
                ["make", "--no-print-directory", f"BUILD_BASE={build_base}"],
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            image = image_named(str(folder / "image.json"))
            # The layers stay, as after any `make`: they are what makes the next one quick.
            stack.callback(daemon.quietly, daemon.api.remove_image, image, noprune=True)
            return image

        yield run


def test_two_functions_after_init_an_image_keeps_the_contract(
    daemon: Daemon, slot: Slot, checkout: Path, make: Callable[[Path], str]
) -> None:
    assert main(["init", "toy", "--write"]) == 0
    version = checkout / "impls" / "toy" / "v1.0"

    report = check(daemon, slot, make(version), stacks=[STACK], contracts=list(Contract))
    found = {result.code: result.status for result in report.results}
    assert found["accepts-stacks"] is Status.FAILED
    assert found["refuses-clearly"] is Status.PASSED
    assert "listen() is not written yet" in render(report)
    assert "dial() is not written yet" in render(report)

    shutil.copyfile(CHECKOUT / "tests/data/init/tcp_ping.py", checkout / "impls/toy/ping.py")
    report = check(daemon, slot, make(version), stacks=[STACK], required=True, contracts=list(Contract))
    assert {result.status for result in report.results} == {Status.PASSED}, render(report)
