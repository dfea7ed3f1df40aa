"""A hit of the image that another is derived from: it is loaded, counts as up to date, and only the other is built."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.helper_image import BASE
from ci.engines.docker.images import Images
from ci.images.base import ImageReport, ImageStatus
from ci.images.caches.base import Limits
from ci.images.caches.chain import CacheChain, Place
from ci.images.caches.entries import entry_name
from ci.images.caches.registry import open_cache
from ci.model import BuildRecipe, Transport, Version

pytestmark = pytest.mark.docker

# The two of one folder, as impls/js has them: Node, and the browser that drives the same program.
MAKEFILE = """all: image.json derived-image.json
image.json derived-image.json:
\techo $@ >>made
\tid=$$(printf 'FROM {base}\\nLABEL word={word} org.interop-matrix.key=$(KEY)/$@\\n' | docker build -q - 2>/dev/null) \\
\t  && printf '{{"imageID": "%s"}}' "$$id" >$@
derived-image.json: image.json
"""


def test_only_what_is_derived_is_built(daemon: Daemon, build_base: str, tmp_path: Path) -> None:
    del build_base
    word = secrets.token_hex(4)
    key = word.ljust(64, "0")
    folder = tmp_path / "impls/both"
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text(MAKEFILE.format(base=BASE, word=word))
    plain, derived = (
        Version(
            id=f"{name}-{word}",
            family="both",
            source=BuildRecipe(folder="impls/both", image_file=file),
            transports=(Transport(name="quic-v1"),),
        )
        for name, file in (("plain", "image.json"), ("derived", "derived-image.json"))
    )
    kept = tmp_path / "kept"
    said: list[str] = []

    def provide() -> dict[str, ImageReport]:
        caches = CacheChain(
            [Place(cache=open_cache(f"dir:{kept}", Limits()), reads=True, writes=True)], Limits(), said.append
        )
        lines: list[ImageReport] = []
        images = Images(daemon, root=tmp_path, key_of=lambda _: key, caches=caches, warn=said.append)
        images.provide([plain, derived], lines.append)
        return {line.version: line for line in lines}

    try:
        assert {line.status for line in provide().values()} == {ImageStatus.BUILT}
        for version in (plain, derived):
            daemon.forget(Images.tag(version, key))
        (kept / entry_name(Images.tag(derived, key))).unlink()
        (folder / "image.json").unlink()
        (folder / "made").unlink()

        again = provide()
        assert again[plain.id].status is ImageStatus.LOADED
        assert again[plain.id].source == f"dir:{kept}"
        assert again[derived.id].status is ImageStatus.BUILT
        assert (folder / "made").read_text() == "derived-image.json\n"
        assert said == []
        assert {line.status for line in provide().values()} == {ImageStatus.HIT}
    finally:
        for version in (plain, derived):
            daemon.forget(Images.tag(version, key))
