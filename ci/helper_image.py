"""The one image the runner itself needs: Redis and a process that sleeps, made from the configured base."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from ci import guarded
from ci.engines.daemon import Daemon
from ci.engines.docker_address import require_docker_command
from ci.errors import BuildError

__all__ = ["BASE", "BUILD_BASE", "ensure_base", "helper_image", "helper_tag", "make_missing"]

BASE: Final = "interop/base:trixie"
BUILD_BASE: Final = "interop/build-base:trixie"
RECIPE: Final = Path(__file__).parent / "data" / "helper"


def ensure_base(daemon: Daemon, root: Path, *, target: str = BUILD_BASE) -> None:
    """Make the base images where they are missing (`impls/base`): pulled, or made from a Debian mirror.

    :raises BuildError: neither is possible here
    :raises EngineError: there is no `docker` command to make them with
    """
    if daemon.image(target) is not None:
        return
    require_docker_command(daemon.address.environment)
    goal = "base" if target == BASE else "build-base"
    command = ["make", "--no-print-directory", "-C", str(root / "impls/base"), goal]
    code, said = guarded.run(command, environment=daemon.address.environment)
    if code == guarded.NOT_STARTED:
        raise make_missing()
    if code != 0:
        tail = "\n".join(said.strip().splitlines()[-10:])
        raise BuildError(
            "base-image",
            f"the base image {target} could not be made:\n{tail}",
            why="debian:trixie-slim cannot be pulled here, and there is no Debian mirror or no root",
            hint="look at impls/base/Makefile: UPSTREAM names another image, MIRROR another mirror",
        )


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


def helper_image(daemon: Daemon, root: Path) -> str:
    """The tag of the helper image, built where it is missing.

    :raises BuildError: the base, or a package mirror, is out of reach
    :raises EngineError: there is no `docker` command to build it with
    """
    tag = helper_tag()
    if daemon.image(tag) is not None:
        return tag
    require_docker_command(daemon.address.environment)
    ensure_base(daemon, root, target=BASE)
    command = ["docker", "build", "-q", "-t", tag, "--build-arg", f"BASE={BASE}", str(RECIPE)]
    code, said = guarded.run(command, environment=daemon.address.environment)
    if code != 0:
        tail = "\n".join(said.strip().splitlines()[-10:])
        raise BuildError(
            "helper-image",
            f"the helper image {tag} could not be built:\n{tail}",
            why="the Debian mirror is out of reach from inside containers",
            hint="check the network of the engine, then run the same command again",
        )
    return tag
