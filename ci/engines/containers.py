"""One participant of a case as a container, whatever network it is in."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, Final

import docker.errors
from docker.types import LogConfig, Ulimit

from ci.engines.absent import UNSTARTABLE, AbsentActor, report_unstartable
from ci.engines.base import RunningActor, Sink
from ci.engines.daemon import TROUBLE, Daemon
from ci.model import Role
from ci.scene import Actor

__all__ = ["DockerActor", "bounded", "create_actor"]

# How the engine's own init says that it was given a program it cannot start; it then exits with 127.
INIT_FAILED: Final = b"[FATAL tini "


def bounded(actor: Actor, *ulimits: Ulimit) -> dict[str, Any]:
    """What holds for every container of a case: no more rights than it starts with, and an end to what it may use."""
    return {
        "security_opt": ["no-new-privileges"],
        "init": True,
        "mem_limit": actor.limits.memory_bytes,
        "memswap_limit": actor.limits.memory_bytes,
        "pids_limit": actor.limits.processes,
        "ulimits": [Ulimit(name="core", soft=0, hard=0), *ulimits],
        # The runner reads the streams itself and keeps a bounded part; the engine keeps no second copy.
        "log_config": LogConfig(type="none"),
    }


def create_actor(
    daemon: Daemon,
    actor: Actor,
    sink: Sink,
    *,
    name: str,
    host_config: Any,
    labels: Mapping[str, str],
    unstartable: int = UNSTARTABLE,
) -> RunningActor:
    """Create the actor's container, not started.

    :param unstartable: the exit code to report where the image is not there or does not start
    :raises EngineError: the engine is in trouble
    """
    try:
        created = daemon.api.create_container(
            actor.image,
            name=name,
            environment=dict(actor.environment),
            host_config=host_config,
            labels=daemon.labels(role=actor.role, **labels),
        )
    except docker.errors.ImageNotFound as error:
        return AbsentActor(str(error.explanation), actor.role, sink, unstartable=unstartable)
    except TROUBLE as error:
        raise daemon.trouble(str(error)) from error
    return DockerActor(daemon, str(created["Id"]), actor.role, sink, unstartable=unstartable)


class DockerActor:
    """One side of a case as a container.

    :param unstartable: the exit code to report where the image does not start
    """

    def __init__(
        self, daemon: Daemon, container: str, role: Role, sink: Sink, *, unstartable: int = UNSTARTABLE
    ) -> None:
        self._daemon = daemon
        self._api = daemon.api
        self.container = container
        self._unstartable = unstartable
        self._role = role
        self._sink = sink
        self._output: Any = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        # Attached before it starts, so that not one byte is missed.
        self._output = self._daemon.call(
            self._api.attach, self.container, stdout=True, stderr=True, stream=True, logs=False, demux=True
        )
        try:
            self._api.start(self.container)
        except TROUBLE as error:
            if isinstance(error, docker.errors.APIError) and error.is_client_error():
                # The image, not the engine: no such program, wrong architecture (contract, T20).
                report_unstartable(self._sink, self._role, str(error.explanation), exit_code=self._unstartable)
                return
            raise self._daemon.trouble(str(error)) from error
        self._reader = threading.Thread(target=self._read, name=f"read-{self._role}", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        """Report all there is to report: whoever waits for the end must not wait in vain, whatever comes up."""
        try:
            self._report()
        except TROUBLE as error:
            self._sink.lost(self._role, str(error))
        except Exception as error:
            self._sink.lost(self._role, f"its reader failed: {error!r}", error)

    def _report(self) -> None:
        first = b""
        for stdout, stderr in self._output:
            first = first or stderr or b""
            if stdout:
                self._sink.output(self._role, "stdout", stdout)
            if stderr:
                self._sink.output(self._role, "stderr", stderr)
        # The stream may end before the program does, if that closes its output.
        exit_code = self._api.wait(self.container, timeout=None)["StatusCode"]
        state = self._api.inspect_container(self.container)["State"]
        if state["Status"] in ("removing", "dead"):
            # Killed by whoever removes it: that signal says nothing about the program.
            self._sink.lost(self._role, "somebody else removed its container")
            return
        if exit_code == UNSTARTABLE and first.startswith(INIT_FAILED):
            exit_code = self._unstartable
        self._sink.ended(self._role, exit_code, out_of_memory=bool(state.get("OOMKilled")))

    def stop(self, grace: float) -> None:
        if self._reader is None:
            return
        if self._reader.is_alive():
            self._daemon.quietly(self._api.kill, self.container, "SIGTERM")
            self._reader.join(grace)
        if self._reader.is_alive():
            self._daemon.quietly(self._api.kill, self.container, "SIGKILL")
            self._reader.join(10)

    def remove(self) -> None:
        self._daemon.remove(self.container)
        if self._reader is not None:
            self._reader.join(10)
        if self._output is not None:
            # The SDK leaves the hijacked connection open, and what it offers to close it closes but half of it.
            self._daemon.quietly(self._output._response.close)  # noqa: SLF001
