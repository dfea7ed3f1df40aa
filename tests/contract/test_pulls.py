"""Pulling from a registry that is busy, limits its users, cuts connections, or does not have the image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from registry import RESET, Registry, registry

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.images import Images
from ci.images.base import Image, ImageReport, ImageStatus, Unavailable
from ci.model import PublishedImage, ReasonCode, Transport, Version

pytestmark = pytest.mark.docker


def errors(code: str) -> str:
    return json.dumps({"errors": [{"code": code, "message": f"told: {code.lower()}"}]})


LIMITED = (429, errors("TOOMANYREQUESTS"))
MAY_PASS = [
    pytest.param(LIMITED, "told: toomanyrequests", id="limited"),
    pytest.param((429, "slow down"), "HTTP 429", id="limited-without-json"),
    pytest.param((503, "busy"), "503 Service Unavailable", id="busy"),
    pytest.param((502, "<html>"), "502 Bad Gateway", id="gateway"),
    pytest.param((RESET, ""), "connection reset by peer", id="reset"),
]


@pytest.fixture
def there(daemon: Daemon) -> Iterator[Registry]:
    with registry() as it:
        yield it
        remove: Any = daemon.api.remove_image
        daemon.quietly(remove, it.reference)


class Puller:
    """Pulls, and tells the registry to be well again after so many warnings."""

    def __init__(self, daemon: Daemon, there: Registry, *, well_after: int = 99, pauses: tuple[float, ...]) -> None:
        self.warnings: list[str] = []
        self._there = there
        self._well_after = well_after
        source = PublishedImage(reference=there.reference)
        self.version = Version(id="far-v1", family="far", source=source, transports=(Transport(name="quic-v1"),))
        self.images = Images(daemon, root=Path("/nowhere"), key_of=lambda _: "", warn=self._warned, pauses=pauses)

    def _warned(self, text: str) -> None:
        self.warnings.append(text)
        if len(self.warnings) == self._well_after:
            self._there.trouble = None


@pytest.mark.parametrize(("trouble", "words"), MAY_PASS)
def test_what_may_pass_is_tried_again(daemon: Daemon, there: Registry, trouble: tuple[int, str], words: str) -> None:
    there.trouble = trouble
    puller = Puller(daemon, there, well_after=2, pauses=(0, 0, 0))
    lines: list[ImageReport] = []
    puller.images.provide([puller.version], lines.append)
    assert [(line.status, line.image) for line in lines] == [(ImageStatus.PULLED, Image(digest=there.image))]
    assert len(puller.warnings) == 2
    assert all(there.reference in it and words in it and "asked again in 0 s" in it for it in puller.warnings)


@pytest.mark.parametrize(("trouble", "words"), MAY_PASS)
def test_what_does_not_pass_is_told_with_its_own_reason(
    daemon: Daemon, there: Registry, trouble: tuple[int, str], words: str
) -> None:
    there.trouble = trouble
    found = Puller(daemon, there, pauses=(0, 0)).images
    image = found.find(Puller(daemon, there, pauses=()).version)
    assert isinstance(image, Unavailable)
    assert image.code is ReasonCode.IMAGE_UNAVAILABLE
    assert f"image {there.reference} cannot be pulled: " in image.text
    assert words in image.text
    assert image.text.endswith("(3 tries)")


@pytest.mark.parametrize(
    ("status", "code", "words"), [(404, "MANIFEST_UNKNOWN", "told: manifest_unknown"), (403, "DENIED", "denied")]
)
def test_what_will_not_pass_is_asked_once(daemon: Daemon, there: Registry, status: int, code: str, words: str) -> None:
    there.trouble = (status, errors(code))
    puller = Puller(daemon, there, pauses=(600, 600))
    image = puller.images.find(puller.version)
    assert isinstance(image, Unavailable)
    assert image.code is ReasonCode.IMAGE_UNAVAILABLE
    assert words in image.text
    assert puller.warnings == []


def test_nobody_waits_once_the_run_is_stopped(daemon: Daemon, there: Registry) -> None:
    there.trouble = LIMITED
    puller = Puller(daemon, there, pauses=(600, 600))
    puller.images.stop()
    image = puller.images.find(puller.version)
    assert isinstance(image, Unavailable)
    assert image.text.endswith("interrupted")
