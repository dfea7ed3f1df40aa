"""A sandbox as a container of the helper image: files are put into it, programs of the image read them there."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from docker.types import LogConfig

from ci.engines.docker.daemon import TROUBLE, Daemon
from ci.engines.restrictions import Restrictions
from ci.errors import EngineError
from ci.spec.attempt import MIB
from ci.spec.sandbox import ProgramFailedError, ProgramLateError

__all__ = ["Sandboxes", "open_sandbox"]

USER: Final = "nobody"
HOME: Final = "/tmp"  # noqa: S108 -- of the container: a small file system in memory, and the only place to write to
FILES: Final = "/srv"
# tshark takes some 400 MiB for the largest capture of the suites; the files it writes are its preferences, if any.
RESTRICTIONS: Final = Restrictions(memory_bytes=2048 * MIB, processes=32, core_bytes=0, file_bytes=MIB)
# Of `timeout`: the program was told to end at its limit, or killed because it did not.
LATE: Final = 124
KILL_AFTER_SECONDS: Final = 2
LONGEST_COMPLAINT: Final = 2000


@contextmanager
def open_sandbox(daemon: Daemon, helper: str) -> Iterator[ContainerSandbox]:
    """:param helper: reference of the helper image

    :raises EngineError: the engine broke
    """
    api = daemon.api
    container = daemon.call(
        api.create_container,
        helper,
        ["sleep", "infinity"],
        name=daemon.name("sandbox"),
        user=USER,
        labels=daemon.labels(role="helper"),
        host_config=api.create_host_config(
            network_mode="none",
            tmpfs={HOME: "size=16m,mode=1777"},
            log_config=LogConfig(type="none"),
            **RESTRICTIONS.options(),
        ),
    )["Id"]
    try:
        daemon.call(api.start, container)
        yield ContainerSandbox(daemon, str(container))
    finally:
        daemon.remove(container)


class Sandboxes:
    """The sandboxes of an engine, which need not be waited for while a slot keeps one ready.

    :param helper: reference of the helper image
    """

    def __init__(self, daemon: Daemon, helper: str) -> None:
        self._daemon = daemon
        self._helper = helper
        # As many as there are slots, less those that are in use; a list's `append` and `pop` are atomic.
        self._ready: list[_Ready] = []

    @contextmanager
    def one_ready(self) -> Iterator[None]:
        """While the block runs, there is one more that is open before it is asked for."""
        self._ready.append(_Ready(self._daemon, self._helper))
        try:
            yield
        finally:
            # Any will do: those of others are either here or will be put back.
            self._ready.pop().close()

    @contextmanager
    def open(self) -> Iterator[ContainerSandbox]:
        """A sandbox that nobody has used.

        :raises EngineError: the engine broke
        """
        try:
            ready = self._ready.pop()
        except IndexError:
            with open_sandbox(self._daemon, self._helper) as sandbox:
                yield sandbox
            return
        try:
            with ready.taken() as sandbox:
                yield sandbox
        finally:
            self._ready.append(ready)


class _Ready:
    """One sandbox that is open, and always the next one; what is opened and removed is so in a thread."""

    def __init__(self, daemon: Daemon, helper: str) -> None:
        self._daemon = daemon
        self._helper = helper
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox")
        self._next = self._begin()

    def _begin(self) -> Future[tuple[ContainerSandbox, ExitStack]]:
        return self._thread.submit(self._opened)

    def _opened(self) -> tuple[ContainerSandbox, ExitStack]:
        with ExitStack() as stack:
            sandbox = stack.enter_context(open_sandbox(self._daemon, self._helper))
            return sandbox, stack.pop_all()

    @contextmanager
    def taken(self) -> Iterator[ContainerSandbox]:
        try:
            sandbox, stack = self._next.result()
        finally:
            self._next = self._begin()
        try:
            yield sandbox
        finally:
            self._thread.submit(stack.close)

    def close(self) -> None:
        with self._thread:
            try:
                _, stack = self._next.result()
            except EngineError:
                return  # it is not there
            stack.close()


class ContainerSandbox:
    """See `ci.spec.sandbox.Sandbox`."""

    def __init__(self, daemon: Daemon, container: str) -> None:
        self._daemon = daemon
        self._container = container
        self._unsent: dict[str, bytes] = {}

    def write(self, name: str, data: bytes) -> str:
        # With others that come before the next command: for each time the engine starts a program of its own.
        self._unsent[name] = data
        return f"{FILES}/{name}"

    def _send(self) -> None:
        files, self._unsent = self._unsent, {}
        if not files:
            return
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o444
                tar.addfile(member, io.BytesIO(data))
        self._daemon.call(self._daemon.api.put_archive, self._container, FILES, archive.getvalue())

    def run(self, command: Sequence[str], *, seconds: float) -> Iterator[bytes]:
        self._send()
        api = self._daemon.api
        asked = self._daemon.call(
            api.exec_create,
            self._container,
            ["timeout", "--kill-after", str(KILL_AFTER_SECONDS), str(seconds), *command],
            user=USER,
            environment={"HOME": HOME, "LC_ALL": "C.UTF-8"},
        )["Id"]
        complaint = b""
        stream: Any = self._daemon.call(api.exec_start, asked, stream=True, demux=True)
        try:
            for stdout, stderr in stream:
                if stdout:
                    yield stdout
                if stderr and len(complaint) < LONGEST_COMPLAINT:
                    complaint += stderr
        except TROUBLE as error:
            raise self._daemon.trouble(str(error)) from error
        finally:
            # The SDK leaves the hijacked connection open, and what it offers to close it closes but half of it.
            self._daemon.quietly(stream._response.close)  # noqa: SLF001
        code = int(self._daemon.call(api.exec_inspect, asked)["ExitCode"])
        if code == LATE:
            raise ProgramLateError(command[0], seconds)
        if code != 0:
            raise ProgramFailedError(command[0], code, complaint[:LONGEST_COMPLAINT].decode(errors="replace").strip())
