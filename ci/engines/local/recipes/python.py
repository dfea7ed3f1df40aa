"""Python: a virtual environment of exactly the locked packages, and the app beside it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ci.engines.local.recipes.base import Bench
from ci.engines.local.toolchains import host_platform
from ci.engines.programs import Program

__all__ = ["PythonRecipe", "pins", "replacements"]

# Two locked packages, coincurve and miniupnpc, have no wheels for later ones, and none of their releases has.
NEWEST_PYTHON: Final = (3, 13)
OLDEST_PYTHON: Final = (3, 10)
APP: Final = "ping.py"
# Where there are any: what compiles the packages without wheels, and others in place of those that take a compiler.
BUILDERS: Final = "build-requirements.txt"
OVERRIDES: Final = "overrides.txt"
# Imports everything the app imports and starts nothing: a library that is not there shows now, not in a case.
_CHECK: Final = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='check')"


@dataclass(frozen=True, kw_only=True)
class _Interpreter:
    program: str
    version: tuple[int, ...]


class PythonRecipe:
    """Runs on the Python we run on, or on another one on PATH where that is too new for the locked packages."""

    files = (APP, "requirements.txt")

    def __init__(self, bench: Bench, *, version: tuple[int, ...] = sys.version_info[:3]) -> None:
        self._bench = bench
        self._version = version

    # --- what there is --------------------------------------------------------------------------------

    @cached_property
    def _interpreter(self) -> _Interpreter | None:
        if self._version[:2] <= NEWEST_PYTHON:
            return _Interpreter(program=sys.executable, version=self._version)
        for minor in range(NEWEST_PYTHON[1], OLDEST_PYTHON[1] - 1, -1):
            program = self._bench.toolchains.which(f"python3.{minor}")
            answer = self._bench.commands.answer((program, "--version")) if program is not None else None
            if program is not None and (found := re.match(r"Python (\d+)\.(\d+)\.(\d+)", answer or "")):
                return _Interpreter(program=program, version=tuple(map(int, found.groups())))
        return None

    @cached_property
    def _compiles(self) -> bool:
        """Whether what the packages without wheels are compiled with is here, asked of the compiler itself."""
        compiler = self._bench.toolchains.which("cc") or self._bench.toolchains.which("gcc")
        if compiler is None or self._version[:2] > NEWEST_PYTHON:
            return False
        headers = ("-I", sysconfig.get_path("include"), "-include", "Python.h", "-include", "gmp.h")
        return (
            self._bench.commands.answer((compiler, "-E", "-x", "c", *headers, os.devnull, "-o", os.devnull)) is not None
        )

    def missing(self) -> str | None:
        if self._interpreter is None:
            return (
                f"a Python from 3.{OLDEST_PYTHON[1]} to 3.{NEWEST_PYTHON[1]} on PATH: "
                f"some of its packages have no wheels for {'.'.join(map(str, self._version[:2]))}"
            )
        has_wheels = self._interpreter.version >= (3, 11) or sys.platform == "darwin" or _is_plain_linux()
        return None if has_wheels or self._compiles else "gcc and libgmp-dev: fastecdsa has no wheel for this machine"

    def ingredients(self) -> Mapping[str, str]:
        interpreter = self._interpreter
        assert interpreter is not None  # noqa: S101 -- nothing is built where something is lacking
        return {
            "platform": host_platform(),
            # Not where it is: checkouts with environments of their own share what was built. See `program`.
            "python": f"{sys.implementation.name}{getattr(sys, 'abiflags', '')}",
            "version": ".".join(map(str, interpreter.version)),
            "fastecdsa": "compiled" if self._compiles else "wheel",
        }

    # --- making ---------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Nothing: the interpreter is there."""

    def build(self, source: Path, making: Path, log: Path) -> None:
        assert self._interpreter is not None  # noqa: S101
        commands, tools = self._bench.commands, self._bench.toolchains
        uv = tools.provide(tools.uv)
        environment = making / "env"
        python = str(environment / "bin" / "python")
        venv = ("venv", "--relocatable", "--no-project", "--python", self._interpreter.program, str(environment))
        install = ("pip", "install", "--python", python, "--require-hashes")
        locked: tuple[str, ...] = (
            "--no-build-isolation",
            "--compile-bytecode",
            "--requirement",
            str(source / "requirements.txt"),
        )
        overrides = source / OVERRIDES
        replaces = not self._compiles and overrides.is_file()
        if replaces:
            wheels_only = [word for name in pins(overrides) for word in ("--only-binary", name)]
            locked = (*locked, *wheels_only, "--override", str(overrides))
        steps: list[tuple[str, ...]] = [venv, (*install, *locked)]
        if (builders := source / BUILDERS).is_file():
            steps.insert(1, (*install, "--requirement", str(builders)))
            steps.append(("pip", "uninstall", "--python", python, "--requirement", str(builders)))
        for words in steps:
            commands.run((uv, *words), log=log, folder=making)
        app = str(shutil.copy(source / APP, making))
        [packages] = environment.glob("lib/python*/site-packages")
        for module in source.glob("*.py"):
            if module.name != APP:
                shutil.copy(module, packages)  # where the app finds it although it runs isolated from its own folder
        commands.run((python, "-I", "-c", _CHECK, app), log=log, folder=making)
        if replaces:
            lines = replacements(source, installed=environment)
            (making / "notes.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def program(self, entry: Path) -> Program | None:
        python = entry / "env" / "bin" / "python"
        # A link to the interpreter that the environment was made with, which somebody may have removed since.
        return Program(command=(str(python), "-I", str(entry / APP))) if python.exists() else None


def pins(requirements: Path) -> dict[str, list[str]]:
    """The versions that a file of locked requirements names, by package."""
    found: dict[str, list[str]] = {}
    for name, version in re.findall(r"(?m)^([A-Za-z0-9._-]+)==([^\s;\\]+)", requirements.read_text(encoding="utf-8")):
        found.setdefault(name, []).append(version)
    return found


def replacements(source: Path, *, installed: Path) -> list[str]:
    """A sentence about each package of which the environment got another version than is locked."""
    locked = pins(source / "requirements.txt")
    lines = []
    for name in pins(source / OVERRIDES):
        for found in sorted(installed.glob(f"lib/python*/site-packages/{name}-*.dist-info")):
            version = found.name.removesuffix(".dist-info").removeprefix(f"{name}-")
            if name in locked and version not in locked[name]:
                lines.append(
                    f"{name} {version} in place of {locked[name][0]}, which would have to be compiled: "
                    "no compiler with the headers of Python and GMP was found"
                )
    return lines


def _is_plain_linux() -> bool:
    return sys.platform == "linux" and platform.machine() == "x86_64" and "musl" not in host_platform()
