"""The local engine: both sides of a case as ordinary processes on loopback, for hosts without Docker.

A slot owns a Redis with a password and a private folder. There is no isolation from the host as containers give it:
the programs run as this user, with a clean environment, limits on memory, processes, files, and a supervisor each
(`supervisor`) that leaves nothing of them alive, even when the runner is killed.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.absent import AbsentParticipant
from ci.engines.by_hand import process_lines
from ci.engines.coordination import RedisCoordinator
from ci.engines.disk_watch import DiskWatch
from ci.engines.local.process import Process
from ci.engines.local.redis import LOOPBACK, redis_process, redis_version
from ci.engines.local.scratch import remove_tree, scratch_folder, sweep_folders, tree_size
from ci.engines.redis_rights import RUNNER
from ci.errors import EngineError
from ci.spec.attempt import Surroundings

if TYPE_CHECKING:
    from ci.engines.base import RunningParticipant, Sink, Slot
    from ci.engines.programs import Program
    from ci.model import Role
    from ci.spec.attempt import AttemptSpec, Participant, Stream
    from ci.spec.sandbox import Sandbox

__all__ = ["LocalEngine"]

# What every program gets unless it or its case says otherwise. Nothing of the runner's own environment is passed on.
BASIC_ENVIRONMENT: Final = {"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"}


class LocalEngine:
    """See the module's docstring.

    :param programs: what to start for a participant's `image`; None where there is nothing any more
    :param redis_server: path of a `redis-server`, 6.2 or newer
    :param run: the run's name; part of the names of its folders
    """

    name = "local"

    def __init__(self, programs: Callable[[str], Program | None], *, redis_server: str, run: str) -> None:
        self._programs = programs
        self._redis_server = redis_server
        self._run = re.sub(r"[^\w.-]", "-", run)[:12]
        sweep_folders()

    def describe(self) -> dict[str, str | int]:
        return {
            "name": self.name,
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "cpus": os.cpu_count() or 1,
            "memoryBytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
            "redis": redis_version(self._redis_server),
        }

    def sandbox(self) -> AbstractContextManager[Sandbox]:
        raise EngineError(
            "no-sandbox",
            "this engine keeps no program from what this user may do",
            why="only containers are without a network and without rights",
            hint="start Docker and run the same command again",
        )

    def reproduction(
        self, spec: AttemptSpec, slot: Slot, *, names: Mapping[str, str], folder: Path | None
    ) -> list[str]:
        del names, folder  # a program's command line speaks for itself
        programs = {participant.image: self._programs(participant.image) for participant in spec.participants}
        there = {image: program for image, program in programs.items() if program is not None}
        if len(there) < len(programs):
            return []
        client = Path(self._redis_server).with_name("redis-cli")
        return process_lines(
            spec,
            slot.surroundings,
            there,
            environment=BASIC_ENVIRONMENT,
            redis_server=self._redis_server,
            redis_cli=str(client) if client.exists() else client.name,
        )

    @contextmanager
    def slot(self, number: int) -> Iterator[LocalSlot]:
        """A folder and a Redis; both gone when the block ends."""
        with ExitStack() as stack:
            folder = stack.enter_context(scratch_folder(f"{self._run}-{number}"))
            slot = LocalSlot(self._programs, self._redis_server, folder)
            stack.callback(slot.close)
            slot.open()
            yield slot


class LocalSlot:
    """Where one case at a time runs."""

    def __init__(self, programs: Callable[[str], Program | None], redis_server: str, folder: Path) -> None:
        self._programs = programs
        self._redis_server = redis_server
        self._folder = folder
        self._stack = ExitStack()
        self.generation = 0

    def open(self) -> None:
        """Start a Redis.

        :raises EngineError: it does not start
        """
        self.generation += 1
        home = self._folder / "redis"
        home.mkdir(mode=0o700, exist_ok=True)
        redis = self._stack.enter_context(redis_process(self._redis_server, home))
        self.surroundings = Surroundings(
            redis=redis.address, redis_password=redis.password, listen_ip=LOOPBACK, shared_loopback=True
        )
        self.coordinator = self._stack.enter_context(
            RedisCoordinator(redis.address, username=RUNNER, password=redis.runner_password)
        )

    def close(self) -> None:
        self._stack.close()

    def restore(self, *roles: Role) -> None:  # noqa: ARG002 -- processes need no place of their own
        """See that Redis is as it was made, and start another one where it is not.

        :raises EngineError: it does not start
        """
        try:
            whole = self.coordinator.change() is None
        except EngineError:
            whole = False
        if not whole:
            self.close()
            self.open()

    def prepare(
        self, participant: Participant, sink: Sink, labels: Mapping[str, str], inputs: Mapping[str, Path]
    ) -> RunningParticipant:
        """Start the participant's supervisor, which waits for the word to start the program."""
        del labels  # processes bear none
        if inputs:
            raise _no_files("given")
        program = self._programs(participant.image)
        if program is None:
            return AbsentParticipant(f"there is no program {participant.image} any more", participant.role, sink)
        folder = Path(program.folder) if program.folder is not None else None
        if folder is not None and not folder.is_dir():
            return AbsentParticipant(f"the folder {folder} of {participant.image} is gone", participant.role, sink)
        return LocalParticipant(
            participant, program, Path(tempfile.mkdtemp(prefix=f"{participant.role}-", dir=self._folder)), sink
        )


def _no_files(what: str) -> EngineError:
    return EngineError(
        "no-files",
        f"local processes cannot be {what} files",
        why="their folders are this machine's, where a path of a container means nothing",
        hint="run the suite with Docker",
    )


class LocalParticipant:
    """One side of a case as a process.

    :param home: an empty folder of its own
    """

    def __init__(self, participant: Participant, program: Program, home: Path, sink: Sink) -> None:
        self._home = home
        watcher = _OneRole(participant.role, sink)
        self._process = Process(
            program.command,
            environment={
                **BASIC_ENVIRONMENT,
                "HOME": str(home),
                "TMPDIR": str(home),
                **program.environment,
                **participant.environment,
            },
            folder=Path(program.folder) if program.folder is not None else home,
            limits=participant.limits,
            watcher=watcher,
        )
        self._watcher = watcher
        self._disk = DiskWatch(participant.limits.disk_bytes, measure=lambda: tree_size(home), end=self._end_for)

    def _end_for(self, why: str) -> None:
        self._watcher.output("stderr", f"\n{why}\n".encode())
        self._process.kill()

    def start(self) -> None:
        self._process.start()
        self._disk.start()

    def stop(self, timeout: float) -> None:
        self._disk.stop()
        self._process.stop(timeout)

    def collect(self, source: str, target: Path, *, most_bytes: int) -> bool:
        """Nothing: a process has no folders of its own that a suite could name."""
        del source, target, most_bytes
        raise _no_files("asked for")

    def remove(self) -> None:
        self._disk.stop()
        self._process.close()
        remove_tree(self._home)


class _OneRole:
    """Tells a sink what becomes of the process of one role."""

    def __init__(self, role: Role, sink: Sink) -> None:
        self._role = role
        self._sink = sink

    def output(self, stream: Stream, data: bytes) -> None:
        self._sink.output(self._role, stream, data)

    def ended(self, exit_code: int, *, out_of_memory: bool) -> None:
        self._sink.ended(self._role, exit_code, out_of_memory=out_of_memory)

    def lost(self, why: str, error: Exception | None = None) -> None:
        self._sink.lost(self._role, why, error)
