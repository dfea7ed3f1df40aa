"""Builds side by side: one waits for no other, and one that fails takes none with it."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.helper_image import BASE
from ci.engines.docker.images import Images
from ci.images.base import Image, ImageReport, ImageStatus, Unavailable
from ci.model import BuildRecipe, ReasonCode, Transport, Version

pytestmark = pytest.mark.docker

# Each goes on once the other has begun: one after the other they would wait for ever, which is ended.
MEETS = """all:
\ttouch ../{mine}.begun
\tfor i in $$(seq 200); do test -e ../{other}.begun && break; sleep 0.1; done; test -e ../{other}.begun
\tprintf '{{"imageID": "%s"}}' "$$(docker image inspect -f '{{{{.Id}}}}' {base})" >image.json
"""
FAILS = "all:\n\t@echo 'the compiler found a mistake'; exit 1\n"


def version(name: str) -> Version:
    return Version(
        id=name, family=name, source=BuildRecipe(folder=f"impls/{name}"), transports=(Transport(name="quic-v1"),)
    )


def test_two_are_built_at_once_and_a_third_that_fails_is_one_line(
    daemon: Daemon, build_base: str, tmp_path: Path
) -> None:
    del build_base
    word = secrets.token_hex(4)
    left, right, broken = (f"{name}-{word}" for name in ("left", "right", "broken"))
    for name, makefile in {
        left: MEETS.format(mine="left", other="right", base=BASE),
        right: MEETS.format(mine="right", other="left", base=BASE),
        broken: FAILS,
    }.items():
        (tmp_path / "impls" / name).mkdir(parents=True)
        (tmp_path / "impls" / name / "Makefile").write_text(makefile)
    images = Images(daemon, root=tmp_path, key_of=lambda _: word.ljust(64, "0"), jobs=3)
    lines: list[ImageReport] = []
    try:
        images.provide([version(it) for it in (broken, left, right)], lines.append)
        found = {line.version: line for line in lines}
        assert {found[left].status, found[right].status} == {ImageStatus.BUILT}
        assert found[broken].status is ImageStatus.FAILED
        image = found[broken].image
        assert isinstance(image, Unavailable)
        assert image.code is ReasonCode.BUILD_FAILED
        assert "the compiler found a mistake" in image.text
        assert isinstance(images.find(version(left)), Image)
    finally:
        for name in (left, right):
            daemon.forget(images.tag(version(name), word.ljust(64, "0")))
