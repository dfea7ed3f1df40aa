"""A shell where one side of a case lives, for a person at a terminal."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from ci.engines.restrictions import Restrictions
from ci.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci.engines.docker.daemon import Daemon
    from ci.engines.docker.slot import ContainerSlot
    from ci.spec.attempt import Participant

__all__ = ["NO_SHELL", "open_shell", "shell_command"]

# What `docker` exits with when the program it was asked for is not in the image, or cannot be run.
NO_SHELL = (126, 127)


def open_shell(slot: ContainerSlot, participant: Participant, *, capabilities: tuple[str, ...] = ()) -> int:
    """Give the terminal to a shell on this participant's side of the slot, and return its exit status.

    A container that has ended lets nobody in; then a new one with its files and variables, in the same network
    namespace, is the nearest thing.

    :param capabilities: that a new container is given, by name, such as `NET_ADMIN`
    :raises EngineError: the engine does not answer, or there is no `docker` program to do it
    """
    daemon, container = slot.daemon, slot.containers[participant.role]
    running = bool(daemon.call(daemon.api.inspect_container, container)["State"]["Running"])
    with nullcontext(participant.image) if running else _with_files_of(daemon, container) as image:
        command = shell_command(
            participant,
            container=container if running else None,
            image=image,
            pod=slot.pods[participant.role],
            labels=daemon.labels(role="shell"),
            capabilities=capabilities,
        )
        try:
            return subprocess.run(command, check=False, env=dict(daemon.address.environment)).returncode
        except OSError as error:
            raise EngineError(
                "no-docker-program",
                f"no shell: `docker` could not be started: {error}",
                why="the engine answers, but its command line tool is not on PATH",
                hint="install it, or use --keep and another client of the engine",
            ) from error


@contextmanager
def _with_files_of(daemon: Daemon, container: str) -> Iterator[str]:
    """An image of what a container has become, for as long as the block lasts."""
    labels = [f'LABEL {name}="{value}"' for name, value in daemon.labels(role="shell").items()]
    image = str(daemon.call(daemon.api.commit, container, changes=labels)["Id"])
    try:
        yield image
    finally:
        daemon.quietly(daemon.api.remove_image, image)


def shell_command(
    participant: Participant,
    *,
    container: str | None,
    image: str,
    pod: str,
    labels: dict[str, str],
    capabilities: tuple[str, ...] = (),
) -> list[str]:
    """The command that gives a shell: in the side's own container while it runs, else in a new one.

    :param container: the side's own, if it still runs
    :param image: of a new one
    :param pod: the container whose network namespace is the side's
    """
    if container is not None:
        return ["docker", "exec", "-it", container, "/bin/sh"]
    return [
        *("docker", "run", "--rm", "-it", "--network", f"container:{pod}"),
        *Restrictions(add=capabilities).flags(),
        *(word for name, value in labels.items() for word in ("--label", f"{name}={value}")),
        *(word for name, value in participant.environment.items() for word in ("-e", f"{name}={value}")),
        *("--entrypoint", "/bin/sh", image),
    ]
