"""Names and contents that come from a number: the same seed gives the same files, on every Python.

Whatever a run makes up (file names, contents, endpoints, protocols, keys) is drawn here, each purpose from a stream
of its own, so that a run can be repeated from the one number in its record.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Callable
from typing import Final

from ci.suites.quic.materials.words import ADJECTIVES, ANIMALS

__all__ = ["Draw", "content"]


class Draw:
    """A stream of choices for one purpose.

    Only `Random.random()` is promised to stay the same from one Python to the next, so everything is made of it.

    :param seed: the run's own number
    :param purpose: what is drawn; two purposes never share a stream
    """

    def __init__(self, seed: int, purpose: str) -> None:
        self._random: Final = random.Random(f"{seed}/{purpose}")  # noqa: S311 -- to be repeated, not to be secret
        self._given: set[str] = set()

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1; `bound` is at most 2**53."""
        return int(self._random.random() * bound)

    def number(self, *, bits: int) -> int:
        """A number of so many bits, which must be a multiple of 32."""
        digits = [self.below(2**32) for _ in range(bits // 32)]
        return sum(digit << (32 * place) for place, digit in enumerate(digits))

    def letters(self, length: int, alphabet: str = string.ascii_lowercase) -> str:
        """A word nobody has seen before; never the same twice from one stream."""
        return self._unlike_before(lambda: "".join(alphabet[self.below(len(alphabet))] for _ in range(length)))

    def slug(self) -> str:
        """Three words joined by `-`, at most 20 characters; never the same twice from one stream."""
        kinds = (ADJECTIVES, ADJECTIVES, ANIMALS)
        return self._unlike_before(lambda: "-".join(words[self.below(len(words))] for words in kinds))

    def _unlike_before(self, make: Callable[[], str]) -> str:
        while (word := make()) in self._given:
            pass
        self._given.add(word)
        return word


def content(seed: int, name: str, size: int) -> bytes:
    """`size` pseudo-random bytes for the file `name`: a quarter of a second for 25 MiB."""
    return hashlib.shake_128(f"{seed}/content of {name}".encode()).digest(size)
