"""A shell that waits in a pod, and is told over its standard input what to do there.

A pod has to be idle anyway, so it may as well wait for words. An `exec` starts a process by way of the engine, its shim
and its runtime, which takes a tenth of a second; a line to a shell that runs already takes a few milliseconds.
"""

from __future__ import annotations

import secrets
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from ci.engines.docker.daemon import TROUBLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.engines.docker.daemon import Daemon

__all__ = ["SHELL", "PodShell", "open_shell"]

# What a pod runs. It waits for lines as long as its standard input is open, which the engine keeps so.
SHELL: Final[Mapping[str, Any]] = {"command": ["sh"], "stdin_open": True}
SECONDS: Final = 30.0
# Nothing that a shell is asked here has an answer of that size, unless a case has made it so.
LONGEST_ANSWER: Final = 4 << 20
# Each piece of output has a header before it: which stream it is of, and how long it is.
_HEADER: Final = struct.Struct(">BxxxL")


class PodShell(Protocol):
    """Runs scripts in a pod, one at a time. Safe to use from several threads."""

    def run(self, script: str) -> str:
        """What a script writes, on either stream.

        :raises EngineError: it fails, it does not end within half a minute, or the pod is not what it was
        """

    def close(self) -> None:
        """Nothing will be asked any more."""


def open_shell(daemon: Daemon, container: str) -> PodShell:
    """A shell in a container that was made with `SHELL` and has been started.

    :raises EngineError: the engine is in trouble
    """
    # Of both the SDK hands out something that cannot be written to and read from as a socket.
    if daemon.api.base_url.startswith(("http+docker://ssh", "http+docker://localnpipe")):
        return ExecShell(daemon, container)
    return AttachedShell(daemon, container)


class AttachedShell:
    """The container's own first program, attached to."""

    def __init__(self, daemon: Daemon, container: str) -> None:
        self._daemon = daemon
        self._lock = threading.Lock()
        self._unread = b""
        self._text = b""
        attached: Any = daemon.call(
            daemon.api.attach_socket, container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        )
        self._attached = attached
        # Of a socket the SDK hands out the reading half alone.
        self._socket: socket.socket = getattr(attached, "_sock", attached)
        self._socket.settimeout(SECONDS)

    def run(self, script: str) -> str:
        mark = secrets.token_hex(8)
        # In a shell of its own, which may fail by itself, and reads nothing of what comes after it.
        line = f"(set -eu\n{script}\n) </dev/null 2>&1; printf '\\n%s %s\\n' {mark} $?\n"
        with self._lock:
            try:
                self._socket.sendall(line.encode())
                output, code = self._answer(f"\n{mark} ".encode())
            except TROUBLE as error:
                raise self._daemon.trouble(f"a pod does not answer: {error}") from error
        return _checked(self._daemon, output, code)

    def _answer(self, mark: bytes) -> tuple[bytes, int]:
        self._text = b""
        while True:
            before, found, after = self._text.partition(mark)
            if found and after.endswith(b"\n"):
                return before, int(after)
            if len(self._text) > LONGEST_ANSWER:
                raise OSError("it writes without end")
            self._text += self._piece()

    def _piece(self) -> bytes:
        _, length = _HEADER.unpack(self._exactly(_HEADER.size))
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            more = self._socket.recv(1 << 16)
            if not more:
                raise OSError("it has ended")
            self._unread += more
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken

    def close(self) -> None:
        self._daemon.quietly(self._socket.shutdown, socket.SHUT_RDWR)
        # The SDK leaves the hijacked connection open, and what it offers to close it closes but half of it.
        self._daemon.quietly(getattr(self._attached, "_response", self._attached).close)


class ExecShell:
    """A shell of its own for each script."""

    def __init__(self, daemon: Daemon, container: str) -> None:
        self._daemon = daemon
        self._container = container

    def run(self, script: str) -> str:
        api = self._daemon.api
        asked = self._daemon.call(api.exec_create, self._container, ["sh", "-euc", script])["Id"]
        output = self._daemon.call(api.exec_start, asked)
        return _checked(self._daemon, output, self._daemon.call(api.exec_inspect, asked)["ExitCode"])

    def close(self) -> None:
        """Nothing is open."""


def _checked(daemon: Daemon, output: bytes, code: int) -> str:
    text = output.decode(errors="replace")
    if code != 0:
        raise daemon.trouble(f"a command in a pod failed: {text.strip()}")
    return text
