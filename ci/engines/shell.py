"""A shell where one side of a case lives, for a person at a terminal."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from ci.errors import EngineError

if TYPE_CHECKING:
    from ci.engines.daemon import Daemon
    from ci.engines.docker import DockerSlot
    from ci.scene import Actor

__all__ = ["NO_SHELL", "open_shell", "shell_command"]

# What `docker` exits with when the program it was asked for is not in the image, or cannot be run.
NO_SHELL = (126, 127)


def open_shell(daemon: Daemon, slot: DockerSlot, actor: Actor) -> int:
    """Give the terminal to a shell on this actor's side of the slot, and return its exit status.

    :raises EngineError: the engine does not answer, or there is no `docker` program to do it
    """
    container = slot.containers[actor.role]
    running = bool(daemon.call(daemon.api.inspect_container, container)["State"]["Running"])
    command = shell_command(
        actor,
        container=container if running else None,
        pod=slot.pods[actor.role],
        labels=daemon.labels(role="shell"),
    )
    try:
        return subprocess.run(command, check=False).returncode
    except OSError as error:
        raise EngineError(
            "no-docker-program",
            f"no shell: `docker` could not be started: {error}",
            why="the engine answers, but its command line tool is not on PATH",
            hint="install it, or use --keep and another client of the engine",
        ) from error


def shell_command(actor: Actor, *, container: str | None, pod: str, labels: dict[str, str]) -> list[str]:
    """The command that gives a shell: in the side's own container while it runs.

    A container that has ended lets nobody in; then a new one of the same image, with the same variables and in the
    same network namespace, is the nearest thing.

    :param container: the side's own, if it still runs
    :param pod: the container whose network namespace is the side's
    """
    if container is not None:
        return ["docker", "exec", "-it", container, "/bin/sh"]
    return [
        *("docker", "run", "--rm", "-it", "--network", f"container:{pod}"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--init"),
        *(word for name, value in labels.items() for word in ("--label", f"{name}={value}")),
        *(word for name, value in actor.environment.items() for word in ("-e", f"{name}={value}")),
        *("--entrypoint", "/bin/sh", actor.image),
    ]
