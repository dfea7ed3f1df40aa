"""What a run asks of this endpoint: the environment of the container contract, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

#: Test cases only the WebTransport suite has, and by what each of them asks for a file.
WEBTRANSPORT_TRANSFERS = {
    f"transfer-{name}-{direction}": name
    for name in ("unidirectional", "bidirectional", "datagram")
    for direction in ("receive", "send")
}


class UnsupportedError(Exception):
    """The endpoint does not do this test case; its exit code is 127."""


@dataclass(frozen=True)
class Places:
    """Where the contract puts things: three folders, the port of the server, and the logs."""

    www: Path = Path("/www")
    downloads: Path = Path("/downloads")
    certificates: Path = Path("/certs")
    port: int = 443
    key_log: Path | None = None
    qlog: Path | None = None


@dataclass(frozen=True)
class Url:
    """One URL of REQUESTS. `path` begins with a slash, `port` is 443 unless the URL names another."""

    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as HTTP names them: the default port goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    @property
    def file(self) -> str:
        """The name of the file, which is the path's last part."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True)
class Task:
    """One run of one side."""

    role: str
    testcase: str
    requests: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    places: Places = field(default_factory=Places)

    @property
    def is_webtransport(self) -> bool:
        """Whether it is the WebTransport suite that asks: `handshake` and `transfer` mean another thing there."""
        return bool(self.protocols) or self.testcase in WEBTRANSPORT_TRANSFERS

    @property
    def urls(self) -> list[Url]:
        """The client's requests."""
        return [parse_url(text) for text in self.requests]


def parse_url(text: str) -> Url:
    """Take `https://host[:port]/path` apart; `ValueError` if it is something else."""
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError(f"{text!r} is not an https URL")
    return Url(parts.hostname, parts.port or 443, parts.path or "/")


def endpoint_and_file(path: str) -> tuple[str, str]:
    """The WebTransport endpoint, which is a path's first part, and the file behind it: empty if there is none."""
    endpoint, _, name = path.lstrip("/").partition("/")
    if not endpoint:
        raise ValueError(f"{path!r} names no WebTransport endpoint")
    return endpoint, name


def by_endpoint(paths: list[str]) -> dict[str, list[str]]:
    """The files wanted of each WebTransport endpoint, which may be none."""
    wanted: dict[str, list[str]] = {}
    for path in paths:
        endpoint, name = endpoint_and_file(path)
        names = wanted.setdefault(endpoint, [])
        if name:
            names.append(name)
    return wanted


def from_environment(environment: Mapping[str, str]) -> Task:
    """The task of this container."""
    return Task(
        role=environment.get("ROLE", ""),
        testcase=environment.get("TESTCASE", ""),
        requests=tuple(environment.get("REQUESTS", "").split()),
        protocols=tuple(environment.get("PROTOCOLS", "").split()),
        places=Places(
            key_log=optional_path(environment.get("SSLKEYLOGFILE")), qlog=optional_path(environment.get("QLOGDIR"))
        ),
    )


def optional_path(text: str | None) -> Path | None:
    """No path for a variable that is empty or not there."""
    return Path(text) if text else None
