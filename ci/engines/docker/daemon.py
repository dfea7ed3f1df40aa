"""Talking to a Docker daemon: one place where its errors become ours, and where our labels are made and read."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import docker
import docker.constants
import docker.errors
import requests.exceptions

from ci.engines.docker.address import EngineAddress, find_engine
from ci.errors import EngineError

if TYPE_CHECKING:
    from ci.images.caches.base import Limits

__all__ = ["LABEL", "TROUBLE", "Daemon", "EngineClient", "connect", "owner_lives", "sweep"]

LABEL: Final = "org.interop-matrix"
MINIMUM_API: Final = (1, 41)

_BOOT: Final = "/proc/sys/kernel/random/boot_id"
_PID_NAMESPACE: Final = "/proc/self/ns/pid"

# Parts of an address that say which thing is meant: its id or name, and the version of the interface.
_NAMED: Final = re.compile(r"v1\.\d+|[0-9a-f]{12,64}|.*[:.].*")
# As many connections as a worker may have open at once: each side is attached to, waited for and asked about.
PER_WORKER: Final = 8

# What an API call may fail with when the engine itself is in trouble.
TROUBLE: Final = (docker.errors.DockerException, requests.exceptions.RequestException, OSError)


class _Api(docker.APIClient):
    """Counts what the engine is asked: each request is a round trip, and cases are paid for in these."""

    def __init__(self, **options: Any) -> None:
        self.asked: Counter[str] = Counter()
        super().__init__(**options)

    def send(self, request: Any, **kwargs: Any) -> Any:
        path = urlsplit(request.url).path
        # Without the version, and with no name or number of anything: `POST containers/start`.
        words = [it for it in path.split("/")[1:] if not _NAMED.fullmatch(it)]
        self.asked[" ".join((request.method, "/".join(words)))] += 1
        return super().send(request, **kwargs)

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Whom an engine's own keys say to trust is not for REQUESTS_CA_BUNDLE to say: left alone, it would win."""
        verify = self.verify if verify is None else verify
        return super().merge_environment_settings(url, proxies, stream, verify, cert)


class _ImpatientApi(_Api):
    """For what an engine asks of a registry: the SDK would wait for ever between two lines of its progress."""

    def __init__(self, address: EngineAddress, silence: float, *, version: str) -> None:
        self._silence = silence
        super().__init__(
            base_url=address.host,
            version=version,  # as it is known: otherwise the engine is asked for it each time
            tls=address.tls or False,
            use_ssh_client=True,
            timeout=int(silence),
        )

    def send(self, request: Any, **kwargs: Any) -> Any:
        """Where no end was asked for, an end there is."""
        return super().send(request, **{**kwargs, "timeout": self._silence})


class EngineClient(docker.DockerClient):
    """The SDK's client, and where its engine is.

    :param workers: cases at once
    :raises DockerException, RequestException, OSError: nobody answers there
    """

    def __init__(self, address: EngineAddress, *, workers: int = 1) -> None:
        self.address = address
        self.api: _Api = _Api(
            base_url=address.host,
            tls=address.tls or False,
            use_ssh_client=True,  # with the keys and settings that `docker` uses
            timeout=120,
            max_pool_size=max(PER_WORKER * workers, 16),
        )


def connect(environment: Mapping[str, str] | None = None, *, workers: int = 1) -> EngineClient:
    """A client of the engine that `docker` itself would use.

    :param environment: in place of this process's variables
    :param workers: cases at once
    :raises EngineError: no engine answers, or it is too old
    """
    address = find_engine(os.environ if environment is None else environment)
    where = f" at {address}" if address.context else ""
    try:
        _knock(address.host)
        client = EngineClient(address, workers=workers)
        version = client.api.version()
        api = tuple(int(part) for part in version["ApiVersion"].split("."))
    # The last ones: an address that is none, or what answers there is no engine.
    except (*TROUBLE, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(
            "engine-unreachable",
            f"no Docker engine answers{where}: {error}",
            why="it is not installed, not started, or this user may not talk to it",
            hint="start it (`systemctl start docker`, `dockerd`, Docker Desktop), check with `docker version`",
        ) from error
    if any(it.get("Name") == "Podman Engine" for it in version.get("Components") or ()):
        client.close()
        raise EngineError(
            "engine-podman",
            f"Podman {version['Version']} answers{where or f' at {address}'}, which is not supported",
            why="its Docker-compatible socket was tried (4.3): containers start, and what they publish on the loopback "
            "address, where Redis is reached, does not come through",
            hint="let DOCKER_HOST or the context name a Docker engine; or --engine local, which needs none",
        )
    if api < MINIMUM_API:
        client.close()
        raise EngineError(
            "engine-too-old",
            f"Docker engine {version['Version']} speaks API {version['ApiVersion']}; the oldest that will do is 1.41",
            why="it is older than Docker 20.10",
            hint="upgrade the engine",
        )
    return client


def _knock(host: str) -> None:
    """See whether anybody is there before the SDK does: it leaves the socket open when nobody is."""
    if host.startswith("unix://") and hasattr(socket, "AF_UNIX") and not docker.constants.IS_WINDOWS_PLATFORM:
        path = host.removeprefix("unix://")
        with socket.socket(socket.AF_UNIX) as door:
            try:
                door.connect(path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, path) from error


class Daemon:
    """A Docker daemon as one run uses it: every object it makes can be told apart by its labels.

    :param run: the run on whose behalf things are made; part of every label and name
    :param keep: what it makes is meant to outlive this process, so nobody sweeps it
    """

    def __init__(self, client: EngineClient, *, run: str, keep: bool = False) -> None:
        self.api = client.api
        self.address = client.address
        self.keep = keep
        self._run = run
        self._pid = os.getpid()
        # Two runs of the same name on one host must not meet.
        self.prefix = f"interop-{run[:12]}-{self._pid}"
        self._serial = itertools.count(1)

    def name(self, what: str) -> str:
        """A name that nothing has had: what the engine did not manage to remove may still have its own."""
        return f"{self.prefix}-{what}.{next(self._serial)}"

    def labels(self, **more: str) -> dict[str, str]:
        """Labels that say what a thing is and whose: whether its owner still lives can be told from them alone."""
        words = {
            "run": self._run,
            **_here(),
            "pid": str(self._pid),
            "pid-started": _start_time(self._pid),
            "created": str(int(time.time())),
            **({"keep": "1"} if self.keep else {}),
            **more,
        }
        return {LABEL: "1"} | {f"{LABEL}.{name}": value for name, value in words.items()}

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the engine.

        :raises EngineError: whatever goes wrong here is the engine's trouble, not an implementation's
        """
        try:
            return function(*args, **kwargs)
        except TROUBLE as error:
            raise self.trouble(str(error)) from error

    def image(self, reference: str) -> Mapping[str, Any] | None:
        """What the engine knows of an image; None if it has none of that name.

        :raises EngineError: it does not answer
        """
        inspect: Any = self.api.inspect_image  # the SDK leaves this part of it untyped
        try:
            found: Mapping[str, Any] = inspect(reference)
        except docker.errors.NotFound:
            return None
        except TROUBLE as error:
            raise self.trouble(str(error)) from error
        return found

    def pull(self, reference: str, *, stopped: Callable[[], bool] = lambda: False) -> str | None:
        """Pull an image; None once that is done, else why it could not be, in the engine's own words.

        :param stopped: asked now and then; the pull is broken off where it says so
        :raises EngineError: the engine does not answer
        """
        return self._said(lambda: self.api.pull(reference, stream=True, decode=True), stopped)

    def export(self, tag: str) -> Iterator[bytes]:
        """An image as an archive.

        :raises EngineError: the engine does not answer, or has no such image
        """
        try:
            yield from self.api.get_image(tag)
        except TROUBLE as error:
            raise self.trouble(str(error)) from error

    def load(self, archive: IO[bytes]) -> str | None:
        """Give the engine an archive of images; None once it has them, else why it does not take them, in its words.

        :raises EngineError: the engine does not answer
        """
        load: Any = self.api.load_image  # the SDK leaves it untyped
        return self._said(lambda: load(archive))

    def load_whole(self, archive: IO[bytes]) -> str:
        """Give the engine an archive of images; all that it says of that.

        :raises EngineError: the engine does not answer
        """
        load: Any = self.api.load_image  # the SDK leaves it untyped
        try:
            return "".join(str(line.get("stream") or line.get("error") or "") for line in load(archive))
        except docker.errors.APIError as error:
            return str(error.explanation or error)
        except TROUBLE as error:
            raise self.trouble(str(error)) from error

    def fetch(self, reference: str, limits: Limits) -> str | None:
        """See `ImageStore.fetch`."""
        return self._asked(limits, lambda api: api.pull(reference, stream=True, decode=True))

    def publish(self, reference: str, limits: Limits) -> str | None:
        """See `ImageStore.publish`."""
        return self._asked(limits, lambda api: api.push(reference, stream=True, decode=True))

    def published(self, reference: str, limits: Limits) -> str | None:
        """See `ImageStore.published`."""

        def ask(api: Any) -> Iterator[Mapping[str, str]]:
            api.inspect_distribution(reference)
            yield {}

        return self._asked(limits, ask)

    def alias(self, old: str, new: str) -> None:
        """See `ImageStore.alias`."""
        repository, _, tag = new.rpartition(":")
        self.call(self.api.tag, old, repository, tag)

    def forget(self, name: str) -> None:
        """See `ImageStore.forget`."""
        remove: Any = self.api.remove_image  # the SDK leaves it untyped
        self.quietly(remove, name, noprune=True)

    def _asked(self, limits: Limits, question: Callable[[Any], Iterable[Any]]) -> str | None:
        """What an engine says of something that it asks of a registry, which may leave it without an answer."""
        try:
            api = _ImpatientApi(self.address, limits.silence, version=self.api.api_version)
            try:
                return self._said(lambda: question(api), limits.stopped.is_set)
            finally:
                api.close()
        except EngineError as error:
            if isinstance(error.__cause__, requests.exceptions.RequestException) and self._lives():
                return f"nothing came for {limits.silence:g} s"
            raise

    def _lives(self) -> bool:
        """Whether the engine itself answers."""
        try:
            return bool(self.api.ping())
        except TROUBLE:
            return False

    def _said(self, begin: Callable[[], Iterable[Any]], stopped: Callable[[], bool] = lambda: False) -> str | None:
        """The first complaint in what an engine reports of its progress, which may also be all that it answers."""
        try:
            for line in begin():
                if complaint := line.get("error") or line.get("message"):
                    return str(complaint)
                if stopped():
                    return "interrupted"
        except docker.errors.APIError as error:
            return str(error.explanation or error)
        except TROUBLE as error:
            raise self.trouble(str(error)) from error
        return None

    def quietly(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """For tidying up: what is already gone, or an engine that is, must not hide the first error."""
        with contextlib.suppress(*TROUBLE):
            function(*args, **kwargs)

    def remove(self, container: str) -> None:
        self.quietly(self.api.remove_container, container, force=True, v=True)

    @staticmethod
    def trouble(what: str) -> EngineError:
        return EngineError(
            "engine-lost",
            f"the Docker engine failed: {what}",
            why="it was stopped or restarted, its disk is full, or its address pools are used up",
            hint="look at `docker info` and the engine's log, then run the same command again",
        )


def _start_time(pid: int) -> str:
    """Start time of a process in clock ticks since boot: tells a process from a later one with the same number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:  # noqa: PTH123 -- not a file
            return stat.read().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _here() -> dict[str, str]:
    """Where a process number means what it means to us.

    A host's name alone is that of others, too: of another machine at the same engine, of a container with its network.
    """
    return {"host": socket.gethostname(), "boot": _read(_BOOT), "pid-namespace": _link(_PID_NAMESPACE)}


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""  # not on Linux


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 -- it is not the path of anything
    except OSError:
        return ""


def owner_lives(labels: Mapping[str, str]) -> bool | None:
    """Whether the process named in the labels still runs; None where that cannot be told from this host."""
    pid = labels.get(f"{LABEL}.pid", "")
    if not pid.isdigit() or any(labels.get(f"{LABEL}.{name}") != value for name, value in _here().items()):
        return None
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return _start_time(int(pid)) == labels.get(f"{LABEL}.pid-started", "")


def _abandoned(labels: Mapping[str, str]) -> bool:
    """Whether its owner is gone and did not mean it to stay."""
    return owner_lives(labels) is False and f"{LABEL}.keep" not in labels


def sweep(api: docker.APIClient) -> int:
    """Remove what killed runs have left on this host, and nothing else. Returns how many things that were."""
    removed = 0
    ours = {"label": LABEL}
    with contextlib.suppress(*TROUBLE):
        for container in api.containers(all=True, filters=ours):
            if _abandoned(container["Labels"]):
                with contextlib.suppress(docker.errors.APIError):
                    api.remove_container(container["Id"], force=True, v=True)
                    removed += 1
        for network in api.networks(filters=ours):
            if _abandoned(network["Labels"]):
                with contextlib.suppress(docker.errors.APIError):
                    api.remove_network(network["Id"])
                    removed += 1
    return removed
