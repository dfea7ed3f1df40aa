"""The one image the runner itself needs: Redis and a process that sleeps, made from the configured base."""

from __future__ import annotations

import hashlib
import shutil
from importlib import resources
from pathlib import Path
from typing import Final

from ci.engines.docker.address import require_docker_command
from ci.engines.docker.daemon import Daemon
from ci.errors import BuildError
from ci.images.base import SNAPSHOT_VARIABLE, Watch, unwatched
from ci.images.build_commands import Commands

__all__ = ["BASE", "BUILD_BASE", "ensure_base", "helper_image", "helper_tag", "make_missing"]

BASE: Final = "interop/base:trixie"
BUILD_BASE: Final = "interop/build-base:trixie"
RECIPE: Final = Path(str(resources.files("ci").joinpath("data/helper")))


def ensure_base(
    daemon: Daemon, root: Path, *, image: str = BUILD_BASE, commands: Commands | None = None, watch: Watch = unwatched
) -> None:
    """Make the base images where they are missing (`impls/base`): pulled, or made from a Debian mirror.

    :param commands: what `make` is run with
    :raises BuildError: neither is possible here
    :raises EngineError: there is no `docker` command to make them with
    :raises Stopped: it was called off
    """
    snapshot = daemon.address.environment.get(SNAPSHOT_VARIABLE)
    target = f"{image}-{snapshot}" if snapshot else image
    if daemon.image(target) is not None:
        return
    require_docker_command(daemon.address.environment)
    goal = "base" if image == BASE else "build-base"
    if shutil.which("make", path=daemon.address.environment.get("PATH")) is None:
        raise make_missing()
    log = _log(root)
    try:
        with watch("the base image", log):
            (commands or _mine(daemon)).run(["make", "--no-print-directory", goal], log=log, folder=root / "impls/base")
    except BuildError as error:
        raise BuildError(
            "base-image",
            f"the base image {target} could not be made: {error.message}",
            why="debian:trixie-slim cannot be pulled here, and there is no Debian mirror or no root",
            hint="look at impls/base/Makefile: UPSTREAM names another image, MIRROR another mirror",
        ) from error


def helper_tag() -> str:
    """The helper image's name in the engine: by its content, so an old one is never taken for new."""
    return f"interop/helper:{hashlib.sha256(_recipe()).hexdigest()[:16]}"


def _recipe() -> bytes:
    return (RECIPE / "Dockerfile").read_bytes()


def make_missing() -> BuildError:
    """What to raise where there is no `make`."""
    return BuildError(
        "make-missing",
        "`make` could not be started",
        why="it is not installed, or not on PATH",
        hint="install it (`apt-get install make`)",
    )


def helper_image(daemon: Daemon, root: Path, *, commands: Commands | None = None, watch: Watch = unwatched) -> str:
    """The tag of the helper image, built where it is missing.

    :param commands: what builds are run with
    :raises BuildError: the base, or a package mirror, is out of reach
    :raises EngineError: there is no `docker` command to build it with
    :raises Stopped: it was called off
    """
    tag = helper_tag()
    if daemon.image(tag) is not None:
        return tag
    require_docker_command(daemon.address.environment)
    ensure_base(daemon, root, image=BASE, commands=commands, watch=watch)
    log = _log(root)
    words = ["docker", "build", "-t", tag, "--build-arg", f"BASE={BASE}", "."]
    try:
        with watch("the helper image", log):
            (commands or _mine(daemon)).run(words, log=log, folder=RECIPE)
    except BuildError as error:
        raise BuildError(
            "helper-image",
            f"the helper image {tag} could not be built: {error.message}",
            why="the Debian mirror is out of reach from inside containers",
            hint="check the network of the engine, then run the same command again",
        ) from error
    return tag


def _log(root: Path) -> Path:
    """Of whatever is made with the base; begun anew."""
    log = root / "impls/base/build.log"
    log.unlink(missing_ok=True)
    return log


def _mine(daemon: Daemon) -> Commands:
    return Commands(daemon.address.environment)
