"""The supervisor of one program: starts it, passes signals on, holds it to its limits, and leaves nothing of it alive.

A file of its own, run by a bare interpreter (`python -I -S supervisor.py …`), so it uses the standard library alone and
as little of that as it can: every case pays for its start twice. Its standard input is the *control socket*.

The runner writes `s` to start the program and `t` to ask it to stop. When the runner closes its end, on purpose or
because it was killed, the program and whatever came of it are killed. The supervisor writes `started PID` and, as its
last act, `ended CODE OUT_OF_MEMORY STOPPED`, where STOPPED means that somebody else has stopped the supervisor itself;
or only `unstartable REASON`. If it ends without its last line, nobody knows what became of the program.

On Linux the supervisor is a *subreaper*: a process whose parent has gone becomes its child, whatever sessions and
groups it has made for itself, so "no child is left" means that nothing is left. Elsewhere it remembers which
descendants it has seen and kills those; a program that leaves its family between two looks escapes.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

__all__ = ["Seen", "Supervisor", "Table", "from_proc", "from_ps"]

CONTROL_SOCKET: Final = 0
# How often the limits are looked after. What a program can take meanwhile is bounded by RLIMIT_DATA.
LOOK_SECONDS: Final = 0.1
LOOK_SECONDS_BY_PS: Final = 1.0
# Private memory a single process may ask for. Go, Node and threads' stacks ask for far more than they ever touch.
DATA_BYTES: Final = 16 << 30
FILE_BYTES: Final = 1 << 30
OPEN_FILES: Final = 4096

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
PR_SET_NO_NEW_PRIVS: Final = 38

PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Seen(NamedTuple):
    """One process at one look: its threads, and the memory it has in use, in bytes, shared or not."""

    tasks: int
    memory: int


# The descendants of a process, parents before their children and older siblings before younger ones.
Table = dict[int, Seen]


# --- looking ----------------------------------------------------------------------------------------------


def from_proc(root: int) -> Table:
    """The descendants as Linux tells them.

    :raises OSError: this kernel does not list the children of a process
    """
    found: Table = {}
    waiting = list(_children(root))
    for pid in waiting:
        if pid in found:
            continue
        try:
            tasks = len(os.listdir(f"/proc/{pid}/task"))  # noqa: PTH208 -- pathlib takes longer to import than to use
            memory = int(_read(f"/proc/{pid}/statm").split()[1]) * PAGE
            waiting += _children(pid)
        except OSError:
            continue  # it has just ended; its children are the supervisor's now and come with the next look
        found[pid] = Seen(tasks, memory)
    return found


def _children(pid: int) -> Iterator[int]:
    for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
        yield from map(int, _read(f"/proc/{pid}/task/{task}/children").split())


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        return file.read()


def from_ps(root: int, group: int | None = None, remembered: frozenset[tuple[int, int]] = frozenset()) -> Table:
    """The descendants as `ps` tells them, the members of a process group, and those remembered by number and group."""
    import subprocess  # noqa: PLC0415 -- a bare start on Linux does without it

    with subprocess.Popen(["ps", "-A", "-o", "pid=,ppid=,pgid=,rss="], stdout=subprocess.PIPE) as ps:
        listed, _ = ps.communicate()
    rows = {
        pid: (parent, its, rss) for pid, parent, its, rss in (map(int, line.split()) for line in listed.splitlines())
    }
    rows.pop(ps.pid, None)
    found: Table = {}
    waiting = [root]
    waiting += [pid for pid, (_, its, _) in rows.items() if its == group or (pid, its) in remembered]
    for pid in waiting:
        if pid in rows and pid not in found and pid != root:
            found[pid] = Seen(1, rows[pid][2] * 1024)
        waiting += [child for child, (parent, _, _) in rows.items() if parent == pid and child not in waiting]
    return found


def _private_memory(table: Mapping[int, Seen]) -> int:
    """Memory in use with every shared page divided among those who share it: exact, and dear."""
    total = 0
    for pid, seen in table.items():
        try:
            rollup = _read(f"/proc/{pid}/smaps_rollup")
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(b"Pss:")) * 1024
        except OSError:
            # This kernel has no such file or denies it, or the process has just ended.
            total += seen.memory if os.path.exists(f"/proc/{pid}") else 0  # noqa: PTH110
        except StopIteration:
            continue  # it is ending
    return total


# --- keeping ----------------------------------------------------------------------------------------------


class Supervisor:
    """See the module's docstring.

    :param command: an absolute path and arguments; its environment and folder are the supervisor's own
    :param memory: bytes that it and all its descendants may have in use together
    :param tasks: processes and threads that it and all its descendants may be together
    """

    def __init__(self, command: list[str], *, memory: int, tasks: int) -> None:
        self._command = command
        self._memory = memory
        self._tasks = tasks
        self._pid = 0
        self._status: int | None = None
        self._out_of_memory = False
        self._stopped = False
        self._remembered: frozenset[tuple[int, int]] = frozenset()
        self._prctl = _prctl()
        listed = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # noqa: PTH110
        self._adopts = self._prctl(PR_SET_CHILD_SUBREAPER, 1) and listed

    def run(self) -> None:
        """Do everything, from the word to start to the last line."""
        # A privileged descendant could not be killed.
        self._prctl(PR_SET_NO_NEW_PRIVS, 1)
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _wake_up)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        if os.read(CONTROL_SOCKET, 1) != b"s":
            return
        why = self._start()
        # Their other end must see the end of file as soon as the program and its descendants are gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if why:
            self._report(f"unstartable {why}")
            return
        self._report(f"started {self._pid}")
        self._keep()
        self._end_all()
        self._report(f"ended {_exit_code(self._status)} {int(self._out_of_memory)} {int(self._stopped)}")

    def _start(self) -> str:
        """Start the program. Returns why it cannot be started, or nothing."""
        told, tell = os.pipe()  # closed by a successful exec
        supervisor = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._become_the_program(supervisor)
            except OSError as error:
                os.write(tell, f"{self._command[0]}: {os.strerror(error.errno or 0)}".encode(errors="replace"))
            finally:
                os._exit(127)
        os.close(tell)
        why = b"".join(iter(lambda: os.read(told, 4096), b""))
        os.close(told)
        return why.decode(errors="replace").replace("\n", " ")

    def _become_the_program(self, supervisor: int) -> None:
        os.setsid()
        # Should the supervisor itself be killed, the program at least goes with it.
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(137)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)  # Python ignores these two
        os.umask(0o077)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, FILE_BYTES)
        _limit(resource.RLIMIT_NOFILE, OPEN_FILES)
        _limit(resource.RLIMIT_DATA, max(DATA_BYTES, self._memory))
        os.dup2(os.open(os.devnull, os.O_RDONLY), CONTROL_SOCKET)
        os.execv(self._command[0], self._command)  # noqa: S606 -- no shell is wanted

    def _keep(self) -> None:
        """Wait until the program has ended or has to."""
        wait = select.poll()
        wait.register(CONTROL_SOCKET, select.POLLIN)
        wait.register(self._woken, select.POLLIN)
        patience = LOOK_SECONDS if self._adopts else LOOK_SECONDS_BY_PS
        look = time.monotonic() + patience
        while self._status is None:
            ready = {descriptor for descriptor, _ in wait.poll(max(0.0, look - time.monotonic()) * 1000)}
            if self._woken in ready:
                numbers = os.read(self._woken, 512)
                if any(number != signal.SIGCHLD for number in numbers):
                    self._stopped = True
                    return
                self._reap()
            if CONTROL_SOCKET in ready and not self._obey():
                return
            if time.monotonic() >= look:
                if not self._within_limits():
                    return
                look = time.monotonic() + patience

    def _obey(self) -> bool:
        """Whether the program may go on."""
        try:
            word = os.read(CONTROL_SOCKET, 1)
        except OSError:
            word = b""
        if word == b"t" and self._status is None:
            # The program alone, as a container's init does it.
            os.kill(self._pid, signal.SIGTERM)
        return word != b""

    def _within_limits(self) -> bool:
        table = self._look()
        if sum(seen.memory for seen in table.values()) > self._memory and _private_memory(table) > self._memory:
            self._out_of_memory = True
            return False
        total, surplus = 0, []
        for pid, seen in table.items():
            total += seen.tasks
            if total > self._tasks:
                surplus.append(pid)
        if surplus:
            # The kernel's own limit counts everything this user runs, and root not at all.
            for pid in reversed(surplus):
                _kill(pid, signal.SIGKILL)
            killed = "1 process" if len(surplus) == 1 else f"{len(surplus)} processes"
            words = f"{os.strerror(errno.EAGAIN)}: {killed} killed, {self._tasks} are allowed\n"
            with contextlib.suppress(OSError):
                os.write(2, words.encode())
        return True

    def _look(self) -> Table:
        if self._adopts:
            with contextlib.suppress(OSError):
                return from_proc(os.getpid())
        table = from_ps(os.getpid(), self._pid, self._remembered)
        self._remembered |= {(pid, group) for pid in table if (group := _group(pid)) is not None}
        return table

    def _reap(self) -> bool:
        """Take note of children that have ended. Whether there are any left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self._pid:
                self._status = status

    def _end_all(self) -> None:
        """Kill every descendant; return when none is left."""
        while self._reap() or not self._adopts:
            table = self._look()
            if not table and not self._adopts:
                self._reap()
                return
            # Stopped first: nobody can start another one while the others are being killed.
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in table:
                    _kill(pid, number)
            time.sleep(0.001)

    def _report(self, line: str) -> None:
        with contextlib.suppress(OSError):  # nobody may be there any more to read it
            os.write(CONTROL_SOCKET, f"{line}\n".encode())


# --- the kernel -------------------------------------------------------------------------------------------


def _prctl() -> Callable[[int, int], bool]:
    """Linux's `prctl` with two arguments; always False where there is none."""
    function = getattr(ctypes.CDLL(None), "prctl", None)
    return lambda option, value: function is not None and function(option, value, 0, 0, 0) == 0


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    with contextlib.suppress(OSError, ValueError):  # a system may refuse some of them
        resource.setrlimit(which, (value, value))


def _kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except OSError:
        return None


def _wake_up(number: int, frame: object) -> None:
    """A handler has to be there for the signal to reach the descriptor that is waited for."""


def _exit_code(status: int | None) -> int:
    """As a shell would report it: 128 + n where signal n ended the program."""
    code = 128 + signal.SIGKILL if status is None else os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main(arguments: list[str]) -> None:
    memory, tasks, *command = arguments
    Supervisor(command, memory=int(memory), tasks=int(tasks)).run()


if __name__ == "__main__":
    main(sys.argv[1:])
