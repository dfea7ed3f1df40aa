"""Which Docker engine is meant, found out as the `docker` command does it, once for everything that talks to it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import docker.constants
import docker.errors
import docker.tls

from ci.errors import EngineError
from ci.util.suggest import shown, shown_path

__all__ = ["EngineAddress", "find_engine", "require_docker_command"]

DEFAULT_CONTEXT: Final = "default"
# What of a process's variables names an engine.
_NAMING: Final = ("DOCKER_HOST", "DOCKER_CONTEXT")


@dataclass(frozen=True, kw_only=True)
class EngineAddress:
    """Where an engine is.

    :param host: such as `unix:///var/run/docker.sock`, `tcp://example.org:2376`, `ssh://somebody@example.org`
    :param context: the context of the `docker` command that it comes from; empty where it comes from none
    :param tls: keys and certificates to talk to it with, if that takes any
    :param environment: variables with which `docker`, and whatever calls it, talks to this engine and to no other
    """

    host: str
    context: str = ""
    tls: docker.tls.TLSConfig | None = None
    environment: Mapping[str, str] = field(repr=False)

    @property
    def is_local(self) -> bool:
        """Whether its files and its loopback are those of this host, as far as an address can tell."""
        return self.host.startswith(("unix://", "npipe://"))

    def __str__(self) -> str:
        return f"{self.host} (context `{self.context}`)" if self.context else self.host


def find_engine(environment: Mapping[str, str]) -> EngineAddress:
    """`DOCKER_HOST`, else the context named by `DOCKER_CONTEXT`, else the current one, else the default socket.

    :raises EngineError: there is no such context, or nobody can read it
    """
    others = {name: value for name, value in environment.items() if name not in _NAMING}
    if host := environment.get("DOCKER_HOST", ""):
        return EngineAddress(host=host, tls=_tls_of_variables(environment), environment=others | {"DOCKER_HOST": host})
    folder = _configuration(environment)
    given = environment.get("DOCKER_CONTEXT", "")
    name = given or _current_context(folder) or DEFAULT_CONTEXT
    pinned = others | {"DOCKER_CONTEXT": name}
    if name == DEFAULT_CONTEXT:
        return EngineAddress(host=_default_host(), environment=pinned)
    because = "$DOCKER_CONTEXT names it" if given else f"{shown_path(folder / 'config.json')} calls it the current one"
    host, tls = _context(folder / "contexts", name, because)
    return EngineAddress(host=host, context=name, tls=tls, environment=pinned)


def require_docker_command(environment: Mapping[str, str]) -> None:
    """:raises EngineError: there is no `docker` command, which images are built with"""
    if shutil.which("docker", path=environment.get("PATH", os.defpath)) is None:
        raise EngineError(
            "no-docker-command",
            "the engine answers, and there is no `docker` command on PATH to build images with",
            why="Docker's command line is a package of its own, and this host has only the engine, or its socket",
            hint="install it (`apt-get install docker-cli`, or Docker's own package docker-ce-cli)",
        )


def _default_host() -> str:
    if docker.constants.IS_WINDOWS_PLATFORM:
        return str(docker.constants.DEFAULT_NPIPE)
    return f"unix://{docker.constants.DEFAULT_UNIX_SOCKET.partition('://')[2]}"


def _configuration(environment: Mapping[str, str]) -> Path:
    """The folder in which the `docker` command keeps what it is told to remember."""
    given = environment.get("DOCKER_CONFIG")
    return Path(given) if given else Path(environment.get("HOME") or os.path.expanduser("~"), ".docker")  # noqa: PTH111


def _current_context(folder: Path) -> str:
    try:
        found = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return ""  # `docker` warns of a broken one, and goes on without
    name = found.get("currentContext") if isinstance(found, dict) else None
    return name if isinstance(name, str) else ""


def _context(contexts: Path, name: str, because: str) -> tuple[str, docker.tls.TLSConfig | None]:
    key = hashlib.sha256(name.encode()).hexdigest()
    try:
        endpoint = json.loads((contexts / "meta" / key / "meta.json").read_bytes())["Endpoints"]["docker"]
        host, unverified = str(endpoint["Host"]), bool(endpoint.get("SkipTLSVerify"))
        return host, _tls_of_folder(contexts / "tls" / key / "docker", verify=not unverified)
    except FileNotFoundError:
        what = f"there is no Docker context `{shown(name)}`"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, docker.errors.DockerException) as error:
        what = f"the Docker context `{shown(name)}` cannot be read: {type(error).__name__}: {error}"
    raise EngineError(
        "no-docker-context",
        what,
        why=f"{because}, and what {shown_path(contexts)} holds of it is not there or not whole",
        hint="see `docker context ls`, then `docker context use NAME`; or name an engine in DOCKER_HOST",
    )


def _tls_of_folder(folder: Path, *, verify: bool) -> docker.tls.TLSConfig | None:
    """From an authority's certificate, a client's own and its key, in files of fixed names, all optional."""
    ca, certificate, key = (folder / f"{name}.pem" for name in ("ca", "cert", "key"))
    if not folder.is_dir():
        return None if verify else docker.tls.TLSConfig(verify=False)
    return docker.tls.TLSConfig(
        client_cert=(str(certificate), str(key)) if certificate.exists() else None,
        ca_cert=str(ca) if ca.exists() else None,
        verify=verify,
    )


def _tls_of_variables(environment: Mapping[str, str]) -> docker.tls.TLSConfig | None:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    if not (verify or environment.get("DOCKER_TLS")):
        return None
    given = environment.get("DOCKER_CERT_PATH")
    folder = Path(given) if given else _configuration(environment)
    try:
        return _tls_of_folder(folder, verify=verify)
    except docker.errors.DockerException as error:
        raise EngineError(
            "engine-keys",
            f"{shown_path(folder)} has no keys to talk to the Docker engine with: {error}",
            why="DOCKER_TLS_VERIFY or DOCKER_TLS asks for TLS, with the keys in DOCKER_CERT_PATH",
            hint="name the folder of ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH, or unset the others",
        ) from error
