"""A Redis of a slot's own, as a process: on loopback alone, with a password, with nothing on disk."""

from __future__ import annotations

import re
import secrets
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.local.process import Process
from ci.engines.redis_rights import BOUNDS, participant_rules, runner_rules
from ci.errors import EngineError
from ci.spec.attempt import MIB, Address, Limits
from ci.spec.capture import Capture

if TYPE_CHECKING:
    from ci.spec.attempt import Stream

__all__ = ["LOOPBACK", "LocalRedis", "redis_process", "redis_version"]

LOOPBACK: Final = "127.0.0.1"
LIMITS: Final = Limits(memory_bytes=256 * MIB, processes=64)
# A port is free when it is chosen; somebody else may be quicker to bind it.
TRIES: Final = 10
START_SECONDS: Final = 15.0
READY: Final = "Ready to accept connections"
TAKEN: Final = "Address already in use"


@dataclass(frozen=True, kw_only=True)
class LocalRedis:
    """A Redis that answers clients with a password: that of the sides of a case, or the runner's own."""

    address: Address
    password: str = field(repr=False)
    runner_password: str = field(repr=False)


@contextmanager
def redis_process(server: str, folder: Path) -> Iterator[LocalRedis]:
    """A Redis that lives as long as the block.

    :param server: path of `redis-server`
    :param folder: empty, and nobody else's
    :raises EngineError: it does not start
    """
    for _ in range(TRIES):
        redis = LocalRedis(
            address=Address(host=LOOPBACK, port=free_port()),
            password=secrets.token_hex(16),
            runner_password=secrets.token_hex(16),
        )
        # A command line can be read by everybody on this host.
        configuration = folder / "redis.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(_configuration(redis), encoding="utf-8")
        log = _Log()
        process = Process(
            [server, str(configuration)],
            environment={"LANG": "C.UTF-8", "PATH": ""},
            folder=folder,
            limits=LIMITS,
            watcher=log,
        )
        try:
            process.start()
            log.has_result.wait(START_SECONDS)
            if log.ready:
                yield redis
                return
        finally:
            process.close()
        if TAKEN not in log.text():
            break
    raise EngineError(
        "redis-start",
        f"{server} does not start: {log.last_line()}",
        why="it is broken or too old, or the host is out of memory or of ports",
        hint=f"try `{server} --port 0`, or put another redis-server, 6.2 or newer, on PATH",
    )


def redis_version(server: str) -> str:
    """What `redis-server --version` calls itself, as `7.0.15`; empty where it says nothing of the kind.

    :raises EngineError: it cannot be run
    """
    try:
        said = subprocess.run([server, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(
            "redis-start",
            f"{server} cannot be run: {error}",
            why="it is not there, or built for another system",
            hint="put another redis-server, 6.2 or newer, on PATH",
        ) from error
    found = re.search(r"\bv=(\d+(?:\.\d+)*)", said)
    return found[1] if found else ""


def free_port() -> int:
    """A port of the loopback address that nobody is listening at."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _configuration(redis: LocalRedis) -> str:
    lines = [
        f"bind {redis.address.host}",
        f"port {redis.address.port}",
        *(f"{name} {value}" for name, value in BOUNDS.items()),
        " ".join(["user", *participant_rules(redis.password)]),
        " ".join(["user", *runner_rules(redis.runner_password)]),
        'save ""',
        "appendonly no",
        "daemonize no",
        'logfile ""',
        "loglevel notice",
    ]
    return "\n".join([*lines, ""])


class _Log:
    """What Redis says, and whether it has said that it is ready."""

    def __init__(self) -> None:
        self._kept = Capture(64 * 1024)
        self.has_result = threading.Event()
        self.ready = False

    def output(self, stream: Stream, data: bytes) -> None:
        del stream
        self._kept.write(0.0, data)
        if not self.has_result.is_set() and READY in self.text():
            self.ready = True
            self.has_result.set()

    def ended(self, exit_code: int, *, out_of_memory: bool) -> None:
        self.output("stderr", f"\nit ended with exit code {exit_code}{', out of memory' * out_of_memory}\n".encode())
        self.has_result.set()

    def lost(self, why: str, error: Exception | None = None) -> None:
        del error
        self.output("stderr", f"\n{why}\n".encode())
        self.has_result.set()

    def text(self) -> str:
        return self._kept.text()

    def last_line(self) -> str:
        """The last line of its own, and how it ended."""
        lines = [line.strip() for line in self.text().splitlines() if line.strip()]
        return " · ".join(lines[-2:]) or f"it said nothing for {START_SECONDS:g} seconds"
