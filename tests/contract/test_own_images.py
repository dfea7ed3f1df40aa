"""An image that is named by a path: an archive, or a folder with a Dockerfile."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from throwaways import Throwaways

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.helper_image import BASE
from ci.engines.docker.images import Images
from ci.images.base import Image, ImageReport, ImageStatus, PullPolicy, Unavailable
from ci.images.no_images import NoImages
from ci.model import PublishedImage, Transport, Version

pytestmark = pytest.mark.docker


def version(reference: str) -> Version:
    return Version(
        id="mine", family="mine", source=PublishedImage(reference=reference), transports=(Transport(name="quic-v1"),)
    )


def images(daemon: Daemon, **options: object) -> Images:
    return Images(daemon, root=Path("/nowhere"), key_of=lambda _: "a" * 64, **options)  # type: ignore[arg-type]


@pytest.fixture
def tag(throwaways: Throwaways) -> str:
    return throwaways.make()


def test_an_archive_is_loaded_once_and_its_digest_is_the_image(daemon: Daemon, tag: str, tmp_path: Path) -> None:
    digest = (daemon.image(tag) or {})["Id"]
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(daemon.export(tag)))
    daemon.forget(tag)
    found = images(daemon).find(version(str(archive)))
    assert isinstance(found, Image)
    assert found.digest == digest
    lines: list[ImageReport] = []
    images(daemon).provide([version(str(archive))], lines.append)
    assert lines[0].status in (ImageStatus.HIT, ImageStatus.PULLED)


@pytest.mark.parametrize("content", [b"", b"no archive"])
def test_what_is_no_archive_is_said(daemon: Daemon, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    found = images(daemon).find(version(str(tmp_path / "image.tar")))
    assert isinstance(found, Unavailable)
    assert "image.tar cannot be loaded" in found.text
    gone = images(daemon).find(version(str(tmp_path / "none.tar")))
    assert isinstance(gone, Unavailable)
    assert "No such file" in gone.text


def test_a_folder_is_built(daemon: Daemon, build_base: str, tmp_path: Path) -> None:
    del build_base
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\nLABEL own={secrets.token_hex(4)}\n")
    found = images(daemon).find(version(str(tmp_path)))
    assert isinstance(found, Image)
    daemon.forget(found.digest)
    (tmp_path / "Dockerfile").write_text("FROM nobody/has-it:1\n")
    broken = images(daemon).find(version(str(tmp_path)))
    assert isinstance(broken, Unavailable)
    assert "nobody/has-it" in broken.text


def test_nothing_is_pulled_where_that_is_not_wanted(daemon: Daemon, tag: str) -> None:
    never = images(daemon, pull=PullPolicy.NEVER)
    assert isinstance(never.find(version(tag)), Image)
    gone = never.find(version("127.0.0.1:9/nobody:v1"))
    assert isinstance(gone, Unavailable)
    assert "nothing is pulled (--pull never)" in gone.text
    always = images(daemon, pull=PullPolicy.ALWAYS, pauses=()).find(version(tag))
    assert isinstance(always, Unavailable)


def test_an_image_for_other_processors_is_not_run(daemon: Daemon, tag: str) -> None:
    foreign = images(daemon, platform="linux/s390x").find(version(tag))
    assert isinstance(foreign, Unavailable)
    assert foreign.text.startswith("this host runs linux/s390x, and the image")
    assert (
        NoImages("this host runs linux/amd64, and linux/arm64 was asked for")
        .find(version(tag))
        .text.startswith("this host runs linux/amd64")
    )
