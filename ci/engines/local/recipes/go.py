"""Go: a static program, compiled by the toolchain that go.mod pins."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from ci.engines.local.recipes.base import Bench, copy_sources
from ci.engines.programs import Program
from ci.errors import BuildError

__all__ = ["GoRecipe"]


class GoRecipe:
    """The Go that starts the build only fetches the one that compiles, so it does not matter which it is."""

    files = ("go.mod", "go.sum")

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def missing(self) -> str | None:
        return None

    def ingredients(self) -> Mapping[str, str]:
        # Without cgo nothing of the host's libraries is in it.
        return {"system": sys.platform, "machine": platform.machine()}

    def prepare(self) -> None:
        """Nothing: the entry is all that runs."""

    def build(self, source: Path, making: Path, log: Path) -> None:
        sources = copy_sources(source, making / "sources")
        toolchain = re.search(r"(?m)^toolchain (go\S+)$", (sources / "go.mod").read_text(encoding="utf-8"))
        if toolchain is None:
            raise BuildError("local-build", f"{source}/go.mod has no `toolchain` line: it says which Go compiles")
        go = self._bench.toolchains.provide(self._bench.toolchains.go)
        self._bench.commands.run(
            # Each package it compiles has a line in the log: minutes without a word look like standstill.
            (go, "build", "-ldflags=-s -w", "-v", "-o", str(making / "ping"), "."),
            log=log,
            folder=sources,
            environment={
                "CGO_ENABLED": "0",
                # The module cache is ours to delete, so it is not to be write-protected.
                "GOFLAGS": "-mod=readonly -trimpath -modcacherw -buildvcs=false",
                # By itself, go would prefer an installed toolchain that is newer than the pinned one.
                "GOTOOLCHAIN": toolchain[1],
                # It counts its own use in the user's configuration folder; the settings there come through GOENV.
                "XDG_CONFIG_HOME": str(self._bench.cache.folder / "go" / "config"),
            },
        )
        shutil.rmtree(sources)

    def program(self, entry: Path) -> Program:
        return Program(command=(str(entry / "ping"),))
