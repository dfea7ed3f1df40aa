"""Near matches for words nobody knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["did_you_mean", "near_matches", "shown"]

# Longer than any name in use; what is cut off would not help a reader.
_SHOWN_CHARACTERS = 80


def near_matches(word: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """The known words most like `word`, best first, upper and lower case alike."""
    spelt: dict[str, str] = {}
    for candidate in sorted(known):
        spelt.setdefault(candidate.lower(), candidate)
    found = difflib.get_close_matches(word.lower()[:_SHOWN_CHARACTERS], list(spelt), n=limit)
    return tuple(spelt[lowered] for lowered in found)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The tail of an error message: `": did you mean …?"`, or nothing where nothing is near."""
    found = near_matches(word, known)
    if not found:
        return ""
    return ": did you mean " + " or ".join(f"`{match}`" for match in found) + "?"


def shown(text: str) -> str:
    """`text` as it may stand in a message: no control characters, no lone surrogates, not endless."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in cut)
