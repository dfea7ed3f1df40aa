"""Near matches for words nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["did_you_mean", "near_matches", "shown", "shown_path"]

# Longer than any name of a case in use; what is cut off would not help a reader.
_LONGEST = 200


def near_matches(word: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """The known words most like `word`, best first, upper and lower case alike."""
    spelt: dict[str, str] = {}
    for candidate in sorted(known):
        spelt.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(word.lower()[:_LONGEST], list(spelt), n=limit)
    return tuple(spelt[lowered] for lowered in found)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of an error message: `": did you mean …?"`, or nothing where nothing is near."""
    found = near_matches(word, known)
    if not found:
        return ""
    return ": did you mean " + " or ".join(f"`{match}`" for match in found) + "?"


def shown(text: str, *, limit: int = _LONGEST) -> str:
    """`text` as it may stand in a message: no control characters, no lone surrogates, not endless."""
    cut = text if len(text) <= limit else text[:limit] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)


def shown_path(path: Path) -> str:
    """A path as it may stand in a message, whole."""
    return shown(str(path), limit=4096)
