"""Commands as the person who reads about them would type them: with `nox`, or whatever was typed for it."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Final, Protocol

__all__ = ["VARIABLE", "say_next", "spelled"]

# Set by noxfile.py: `.venv/bin/nox`, `nox -f ../noxfile.py`, `./noxfile.py`.
VARIABLE: Final = "INTEROP_NOX"
_NOX: Final = re.compile(r"(?<![\w/.-])nox(?= -s )")


class _Lines(Protocol):
    def info(self, text: str, *, style: str = "") -> None: ...


def spelled(text: str, environment: Mapping[str, str] | None = None) -> str:
    """The text with every `nox -s …` in it as this person starts nox."""
    words = (os.environ if environment is None else environment).get(VARIABLE) or "nox"
    return _NOX.sub(lambda _: words, text)


def say_next(console: _Lines, command: str, *words: str, purpose: str = "") -> None:
    """The last line of a command: the one that people use after it, as they would type it.

    :param words: the rest of the command line
    :param purpose: what it is for, where that is not plain
    """
    line = shlex.join(["nox", "-s", command, *(["--", *words] if words else [])])
    console.info(spelled(f"next: {line}{f'   # {purpose}' if purpose else ''}"))
