"""Images made by a real engine from folders in a checkout."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ci.config.skeleton import new_family
from ci.engines.docker.daemon import Daemon
from ci.engines.docker.images import Images
from ci.images.base import Image, ImageReport, ImageStatus
from ci.model import BuildRecipe, Transport, Version

pytestmark = pytest.mark.docker

CHECKOUT = Path(__file__).parents[2]
# What makes the skeleton's image small enough for a test: its files, its user, and nothing to install.
READER = """ARG BUILD_BASE
ARG BASE
FROM ${BASE}
COPY app.py ping.py /opt/
USER nobody
ENTRYPOINT ["/bin/sh", "-c", "cat /opt/*.py && [ ! -w /opt/app.py ] && ls -l /opt"]
"""


@contextmanager
def umask(mode: int) -> Iterator[None]:
    before = os.umask(mode)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def family(daemon: Daemon, tmp_path: Path, build_base: str) -> Iterator[Callable[[int], Image]]:
    """`family(umask)`: the image of a family that `init` made in a checkout with this umask."""
    del build_base
    made: list[str] = []

    def make(mode: int) -> Image:
        root = tmp_path / f"umask-{mode:o}"
        with umask(mode):
            (root / "impls").mkdir(parents=True)
            # As git writes files: by the umask, whatever they are elsewhere.
            (root / "impls/image.mk").write_bytes((CHECKOUT / "impls/image.mk").read_bytes())
            with new_family(root, root / "impls/toy", "v1.0"):
                (root / "impls/toy/Dockerfile").write_text(READER, encoding="utf-8")
        version = Version(
            id="toy-v1.0",
            family="toy",
            source=BuildRecipe(folder="impls/toy/v1.0"),
            transports=(Transport(name="quic-v1"),),
        )
        key = f"{mode:o}".ljust(64, "0")  # of its own, so that none is taken for another
        images = Images(daemon, root=root, key_of=lambda _: key)
        lines: list[ImageReport] = []
        images.provide([version], lines.append)
        [line] = lines
        assert isinstance(line.image, Image), line.image
        assert line.status is ImageStatus.BUILT
        made.append(images.tag(version, key))
        return line.image

    yield make
    remove: Any = daemon.api.remove_image
    for tag in made:
        daemon.quietly(remove, tag)


def test_an_image_does_not_depend_on_the_umask_of_the_checkout(daemon: Daemon, family: Callable[[int], Image]) -> None:
    def layers(image: Image) -> list[str]:
        found = daemon.image(image.digest)
        assert found is not None
        layers: list[str] = found["RootFS"]["Layers"]
        return layers

    private = family(0o077)
    container = daemon.api.create_container(private.digest, labels=daemon.labels(role="test"))["Id"]
    try:
        daemon.api.start(container)
        code = daemon.api.wait(container)["StatusCode"]
        said = daemon.api.logs(container).decode()
    finally:
        daemon.remove(container)
    assert code == 0, said
    assert re.findall(r"(?m)^(\S+) .* (\S+\.py)$", said) == [("-rw-r--r--", "app.py"), ("-rw-r--r--", "ping.py")]
    # The engine finds every layer of the one when it builds the other; their labels say which key they were built for.
    assert layers(family(0o022)) == layers(family(0o002)) == layers(private)


def test_every_image_is_built_by_the_rules_that_see_to_it() -> None:
    rules = [*CHECKOUT.glob("impls/**/Makefile"), *CHECKOUT.glob("impls/**/*.mk")]
    rules.append(CHECKOUT / "ci/data/skeleton/version/Makefile")
    others = {it.relative_to(CHECKOUT).as_posix() for it in rules if "docker build" in it.read_text(encoding="utf-8")}
    assert others == {"impls/image.mk"}
