"""Real Redis servers for tests that need one to themselves, and may kill it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import redis

from ci.engines.local.builds import Builds
from ci.engines.local.redis import redis_version
from ci.spec.attempt import Address

__all__ = ["RedisServer", "free_port", "redis_process", "redis_program"]

OPTIONS = ("--protected-mode", "no", "--appendonly", "no", "--save", "")


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """Not necessarily answering yet.

    :param kill: end it at once, as a crash would
    """

    address: Address
    kill: Callable[[], None]

    def client(self) -> redis.Redis:
        """A client that speaks for the peers of a case."""
        return redis.Redis(host=self.address.host, port=self.address.port, protocol=2)


ROOT: Final = Path(__file__).parents[1]


@cache
def redis_program() -> Path:
    """`redis-server` on PATH if it will do, else the one the local engine would run; `redis-cli` is beside it."""
    found = shutil.which("redis-server")
    if found is not None and shutil.which("redis-cli", path=str(Path(found).parent)) is not None:
        version = tuple(int(part) for part in redis_version(found).split(".") if part)
        if version >= (6, 2):
            return Path(found)
    return Builds.of_user(ROOT, os.environ).redis_server()


def free_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_process(folder: Path, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RedisServer]:
    port = port or free_port(host)
    command = [str(redis_program()), "--bind", host, "--port", str(port), "--dir", str(folder), *OPTIONS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield RedisServer(address=Address(host=host, port=port), kill=process.kill)
        finally:
            process.kill()
