"""Rust: cargo builds what the lock names. No wheel has it, so it must be on PATH."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ci.engines.local.recipes.base import Bench, copy_sources
from ci.engines.local.toolchains import host_platform
from ci.engines.programs import Program

__all__ = ["RustRecipe"]

# What the newest of the locked packages asks for.
OLDEST_CARGO: Final = (1, 89)


class RustRecipe:
    """Cargo's own folders (registry, settings, toolchains) stay where the user has them."""

    files = ("Cargo.toml", "Cargo.lock")

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def missing(self) -> str | None:
        cargo = self._bench.toolchains.cargo
        oldest = ".".join(map(str, OLDEST_CARGO))
        if cargo is None:
            return f"cargo, {oldest} or newer (https://rustup.rs)"
        if cargo.version < OLDEST_CARGO:
            return f"cargo {oldest} or newer, and PATH has {cargo.label} (`rustup update`)"
        if self._bench.toolchains.which("cc") is None:
            return "a C compiler, `cc`, which cargo links with"
        return None

    def ingredients(self) -> Mapping[str, str]:
        cargo = self._bench.toolchains.cargo
        return {"platform": host_platform(), "cargo": "" if cargo is None else cargo.label}

    def prepare(self) -> None:
        """Nothing: the entry is all that runs."""

    def build(self, source: Path, making: Path, log: Path) -> None:
        cargo = self._bench.toolchains.cargo
        assert cargo is not None  # noqa: S101 -- nothing is built where something is lacking
        sources = copy_sources(source, making / "sources")
        self._bench.commands.run((cargo.program, "build", "--locked", "--release"), log=log, folder=sources)
        (sources / "target" / "release" / "ping").rename(making / "ping")
        shutil.rmtree(sources)

    def program(self, entry: Path) -> Program:
        return Program(command=(str(entry / "ping"),))
