"""Everything this package can complain about: one base class, one exit code per kind.

An error is written for the person who meets it: what happened (`message`), why it usually happens (`why`),
what to do (`hint`). Only `ci.__main__` turns one into text and an exit status; nothing else calls `sys.exit`.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

__all__ = [
    "BuildError",
    "ConfigurationError",
    "EngineError",
    "ExitCode",
    "IncompleteError",
    "InteropError",
    "NothingSelectedError",
]


class ExitCode(IntEnum):
    """What a command's exit status means. Never a count: 256 failures would wrap to success."""

    GREEN = 0
    FAILED = 1
    CONFIGURATION = 2
    NOTHING_SELECTED = 3
    INCOMPLETE = 4
    BUILD = 5
    ENGINE = 6
    OUTSTANDING = 7
    BUG = 70
    INTERRUPTED = 130


class InteropError(Exception):
    """Base of all expected failures.

    :param reference: kebab-case name, stable, for searching the documentation
    :param message: what happened, one line or several
    :param why: why it usually happens
    :param hint: what to do about it
    """

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, reference: str, message: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.reference = reference
        self.message = message
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.hint:
            lines.append(f"  do this: {self.hint}")
        return "\n".join(lines)


class ConfigurationError(InteropError):
    """The user's files or arguments cannot be used as they are."""

    exit_code = ExitCode.CONFIGURATION


class NothingSelectedError(InteropError):
    """The selection is understood and leaves no case."""

    exit_code = ExitCode.NOTHING_SELECTED


class IncompleteError(InteropError):
    """Results are missing that the plan promised."""

    exit_code = ExitCode.INCOMPLETE


class BuildError(InteropError):
    """An image could not be built."""

    exit_code = ExitCode.BUILD


class EngineError(InteropError):
    """The engine (Docker, the local one) or its helpers broke; says nothing about an implementation."""

    exit_code = ExitCode.ENGINE
