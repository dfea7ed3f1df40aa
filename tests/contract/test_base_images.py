"""The base images, where they are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ci.engines.docker.daemon import Daemon
from ci.engines.docker.helper_image import ensure_base
from ci.errors import BuildError
from ci.images.build_commands import Commands
from ci.images.caches.folder import Stopped

MISSING = "interop/nobody-makes:this"


def recipe(root: Path, *lines: str) -> Path:
    folder = root / "impls/base"
    folder.mkdir(parents=True)
    (folder / "Makefile").write_text("\n\t".join(["build-base:", *lines]) + "\n")
    return folder / "build.log"


def test_how_it_is_made_is_shown_and_why_it_is_not_is_told(daemon: Daemon, tmp_path: Path) -> None:
    log = recipe(tmp_path, "@echo the mirror says no", "@exit 3")
    seen: list[tuple[str, Path]] = []

    @contextmanager
    def watch(name: str, path: Path) -> Iterator[None]:
        seen.append((name, path))
        yield

    with pytest.raises(BuildError, match="the mirror says no"):
        ensure_base(daemon, tmp_path, image=MISSING, watch=watch)
    assert seen == [("the base image", log)]


def test_what_is_called_off_is_not_begun(daemon: Daemon, tmp_path: Path) -> None:
    recipe(tmp_path, "@touch made")
    commands = Commands({"PATH": "/usr/bin:/bin"})
    commands.stop()
    with pytest.raises(Stopped):
        ensure_base(daemon, tmp_path, image=MISSING, commands=commands)
    assert not (tmp_path / "impls/base/made").exists()
