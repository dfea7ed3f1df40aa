"""Real Redis servers for tests that need one to themselves, and may kill it."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from ci.engines.daemon import Daemon
from ci.scene import Address

__all__ = ["RedisServer", "free_port", "redis_container", "redis_process"]

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


def free_port(host: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@contextmanager
def redis_process(folder: Path, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[RedisServer]:
    port = port or free_port(host)
    command = ["redis-server", "--bind", host, "--port", str(port), "--dir", str(folder), *OPTIONS]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield RedisServer(address=Address(host=host, port=port), kill=process.kill)
        finally:
            process.kill()


@contextmanager
def redis_container(daemon: Daemon, image: str) -> Iterator[RedisServer]:
    api = daemon.api
    container = api.create_container(
        image,
        ["redis-server", "--bind", "0.0.0.0", *OPTIONS],  # noqa: S104 -- its port is published on loopback only
        ports=[6379],
        labels=daemon.labels(role="helper"),
        host_config=api.create_host_config(port_bindings={6379: ("127.0.0.1", None)}),
    )["Id"]
    try:
        api.start(container)
        port = int(api.port(container, 6379)[0]["HostPort"])
        yield RedisServer(address=Address(host="127.0.0.1", port=port), kill=lambda: api.kill(container))
    finally:
        daemon.remove(container)
