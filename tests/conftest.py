"""What the tests share: the engines under test, fake peers for them, and a watch for what is left behind.

Tests that need Docker say so by using `daemon` or something made from it; they are marked `docker` and run last.
Where no engine answers they are skipped with that reason, or fail under `--require-docker`.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import hypothesis
import pytest
from fake_peers import ENDPOINT, DockerPeers, LocalPeers, PeerImage, Play
from quic_traffic import Captured
from redis_servers import RedisServer, redis_process, redis_program
from simulator_lab import Lab, build
from throwaways import Throwaways

from ci.engines.docker import sandbox
from ci.engines.docker.daemon import LABEL, Daemon, EngineClient, connect
from ci.engines.docker.engine import DockerEngine
from ci.engines.docker.helper_image import BASE
from ci.engines.docker.helper_image import helper_image as make_helper_image
from ci.engines.local.engine import LocalEngine
from ci.errors import EngineError
from ci.spec.sandbox import OpenSandbox
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.engines.base import Engine, Slot

# How long an example takes says how busy the host is, and nothing of the code.
hypothesis.settings.register_profile("interop", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("interop")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-docker",
        action="store_true",
        help="a test that needs Docker fails, not skips, where it is missing; so does $INTEROP_REQUIRE_DOCKER",
    )


def pytest_configure() -> None:
    """What tests start takes notice of signals, although `nohup` or a shell's `&` may have told us to ignore them."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            # Handled, which is not inherited.
            signal.signal(number, lambda *_: None)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the daemon needs Docker: mark it, so that `-m "not docker"` can be relied on, and run it last."""
    for item in items:
        if "daemon" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)
    items.sort(key=lambda item: item.get_closest_marker("docker") is not None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests were skipped, once per reason: without Docker they are hundreds, all for the same one."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", ()):
        # A file, a line and the words; those of an error go on with what to do.
        words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reasons[words.removeprefix("Skipped: ").splitlines()[0]] += 1
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{counted(count, 'test')} skipped: {reason}")


# --- Docker -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def docker_client(request: pytest.FixtureRequest) -> Iterator[EngineClient]:
    """A client of the engine `docker` itself would use; skips where none answers."""
    try:
        client = connect()
    except EngineError as error:
        _unavailable(request, str(error))
    yield client
    client.close()


@pytest.fixture(scope="session")
def daemon(docker_client: EngineClient) -> Iterator[Daemon]:
    """The daemon as this test run uses it. When everything is over, nothing of this run may be left on it."""
    daemon = Daemon(docker_client, run="tests")
    yield daemon
    assert leftovers(daemon) == set()


@pytest.fixture(scope="session")
def helper_image(request: pytest.FixtureRequest, daemon: Daemon) -> str:
    """The runner's own helper image. It stays: it is named by its content, and making it takes a package mirror."""
    if not _has_image(daemon, BASE):
        _unavailable(request, f"there is no {BASE} to make the helper image from: run `make base`")
    return make_helper_image(daemon, Path(__file__).parents[1])


@pytest.fixture(scope="session")
def open_sandbox(daemon: Daemon, helper_image: str) -> Iterator[OpenSandbox]:
    """One sandbox for all that trust each other's files: those of the tests do."""
    with sandbox.open_sandbox(daemon, helper_image) as opened:
        yield lambda: nullcontext(opened)


@pytest.fixture(scope="session")
def captured(open_sandbox: OpenSandbox) -> Captured:
    return Captured(open_sandbox)


@pytest.fixture(scope="session")
def build_base(request: pytest.FixtureRequest, daemon: Daemon) -> str:
    """The image that build stages begin with."""
    name = "interop/build-base:trixie"
    if not _has_image(daemon, name):
        _unavailable(request, f"there is no {name}: run `make base`")
    return name


@pytest.fixture(autouse=True)
def _nothing_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test makes on the daemon is gone when the test is; what sessions share was there before it."""
    if request.node.get_closest_marker("docker") is None:
        yield
        return
    daemon: Daemon = request.getfixturevalue("daemon")
    before = leftovers(daemon)
    yield
    assert leftovers(daemon) - before == set()


def leftovers(daemon: Daemon) -> set[str]:
    """Names of the containers, networks and volumes that bear this process's label."""
    mine = {"label": f"{LABEL}.pid={os.getpid()}"}
    api = daemon.api
    return {
        *(name for it in api.containers(all=True, filters=mine) for name in it["Names"]),
        *(it["Name"] for it in api.networks(filters=mine)),
        *(it["Name"] for it in api.volumes(filters=mine)["Volumes"] or ()),
    }


def _has_image(daemon: Daemon, reference: str) -> bool:
    return bool(daemon.api.images(reference, quiet=True))


def _unavailable(request: pytest.FixtureRequest, why: str) -> NoReturn:
    if request.config.getoption("--require-docker") or os.environ.get("INTEROP_REQUIRE_DOCKER"):
        pytest.fail(f"Docker is required: {why}", pytrace=False)
    pytest.skip(why)


# --- the engine under test --------------------------------------------------------------------------------


@pytest.fixture(scope="session", params=["local", pytest.param("docker", marks=pytest.mark.docker)])
def engine_name(request: pytest.FixtureRequest) -> str:
    """Contract tests run once per engine; another one joins here and in the three fixtures below."""
    return str(request.param)


@pytest.fixture(scope="session")
def local_peers() -> LocalPeers:
    return LocalPeers(tools=redis_program().parent)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest, engine_name: str) -> Engine:
    if engine_name == "local":
        programs = request.getfixturevalue("local_peers").program
        return LocalEngine(programs, redis_server=str(redis_program()), run="tests")
    return DockerEngine(request.getfixturevalue("daemon"), helper=request.getfixturevalue("helper_image"))


@pytest.fixture(scope="session")
def peer_image(request: pytest.FixtureRequest, engine_name: str) -> Iterator[PeerImage]:
    """`peer_image("stays")`: what the engine runs as a fake peer of that behaviour."""
    if engine_name == "local":
        yield request.getfixturevalue("local_peers")
        return
    peers = DockerPeers(request.getfixturevalue("daemon"), helper=request.getfixturevalue("helper_image"))
    yield peers
    peers.close()


@pytest.fixture(scope="session")
def endpoints(daemon: Daemon, helper_image: str) -> Iterator[DockerPeers]:
    """`endpoints("stays")`: an image that behaves so over a simulated network, in whatever role."""
    peers = DockerPeers(daemon, helper=helper_image, script=ENDPOINT, user=0)
    yield peers
    peers.close()


@pytest.fixture(scope="session")
def slot(engine: Engine) -> Iterator[Slot]:
    """A slot that tests share. A test that breaks its slot takes one of its own from `engine`."""
    with engine.slot(0) as slot:
        yield slot


@pytest.fixture
def play(slot: Slot, peer_image: PeerImage) -> Play:
    """`play("stays", "good")` plays one case on the shared slot and judges it."""
    return Play(slot, peer_image)


# --- the network simulator ------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def simulator_image(build_base: str) -> str:
    """The simulator of this checkout, built where its sources have changed."""
    assert build_base
    return build("simulator")


@pytest.fixture(scope="session")
def lab(daemon: Daemon, simulator_image: str) -> Iterator[Lab]:
    """A client's and a server's place with the simulator between them; scenarios follow each other on it."""
    with Lab(daemon, simulator_image) as lab:
        yield lab


# --- Redis ------------------------------------------------------------------------------------------------


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A real Redis of the test's own."""
    with redis_process(tmp_path) as server:
        yield server


@pytest.fixture
def throwaways(daemon: Daemon) -> Iterator[Throwaways]:
    with closing(Throwaways(daemon)) as it:
        yield it
