"""`check-image` on real containers: a peer that keeps the contract, and the same one with faults put in."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ci.conformance.base import Status
from ci.conformance.check_image import check
from ci.conformance.report import render
from ci.engines.docker.engine import DockerSlot
from ci.errors import ConfigurationError, EngineError
from ci.model import Contract
from ci.suites.transport.words import Stack

if TYPE_CHECKING:
    from ci.conformance.base import Report
    from ci.engines.base import Engine, Slot
    from ci.engines.docker.daemon import Daemon

# What is played here are images.
pytestmark = pytest.mark.parametrize("engine_name", ["docker"], indirect=True, scope="session")

TCP = Stack("tcp", "noise", "yamux")
PEER = Path(__file__).parent / "model_peer.sh"


@pytest.fixture(scope="module")
def build(daemon: Daemon) -> Iterator[Callable[..., str]]:
    """Builds an image from a Dockerfile's text; all of them are gone at the end."""
    with ExitStack() as stack:

        def from_text(dockerfile: str, *files: Path) -> str:
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                content = {"Dockerfile": dockerfile.encode()} | {file.name: file.read_bytes() for file in files}
                for name, data in content.items():
                    entry = tarfile.TarInfo(name)
                    entry.size, entry.mode = len(data), 0o755
                    tar.addfile(entry, io.BytesIO(data))
            archive.seek(0)
            lines = daemon.api.build(fileobj=archive, custom_context=True, rm=True, decode=True)
            said: list[dict[str, Any]] = list(lines)
            identity = next((line["aux"]["ID"] for line in reversed(said) if "aux" in line), None)
            assert identity is not None, said[-1]
            stack.callback(daemon.quietly, daemon.api.remove_image, identity, force=False)
            return str(identity)

        yield from_text


@pytest.fixture(scope="module")
def model(build: Callable[..., str], helper_image: str) -> Callable[..., str]:
    def with_faults(*faults: str, user: str = "1000", entrypoint: str = '["/model_peer.sh"]') -> str:
        return build(
            f'FROM {helper_image}\nCOPY model_peer.sh /\nENV FAULTS="{" ".join(faults)}"\n'
            f"USER {user}\nENTRYPOINT {entrypoint}\n",
            PEER,
        )

    return with_faults


def failed(report: Report) -> set[str]:
    return {result.code for result in report.results if result.status is Status.FAILED}


def test_an_image_that_keeps_the_contract_passes_everything(
    daemon: Daemon, slot: Slot, model: Callable[..., str]
) -> None:
    report = check(daemon, slot, model(), stacks=[TCP], required=True, contracts=list(Contract), timeout=5)

    assert {result.status for result in report.results} == {Status.PASSED}, render(report)
    assert {result.contract for result in report.results} == {None, *Contract}
    assert report.passed


@pytest.mark.parametrize(
    ("faults", "found"),
    [
        pytest.param(
            ("chatty", "anonymous", "two-results", "lingering", "unproven", "deaf"),
            {"clean-stdout", "one-address", "one-result", "leaves-promptly", "reports-stack", "stops-on-sigterm"},
            id="manners",
        ),
        pytest.param(
            ("mute", "leaves-with-0", "single-use"),
            {
                *("unknown-transport", "unknown-secure-channel", "unknown-muxer", "missing-transport"),
                *("listener-times-out", "dialer-times-out", "missing-redis", "keeps-serving"),
            },
            id="endings",
        ),
    ],
)
def test_each_fault_is_found_and_nothing_else(
    daemon: Daemon, slot: Slot, model: Callable[..., str], faults: tuple[str, ...], found: set[str]
) -> None:
    report = check(daemon, slot, model(*faults), stacks=[TCP], contracts=[Contract.CLASSIC], timeout=5)

    assert failed(report) == found, render(report)
    assert not report.passed


def test_a_dialer_that_does_not_wait_for_its_address_is_found(
    daemon: Daemon, slot: Slot, model: Callable[..., str]
) -> None:
    report = check(daemon, slot, model("hasty"), stacks=[TCP], contracts=[Contract.UNIFIED], timeout=5)

    assert "dialer-times-out" in failed(report), render(report)


def test_a_peer_listens_where_the_image_only_dials(daemon: Daemon, slot: Slot, model: Callable[..., str]) -> None:
    browser = model("dial-only")
    report = check(daemon, slot, browser, stacks=[TCP], contracts=[Contract.CLASSIC], peer=model(), timeout=5)
    by_code = {result.code: result.status for result in report.results}

    assert report.passed, render(report)
    assert by_code["pings-itself"] is Status.PASSED
    assert by_code["keeps-serving"] is Status.SKIPPED


def test_a_peer_that_does_not_listen_is_no_fault_of_the_image(
    daemon: Daemon, slot: Slot, model: Callable[..., str]
) -> None:
    browser = model("dial-only")
    report = check(daemon, slot, browser, stacks=[TCP], contracts=[Contract.CLASSIC], peer=browser, timeout=5)

    assert failed(report) == set(), render(report)
    assert "accepted as dialer only" in render(report)


def test_how_the_image_is_made_is_looked_at(daemon: Daemon, slot: Slot, model: Callable[..., str]) -> None:
    image = model(user="root", entrypoint="/model_peer.sh")
    report = check(daemon, slot, image, stacks=[Stack("quic")], contracts=[Contract.CLASSIC], timeout=5)

    assert {"not-root", "exec-form-entrypoint"} <= failed(report), render(report)


def test_an_image_that_takes_no_stack_fails_and_says_what_the_roles_said(
    daemon: Daemon, slot: Slot, model: Callable[..., str]
) -> None:
    report = check(daemon, slot, model(), stacks=[Stack("quic-v1")], timeout=5)

    assert "accepts-stacks" in failed(report)
    assert "cannot do quic-v1" in render(report)


def test_an_image_that_is_not_there_is_the_user_s_mistake(daemon: Daemon, slot: Slot) -> None:
    with pytest.raises(ConfigurationError, match="no image interop-matrix/no-such-image"):
        check(daemon, slot, "interop-matrix/no-such-image")


def test_a_redis_that_goes_away_is_the_engine_s_trouble_not_the_image_s(
    daemon: Daemon, engine: Engine, model: Callable[..., str]
) -> None:
    said: list[str] = []

    def tell(what: str) -> None:
        if not said:
            assert isinstance(slot, DockerSlot)
            daemon.remove(slot.redis)
        said.append(what)

    with engine.slot(7) as slot, pytest.raises(EngineError, match="Redis"):
        check(daemon, slot, model(), stacks=[TCP], timeout=5, tell=tell)
    assert len(said) == 1
