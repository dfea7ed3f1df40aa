"""JavaScript: npm installs what the lock names, the family's own build.js bundles it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from ci.engines.local.recipes.base import Bench, copy_sources
from ci.engines.local.toolchains import host_platform
from ci.engines.programs import Program

__all__ = ["NodeRecipe"]


class NodeRecipe:
    """The bundle keeps nothing of the Node that made it, but is run by the same."""

    files = ("package.json", "package-lock.json")

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def missing(self) -> str | None:
        return None

    def ingredients(self) -> Mapping[str, str]:
        return {"platform": host_platform(), "node": self._bench.toolchains.node.label}

    def prepare(self) -> None:
        self._bench.toolchains.provide(self._bench.toolchains.node)

    def build(self, source: Path, making: Path, log: Path) -> None:
        tools, commands = self._bench.toolchains, self._bench.commands
        npm = tools.npm(tools.node)
        sources = copy_sources(source, making / "sources")
        # The package's scripts say just `node`.
        path = os.pathsep.join((str(Path(tools.node.program).parent), commands.environment["PATH"]))
        for words in (("ci", "--ignore-scripts", "--no-progress"), ("run", "build")):
            commands.run((*npm, *words), log=log, folder=sources, environment={"PATH": path})
        (sources / "target").rename(making / "app")
        shutil.rmtree(sources)

    def program(self, entry: Path) -> Program | None:
        tools = self._bench.toolchains
        if not tools.is_there(tools.node):
            return None
        return Program(command=(tools.node.program, str(entry / "app" / "main.js")))
