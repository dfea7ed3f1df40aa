"""`gc` on a real engine: throw-away things with old stamps beside young, living, foreign and unlabelled ones.

The stamps are of 1970 and the age asked for is decades, so that nothing else on the engine can be that old.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from ci.__main__ import main
from ci.engines.docker.daemon import LABEL, Daemon, owner_lives
from ci.engines.docker.gc import STAGE_LABEL, DockerLeftovers
from ci.engines.gc import Kind, Leftover, Owner, Rule
from ci.errors import EngineError, ExitCode

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parents[2]
DECADES = "10000d"
LONG_AGO = "1"


class Workshop:
    """Makes things of every kind with the labels it is told, and removes all of them in the end."""

    def __init__(self, daemon: Daemon) -> None:
        self.word = f"gc{secrets.token_hex(4)}"
        self._api = daemon.api
        self._stack = contextlib.ExitStack()
        self.image = self.make_image(f"{self.word}-base:1", {})

    def close(self) -> None:
        self._stack.close()

    def container(self, name: str, labels: dict[str, str]) -> None:
        name = f"{self.word}-{name}"
        self._api.create_container(self.image, ["/never-started"], name=name, labels=labels)
        self._on_close(self._api.remove_container, name, force=True)

    def network(self, name: str, labels: dict[str, str]) -> None:
        made = self._api.create_network(f"{self.word}-{name}", driver="bridge", internal=True, labels=labels)["Id"]
        self._on_close(self._api.remove_network, made)

    def volume(self, name: str, labels: dict[str, str]) -> None:
        self._api.create_volume(f"{self.word}-{name}", labels=labels)
        self._on_close(self._api.remove_volume, f"{self.word}-{name}")

    def make_image(self, reference: str, labels: dict[str, str]) -> str:
        """An image of one file of its own, by id; without a name where `reference` is empty."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(tarfile.TarInfo(secrets.token_hex(8)))
        repository, _, tag = reference.rpartition(":")
        changes = [f'LABEL {name}="{value}"' for name, value in labels.items()]
        said = self._api.import_image_from_data(
            archive.getvalue(), repository=repository or None, tag=tag or None, changes=changes
        )
        identity = str(json.loads(said.strip().splitlines()[-1])["status"])
        self._on_close(self._api.remove_image, reference or identity, force=True)
        return identity

    def tag(self, image: str, reference: str) -> None:
        repository, _, tag = reference.rpartition(":")
        self._api.tag(image, repository, tag)
        self._on_close(self._api.remove_image, reference)

    def there(self) -> set[str]:
        """Names of what is still there, without the word that makes them unique."""
        mine = {"name": self.word}
        found = [
            *(it["Names"][0].lstrip("/") for it in self._api.containers(all=True, filters=mine)),
            *(it["Name"] for it in self._api.networks(filters=mine)),
            *(it["Name"] for it in self._api.volumes(filters=mine)["Volumes"] or ()),
            *(tag for it in self._api.images() for tag in it["RepoTags"] or () if self.word in tag),
        ]
        return {name.partition(f"{self.word}-")[2] for name in found} - {"base:1"}

    def _on_close(self, remove: Any, *args: Any, **kwargs: Any) -> None:
        def quietly() -> None:
            with contextlib.suppress(docker.errors.NotFound):
                remove(*args, **kwargs)

        self._stack.callback(quietly)


@pytest.fixture
def workshop(daemon: Daemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workshop]:
    monkeypatch.setenv("INTEROP_CACHE", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    workshop = Workshop(daemon)
    try:
        yield workshop
    finally:
        workshop.close()


@pytest.fixture(scope="module")
def dead(daemon: Daemon) -> dict[str, str]:
    """Labels of a process of this host that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return daemon.labels(**{"created": LONG_AGO, "pid": str(process.pid), "pid-started": "1"})


@pytest.fixture
def full(workshop: Workshop, daemon: Daemon, dead: dict[str, str]) -> Workshop:
    """Something of every kind and every fate."""
    young = dead | {f"{LABEL}.created": str(int(time.time()))}
    alive = daemon.labels(created=LONG_AGO)
    elsewhere = dead | {f"{LABEL}.host": f"{workshop.word}.example"}
    for make in (workshop.container, workshop.volume):
        make("old-dead", dead)
        make("young-dead", young)
        make("old-alive", alive)
        make("old-elsewhere", elsewhere)
        make("unlabelled", {})
    workshop.network("net-old-dead", dead)
    workshop.network("net-old-alive", alive)
    workshop.make_image(f"{workshop.word}-image-old-dead:1", dead)
    workshop.make_image(f"{workshop.word}-image-young-dead:1", young)
    workshop.make_image(f"{workshop.word}-image-unlabelled:1", {})
    return workshop


def gc(*words: str) -> int:
    return main(["gc", "--older-than", DECADES, "--versions", str(ROOT / "versions.yaml"), *words])


def test_without_yes_nothing_is_removed(full: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    before = full.there()
    assert gc() == ExitCode.GREEN
    assert full.there() == before
    listed = [line.split() for line in capsys.readouterr().out.splitlines() if full.word in line]
    assert {(line[-2], line[-1].partition("-")[2]) for line in listed} == {
        ("container", "old-dead"),
        ("volume", "old-dead"),
        ("network", "net-old-dead"),
        ("image", "image-old-dead:1"),
    }


def test_with_yes_exactly_the_old_and_dead_go(full: Workshop, dead: dict[str, str], daemon: Daemon) -> None:
    untagged = full.make_image("", dead)
    before = full.there()
    assert gc("--yes") == ExitCode.GREEN
    assert daemon.image(untagged) is None
    # A container and a volume have the same name; both are gone, or one would still be there.
    assert before - full.there() == {"old-dead", "net-old-dead", "image-old-dead:1"}
    assert gc("--yes", "--other-hosts") == ExitCode.GREEN
    assert before - full.there() == {"old-dead", "net-old-dead", "image-old-dead:1", "old-elsewhere"}


def test_what_the_engine_refuses_is_told(
    workshop: Workshop, dead: dict[str, str], daemon: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """A volume that a container of somebody else has mounted."""
    workshop.volume("used", dead)
    config = daemon.api.create_host_config(binds=[f"{workshop.word}-used:/data"])
    name = f"{workshop.word}-user"
    daemon.api.create_container(workshop.image, ["/never-started"], name=name, host_config=config)
    try:
        assert gc("--yes") == ExitCode.ENGINE
    finally:
        daemon.remove(name)
    assert workshop.there() == {"used"}
    assert f"{workshop.word}-used was not removed" in capsys.readouterr().out


# --- images named by content key --------------------------------------------------------------------------


def images(daemon: Daemon, word: str, *current: str) -> dict[str, Leftover]:
    """What is known of the images of that word, by tag."""
    found = DockerLeftovers(daemon, current=frozenset(current)).find()
    return {it.name.rpartition(":")[2]: it for it in found if it.kind is Kind.IMAGE and word in it.name}


def test_an_image_stays_while_its_key_is_current(workshop: Workshop, daemon: Daemon) -> None:
    repository = f"interop/{workshop.word}"
    now, before = f"{repository}:{'a' * 16}", f"{repository}:{'b' * 16}"
    image = workshop.make_image(now, {})
    workshop.tag(image, before)
    alias = image.removeprefix("sha256:")
    workshop.tag(image, f"{repository}:{alias}")
    workshop.tag(image, f"{repository}:by-hand")

    found = images(daemon, workshop.word, now)
    assert {tag: it.needed for tag, it in found.items()} == {
        "a" * 16: "it is current",
        "b" * 16: "",
        alias: "it is current under another name",
    }
    assert {it.owner for it in found.values()} == {Owner.SHARED}
    assert Rule(older_than=86400).keeps(found["b" * 16]) == "younger than 24 h"
    assert images(daemon, workshop.word)[alias].needed == ""

    DockerLeftovers(daemon, current=frozenset({now})).remove(found["b" * 16])
    assert daemon.image(before) is None
    assert daemon.image(now) is not None


def test_an_image_that_a_container_uses_stays(workshop: Workshop, daemon: Daemon) -> None:
    tag = f"interop/{workshop.word}:{'c' * 16}"
    workshop.image = workshop.make_image(tag, {})
    workshop.container("user", {})
    [it] = images(daemon, workshop.word).values()
    assert it.needed == "a container uses it"
    with pytest.raises(EngineError):
        DockerLeftovers(daemon, current=frozenset()).remove(it)
    assert daemon.image(tag) is not None


def test_no_image_goes_when_nobody_knows_what_is_current(workshop: Workshop, daemon: Daemon) -> None:
    workshop.make_image(f"interop/{workshop.word}:{'d' * 16}", {})
    found = DockerLeftovers(daemon, current=None).find()
    [it] = [it for it in found if workshop.word in it.name]
    assert "cannot be told" in it.needed


def test_the_stages_that_builds_leave_are_listed_and_their_base_is_not(workshop: Workshop, daemon: Daemon) -> None:
    base = f"interop/{workshop.word}:base"
    workshop.make_image(base, {STAGE_LABEL: "build"})
    context = io.BytesIO()
    recipe = f"FROM {base} AS build\nCOPY file /\nFROM scratch\nCOPY --from=build /file /\n".encode()
    with tarfile.open(fileobj=context, mode="w") as tar:
        for name, content in (("Dockerfile", recipe), ("file", workshop.word.encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    before = {it["Id"] for it in daemon.api.images()}
    made = f"interop/{workshop.word}:{'e' * 16}"
    command = ["docker", "build", "-q", "-t", made, "-"]
    environment = {**os.environ, "DOCKER_BUILDKIT": "0"}  # the other builder leaves no stages
    subprocess.run(command, input=context.getvalue(), check=True, capture_output=True, env=environment)
    try:
        left = [it for it in daemon.api.images() if it["Id"] not in before and STAGE_LABEL in (it["Labels"] or {})]
        [stage] = [it["Id"] for it in left]
        found = {it.handle: it for it in DockerLeftovers(daemon, current=frozenset({made})).find()}
        assert (found[stage].owner, found[stage].needed) == (Owner.SHARED, "")
        assert found[stage].name == f"stage {stage.removeprefix('sha256:')[:12]}"
        assert base not in found
        DockerLeftovers(daemon, current=frozenset()).remove(found[stage])
        assert daemon.image(stage) is None
    finally:
        remove: Any = daemon.api.remove_image
        remove(made)


def test_the_base_of_build_stages_is_given_the_label() -> None:
    assert f"--label {STAGE_LABEL}=" in (ROOT / "impls/base/make-build-base").read_text(encoding="utf-8")


def test_whether_an_owner_lives(daemon: Daemon, dead: dict[str, str]) -> None:
    mine = daemon.labels()
    assert owner_lives(mine) is True
    assert owner_lives(mine | {f"{LABEL}.pid-started": "1"}) is False
    assert owner_lives(dead) is False
    assert owner_lives(mine | {f"{LABEL}.pid": "9" * 30}) is False
    for name in ("host", "boot", "pid-namespace"):
        assert owner_lives(mine | {f"{LABEL}.{name}": "elsewhere.example"}) is None
        assert owner_lives({label: value for label, value in mine.items() if label != f"{LABEL}.{name}"}) is None
    assert owner_lives({LABEL: "1"}) is None
