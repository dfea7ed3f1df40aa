"""One engine for the SDK, for `docker` and for `make`, whichever way it is named; contexts are made by `docker`."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from engine_fronts import Front, engine_front

from ci.__main__ import main
from ci.engines.docker.address import find_engine
from ci.engines.docker.daemon import Daemon, connect
from ci.engines.docker.helper_image import ensure_base
from ci.engines.docker.helper_image import helper_image as make_helper_image
from ci.engines.docker.images import Images
from ci.errors import EngineError, ExitCode
from ci.images.base import ImageReport, ImageStatus
from ci.model import BuildRecipe, Transport, Version

pytestmark = pytest.mark.docker

SOCKET = "unix:///run/another.sock"
FAR = "tcp://far.example:2376"


def docker(environment: Mapping[str, str], *words: str) -> str:
    done = subprocess.run(["docker", *words], env=dict(environment), check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def user(tmp_path: Path, daemon: Daemon) -> dict[str, str]:
    """Variables of a user who has two contexts, `far` and `near`, of which `near` is the current one."""
    del daemon
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    environment["DOCKER_CONFIG"] = str(tmp_path / "docker")
    docker(environment, "context", "create", "near", "--docker", f"host={SOCKET}")
    docker(environment, "context", "create", "far", "--docker", f"host={FAR},skip-tls-verify=true")
    docker(environment, "context", "use", "near")
    return environment


@pytest.mark.parametrize(
    ("given", "host", "context"),
    [
        ({}, SOCKET, "near"),
        ({"DOCKER_CONTEXT": "far"}, FAR, "far"),
        ({"DOCKER_CONTEXT": "default"}, "unix:///var/run/docker.sock", ""),
        ({"DOCKER_CONTEXT": "far", "DOCKER_HOST": "tcp://10.0.0.1:2375"}, "tcp://10.0.0.1:2375", ""),
        ({"DOCKER_CONTEXT": "", "DOCKER_HOST": ""}, SOCKET, "near"),
    ],
    ids=["current", "named", "default", "host", "empty"],
)
def test_the_engine_is_the_one_that_docker_takes(
    user: dict[str, str], given: dict[str, str], host: str, context: str
) -> None:
    found = find_engine(user | given)

    assert (found.host, found.context) == (host, context)
    assert found.is_local is host.startswith("unix:")
    # `docker` by itself, and with what it is handed when another context has become the current one.
    inspect = ("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    assert docker(user | given, *inspect) == host
    docker(user, "context", "use", "far" if context != "far" else "near")
    assert docker(found.environment, *inspect) == host


def test_without_any_configuration_it_is_the_default_socket(tmp_path: Path) -> None:
    found = find_engine({"HOME": str(tmp_path)})
    assert (found.host, found.context, found.tls) == ("unix:///var/run/docker.sock", "", None)


def test_a_context_that_is_not_there_is_no_engine(user: dict[str, str]) -> None:
    with pytest.raises(EngineError) as caught:
        find_engine(user | {"DOCKER_CONTEXT": "gone"})
    assert caught.value.message == "there is no Docker context `gone`"
    assert "$DOCKER_CONTEXT" in caught.value.why

    shutil.rmtree(Path(user["DOCKER_CONFIG"], "contexts", "meta"))
    with pytest.raises(EngineError) as caught:
        connect(user)
    assert "config.json calls it the current one" in caught.value.why


def test_keys_that_are_asked_for_and_not_there_are_told(user: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "cert.pem").touch()
    wants = {"DOCKER_HOST": FAR, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    with pytest.raises(EngineError, match="no keys to talk to the Docker engine with"):
        find_engine(user | wants)


# --- an engine that is reached with keys alone ------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Folder of ca.pem, cert.pem, key.pem: one certificate for everybody, its own authority."""
    folder = tmp_path / "keys"
    folder.mkdir()
    subject = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem"))
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files)
    subprocess.run(command, check=True, capture_output=True)
    shutil.copy(folder / "cert.pem", folder / "ca.pem")
    return folder


@pytest.fixture
def front(tmp_path: Path, keys: Path, daemon: Daemon) -> Iterator[Front]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys / "ca.pem"))
    context.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with engine_front(daemon.address.host, tmp_path / "none", keys=context) as it:
        yield it


RECIPE = "ARG BASE\nARG BUILD_BASE\nFROM scratch\nCOPY file /\n"


def test_keys_of_a_context_serve_the_sdk_and_make_alike(
    user: dict[str, str],
    front: Front,
    keys: Path,
    tmp_path: Path,
    daemon: Daemon,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_keys = ",".join(f"{name}={keys / name}.pem" for name in ("ca", "cert", "key"))
    docker(user, "context", "create", "guarded", "--docker", f"host={front.host},{with_keys}")
    docker(user, "context", "use", "guarded")
    folder = tmp_path / "impls/toy/v1"
    folder.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "impls/image.mk", tmp_path / "impls")
    for name, text in (("Makefile", "include ../../image.mk\n"), ("Dockerfile", RECIPE), ("file", str(tmp_path))):
        (folder / name).write_text(text, encoding="utf-8")
    version = Version(
        id="guarded-v1",
        family="toy",
        source=BuildRecipe(folder="impls/toy/v1"),
        transports=(Transport(name="quic-v1"),),
    )

    # Whom this one says to trust is for package registries.
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "somebody-elses.pem"))
    client = connect(user)
    try:
        assert str(client.address) == f"{front.host} (context `guarded`)"
        there = Daemon(client, run="guarded")
        images = Images(there, root=tmp_path, key_of=lambda _: "c" * 64)
        # Whoever asks for another one now gets it, and this run keeps its own.
        docker(user, "context", "use", "near")
        monkeypatch.setenv("DOCKER_HOST", SOCKET)
        lines: list[ImageReport] = []
        images.provide([version], lines.append)
        assert [line.status for line in lines] == [ImageStatus.BUILT], lines
    finally:
        client.close()
        daemon.quietly(daemon.api.remove_image, images.tag(version, "c" * 64))
    assert any(b"/build?" in line for line in front.seen), front.seen  # make's `docker build`
    assert any(b"/tag?" in line for line in front.seen)  # the SDK's


def test_keys_that_nobody_trusts_are_no_way_in(user: dict[str, str], front: Front) -> None:
    docker(user, "context", "create", "open", "--docker", f"host={front.host},skip-tls-verify=true")
    with pytest.raises(EngineError) as caught:
        connect(user | {"DOCKER_CONTEXT": "open"})
    assert f"no Docker engine answers at {front.host} (context `open`)" in caught.value.message


# --- an engine and no command -----------------------------------------------------------------------------


def test_without_the_docker_command_what_is_built_is_an_engine_matter(
    daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_helper_image(daemon, Path(__file__).parents[2])  # what is there needs no command
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("make", "sh", "tar"):
        (tools / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "impls/toy/v1"
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text("all:\n\tdocker build .\n", encoding="utf-8")
    row = "  - id: toy-v1\n    family: toy\n    build: impls/toy/v1\n    transports: [quic-v1]\n"
    (tmp_path / "versions.yaml").write_text(f"schema: 1\nversions:\n{row}", encoding="utf-8")

    assert main(["build-images", "--engine", "docker"]) == ExitCode.ENGINE
    assert "there is no `docker` command on PATH" in capsys.readouterr().out

    with closing(connect()) as client, pytest.raises(EngineError) as caught:
        ensure_base(Daemon(client, run="tests"), tmp_path, image="interop/nobody-has-it:1")
    assert caught.value.reference == "no-docker-command"
