"""One participant of a case as a container, whatever network it is in."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import docker.errors
from docker.types import LogConfig

from ci.engines.absent import UNSTARTABLE, AbsentParticipant, report_unstartable
from ci.engines.base import KILLED_FOR_MEMORY, RunningParticipant, Sink
from ci.engines.disk_watch import DiskWatch
from ci.engines.docker.daemon import TROUBLE, Daemon
from ci.engines.docker.files import take_folder
from ci.engines.kernel import out_of_memory_kills
from ci.engines.restrictions import Restrictions
from ci.errors import EngineError
from ci.model import Role
from ci.spec.attempt import Limits, Participant

__all__ = ["CPU_SHARES", "UNSTARTABLE", "DockerParticipant", "Pod", "create_participant"]

# How the engine's own init says that it was given a program it cannot start; it then exits with 127.
INIT_FAILED: Final = b"[FATAL tini "
KILLED: Final = 128 + 9
# Weight where processors are short. A build's container has 1024: what is built meanwhile gives way to what is timed.
CPU_SHARES: Final = 8192
# What the engine answers with where something is not there that should be, or has a name that is taken.
NOT_THERE: Final = 404
CONFLICT: Final = 409


@dataclass(frozen=True, kw_only=True)
class Pod:
    """Where containers of one role run.

    :param container: the one whose network namespace they join
    :param helper: reference of the image that holds `true`
    """

    daemon: Daemon
    container: str
    helper: str

    @property
    def network_mode(self) -> str:
        return f"container:{self.container}"

    def works(self) -> bool:
        """Whether a container of our own starts here: if so, one that does not is itself to blame."""
        api = self.daemon.api
        try:
            container = api.create_container(
                self.helper,
                ["true"],
                labels=self.daemon.labels(role="helper"),
                host_config=api.create_host_config(network_mode=self.network_mode, **Restrictions().options()),
            )["Id"]
            try:
                api.start(container)
                return bool(api.wait(container)["StatusCode"] == 0)
            finally:
                self.daemon.remove(container)
        except TROUBLE:
            return False

    def size_of(self, volumes: Sequence[str]) -> int:
        """Bytes in volumes, which the engine does not count.

        :raises DockerException, RequestException, OSError: the engine is in trouble
        """
        api = self.daemon.api
        container = api.create_container(
            self.helper,
            # Not where the image wants them: there they might replace what is run here.
            ["du", "-sk", "/measured"],
            labels=self.daemon.labels(role="helper"),
            host_config=api.create_host_config(
                network_mode="none",
                **Restrictions(add=("DAC_READ_SEARCH",)).options(),
                binds=[f"{volume}:/measured/{number}:ro" for number, volume in enumerate(volumes)],
            ),
        )["Id"]
        try:
            api.start(container)
            api.wait(container)
            said = api.logs(container, stderr=False).split()
            return int(said[0]) * 1024 if said else 0
        finally:
            self.daemon.remove(container)

    def refusal(self, error: Exception) -> EngineError | None:
        """What it means that the engine refused a container: trouble of its own, or None where the image is to blame.

        The engine's answers do not say which: an image without such a user is an internal error of the server to it, a
        pod that has died a conflict.
        """
        answered = isinstance(error, docker.errors.APIError) and error.status_code not in (NOT_THERE, CONFLICT)
        return None if answered and self.works() else self.daemon.trouble(str(error))


def create_participant(
    pod: Pod,
    participant: Participant,
    sink: Sink,
    *,
    name: str,
    labels: Mapping[str, str],
    restrictions: Restrictions,
    unstartable: int = UNSTARTABLE,
) -> RunningParticipant:
    """Create the participant's container, not started.

    :param unstartable: the exit code to report where the image is not there or does not start
    :raises EngineError: the engine is in trouble
    """
    daemon = pod.daemon
    try:
        created = daemon.api.create_container(
            participant.image,
            name=name,
            environment=dict(participant.environment),
            host_config=daemon.api.create_host_config(
                network_mode=pod.network_mode,
                cpu_shares=CPU_SHARES,
                **restrictions.options(),
                # The runner reads the streams itself and keeps a bounded part; the engine keeps no second copy.
                log_config=LogConfig(type="none"),
            ),
            labels=daemon.labels(role=participant.role, **labels),
        )
    except docker.errors.ImageNotFound as error:
        return AbsentParticipant(str(error.explanation), participant.role, sink, unstartable=unstartable)
    except TROUBLE as error:
        trouble = pod.refusal(error)
        if trouble is not None:
            raise trouble from error
        return AbsentParticipant(_words(error), participant.role, sink, unstartable=unstartable)
    return DockerParticipant(
        pod, str(created["Id"]), participant.role, sink, limits=participant.limits, unstartable=unstartable
    )


class DockerParticipant:
    """One side of a case as a container.

    :param unstartable: the exit code to report where the image does not start
    """

    def __init__(
        self,
        pod: Pod,
        container: str,
        role: Role,
        sink: Sink,
        *,
        limits: Limits,
        unstartable: int = UNSTARTABLE,
    ) -> None:
        self._pod = pod
        self._daemon = pod.daemon
        self._api = pod.daemon.api
        self.container = container
        self._unstartable = unstartable
        self._role = role
        self._sink = sink
        self._output: Any = None
        self._reader: threading.Thread | None = None
        # Set before we end it, so that its end is known to be our doing.
        self._asked = threading.Event()
        self._disk = DiskWatch(limits.disk_bytes, measure=self._written, end=self._end_for)

    def start(self) -> None:
        # Attached before it starts, so that not one byte is missed.
        self._output = self._daemon.call(
            self._api.attach, self.container, stdout=True, stderr=True, stream=True, logs=False, demux=True
        )
        self._kills = out_of_memory_kills()
        try:
            self._api.start(self.container)
        except TROUBLE as error:
            trouble = self._pod.refusal(error)
            if trouble is not None:
                raise trouble from error
            # The image, not the engine: no such user, wrong architecture (contract, T20).
            report_unstartable(self._sink, self._role, _words(error), exit_code=self._unstartable)
            return
        self._reader = threading.Thread(target=self._read, name=f"read-{self._role}", daemon=True)
        self._reader.start()
        self._disk.start()

    def _read(self) -> None:
        """Report all there is to report, and the end in any case: others wait for it."""
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
        out_of_memory = bool(state.get("OOMKilled"))
        if not self._asked.is_set():
            if state["Status"] in ("removing", "dead"):
                self._sink.lost(self._role, "somebody else removed its container")
                return
            # What the engine has heard of the kernel may come after the death, and be missing from the state.
            unexplained = exit_code == KILLED and not out_of_memory
            noted = self._noted(state, also_afterwards=unexplained)
            if "kill" in noted:
                self._sink.lost(self._role, f"somebody else sent signal {noted['kill']} to its container")
                return
            out_of_memory = out_of_memory or "oom" in noted
            if unexplained and not out_of_memory and out_of_memory_kills() > self._kills:
                self._sink.lost(self._role, KILLED_FOR_MEMORY)
                return
        if exit_code == UNSTARTABLE and first.startswith(INIT_FAILED):
            exit_code = self._unstartable
        self._sink.ended(self._role, exit_code, out_of_memory=out_of_memory)

    def _noted(self, state: Mapping[str, Any], *, also_afterwards: bool) -> dict[str, str]:
        """What the engine has noted about this container from its start to its death: events, and a signal where it
        was sent one.

        :param also_afterwards: wait for what comes within two seconds of its death
        """
        started, finished = (int(_moment(state[name])) for name in ("StartedAt", "FinishedAt"))
        stream = self._api.events(
            since=started,
            until=finished + 2,
            filters={"container": self.container, "event": ["kill", "oom", "die", "destroy"]},
            decode=True,
        )
        noted: dict[str, str] = {}
        try:
            for event in stream:
                noted.setdefault(event["Action"], event["Actor"]["Attributes"].get("signal", ""))
                if event["Action"] in ("die", "destroy") and not also_afterwards:
                    break
        finally:
            stream.close()
        return noted

    def _written(self) -> int:
        """Bytes in the container's own layer, and in the volumes that its image declares."""
        try:
            listed = self._api.containers(all=True, size=True, filters={"id": self.container})
            volumes = [mount["Name"] for it in listed for mount in it["Mounts"] if mount["Type"] == "volume"]
            return sum(int(it.get("SizeRw") or 0) for it in listed) + (self._pod.size_of(volumes) if volumes else 0)
        except TROUBLE:
            return 0  # the reader will notice, too, and tell

    def _end_for(self, why: str) -> None:
        self._asked.set()
        self._sink.output(self._role, "stderr", f"\n{why}\n".encode())
        self._daemon.quietly(self._api.kill, self.container, "SIGKILL")

    def stop(self, timeout: float) -> None:
        self._asked.set()
        self._disk.stop()
        if self._reader is None:
            return
        if self._reader.is_alive():
            self._daemon.quietly(self._api.kill, self.container, "SIGTERM")
            self._reader.join(timeout)
        if self._reader.is_alive():
            self._daemon.quietly(self._api.kill, self.container, "SIGKILL")
            self._reader.join(10)

    def collect(self, source: str, target: Path, *, most_bytes: int) -> bool:
        """See `take_folder`."""
        return take_folder(self._daemon, self.container, source, target, most_bytes=most_bytes)

    def remove(self) -> None:
        self._asked.set()
        self._disk.stop()
        self._daemon.remove(self.container)
        if self._reader is not None:
            self._reader.join(10)
        if self._output is not None:
            # The SDK leaves the hijacked connection open, and what it offers to close it closes but half of it.
            self._daemon.quietly(self._output._response.close)  # noqa: SLF001


def _words(error: Exception) -> str:
    """The engine's own words."""
    return str(getattr(error, "explanation", None) or error)


def _moment(stamp: str) -> float:
    """Seconds since 1970 of an engine's timestamp, which has more digits than a datetime holds."""
    return datetime.fromisoformat(f"{stamp[:19]}+00:00").timestamp()
