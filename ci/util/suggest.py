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
    meant = word.lower()[:_LONGEST]
    found = difflib.get_close_matches(meant, list(spelt), n=limit)
    # Only those about as near as the nearest: a poor guess next to a good one is noise.
    near = {lowered: difflib.SequenceMatcher(None, lowered, meant).ratio() for lowered in found}
    return tuple(spelt[lowered] for lowered in found if near[lowered] > near[found[0]] - 0.1)


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
