"""One program as an ordinary process under its supervisor, streamed and waited for by one thread of ours."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from ci.engines.absent import UNSTARTABLE
from ci.engines.base import KILLED_FOR_MEMORY, STOPPED_BY_OTHERS
from ci.engines.kernel import out_of_memory_kills
from ci.errors import EngineError

if TYPE_CHECKING:
    from ci.spec.attempt import Limits, Stream

__all__ = ["Process", "Watcher"]

SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
READ_BYTES: Final = 1 << 16
KILLED: Final = 128 + signal.SIGKILL


class Watcher(Protocol):
    """Whom a process reports to, from a thread of the process's own: output first, then exactly one end."""

    def output(self, stream: Stream, data: bytes) -> None: ...

    def ended(self, exit_code: int, *, out_of_memory: bool) -> None: ...

    def lost(self, why: str, error: Exception | None = None) -> None: ...


class Process:
    """A program that dies with us, and whose descendants die with it. See `supervisor`.

    :param command: the program's absolute path, then its arguments
    :param environment: all of it; nothing is inherited
    :param folder: where it starts
    :raises EngineError: no supervisor can be started
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        limits: Limits,
        watcher: Watcher,
    ) -> None:
        self._watcher = watcher
        self._reader: threading.Thread | None = None
        # Neither end is inherited by anything else we start, so ours is closed whatever ends us.
        self._control, far_end = socket.socketpair()
        with far_end:
            try:
                self._supervisor = subprocess.Popen(
                    # Isolated and without `site`: nothing of the environment or of this installation slows it down.
                    [sys.executable, "-I", "-S", str(SUPERVISOR), *_words(limits), *command],
                    stdin=far_end.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=dict(environment),
                    cwd=folder,
                    bufsize=0,
                    start_new_session=True,  # a Ctrl-C at the terminal is for the runner alone
                )
            except OSError as error:
                self._control.close()
                raise EngineError(
                    "process-start",
                    f"no process can be started: {error}",
                    why="too many processes or open files, no memory, or a folder has gone",
                    hint="run fewer cases at once (--workers), look at `ulimit -a`",
                ) from error

    def start(self) -> None:
        """Start the program; the watcher is told everything from its first byte on."""
        self._kills = out_of_memory_kills()
        self._reader = threading.Thread(target=self._read, name=f"process-{self._supervisor.pid}", daemon=True)
        self._reader.start()
        self._say(b"s")

    def stop(self, timeout: float) -> None:
        """SIGTERM for the program, then SIGKILL for it and all its descendants. Returns once they have ended."""
        if self._reader is None:
            return
        if self._reader.is_alive():
            self._say(b"t")
            self._reader.join(timeout)
        self.kill()

    def kill(self) -> None:
        """SIGKILL for the program and all its descendants. Returns once they have ended."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_WR)
        if self._reader is not None:
            self._reader.join(10)

    def close(self) -> None:
        """Leave nothing of it behind, started or not."""
        self.kill()
        try:
            self._supervisor.wait(10)
        except subprocess.TimeoutExpired:
            # What holds it up is the kernel's: a descendant that cannot be killed.
            self._supervisor.kill()
            self._supervisor.wait()
        if self._reader is not None:
            self._reader.join(10)
        self._control.close()
        for pipe in (self._supervisor.stdout, self._supervisor.stderr):
            if pipe is not None:
                pipe.close()

    def _say(self, word: bytes) -> None:
        with contextlib.suppress(OSError):  # a supervisor that has ended has said all it had to say
            self._control.sendall(word)

    def _read(self) -> None:
        """Pass on all there is, and the end in any case: others wait for it."""
        try:
            self._report()
        except Exception as error:
            self._watcher.lost(f"its reader failed: {error!r}", error)

    def _report(self) -> None:
        """Pass on both streams, then the end."""
        said = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            for pipe in (self._supervisor.stdout, self._supervisor.stderr):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ)
            connected = True
            # The supervisor leaves last, so what it does not leave in the pipes is written by nobody else any more.
            while ready := selector.select(None if connected else 0):
                for key, _ in ready:
                    data = _read_some(key.fd)
                    if not data:
                        selector.unregister(key.fileobj)
                    if key.fileobj is self._control:
                        said += data
                        connected = bool(data)
                    elif data:
                        self._watcher.output("stdout" if key.fileobj is self._supervisor.stdout else "stderr", data)
                if not connected and b"\nended " not in said:
                    break  # a process that outlived its supervisor may write for ever
        self._conclude(said.decode(errors="replace").splitlines())

    def _conclude(self, said: Sequence[str]) -> None:
        match [line.split(maxsplit=1) for line in said]:
            case [["unstartable", why]]:
                self._watcher.output("stderr", f"{why}\n".encode())
                self._watcher.ended(UNSTARTABLE, out_of_memory=False)
            case [["started", _], ["ended", how]]:
                code, out_of_memory, foreign = how.split()
                if foreign == "1":
                    self._watcher.lost(STOPPED_BY_OTHERS)
                elif int(code) == KILLED and out_of_memory == "0" and out_of_memory_kills() > self._kills:
                    self._watcher.lost(KILLED_FOR_MEMORY)
                else:
                    self._watcher.ended(int(code), out_of_memory=out_of_memory == "1")
            case lines:
                if lines and lines[0][0] == "started":
                    with contextlib.suppress(OSError):  # the kernel has killed the program; these are its children
                        os.killpg(int(lines[0][1]), signal.SIGKILL)
                self._watcher.lost(
                    f"its supervisor (process {self._supervisor.pid}) ended with status {self._supervisor.wait()}"
                )


def _read_some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, READ_BYTES)
    except ConnectionResetError:  # the supervisor was killed with a word of ours unread
        return b""


def _words(limits: Limits) -> tuple[str, str]:
    return str(limits.memory_bytes), str(limits.processes)
