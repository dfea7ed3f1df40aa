"""Short labels for words, where a cell has no room for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["short_labels"]


def short_labels(words: Sequence[str]) -> tuple[str, ...]:
    """A label of its own for each word, in their order: of one or two letters as a rule, taken from the word."""
    taken: set[str] = set()
    labels = []
    for number, word in enumerate(words):
        label = next((it for it in _candidates(word) if it not in taken), f"#{number + 1}")
        taken.add(label)
        labels.append(label)
    return tuple(labels)


def _candidates(word: str) -> Iterator[str]:
    letters = [it for it in word if it.isascii() and it.isalnum()]
    if not letters:
        return
    first = letters[0].upper()
    initials = "".join(part[0] for part in word.split("-") if part[:1].isascii() and part[:1].isalnum())
    if len(initials) > 1:
        yield initials[0].upper() + initials[1:].lower()
    yield first
    yield from (first + it.lower() for it in letters[1:])
