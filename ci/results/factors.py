"""What cases have in common that others have not: a role's version, a version, a word of a stack, or two of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from operator import and_
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["VERSION", "Factor", "Group", "groups"]

# A kind (a role, `version` for either role, `muxer`, `test` …) and a word: the prefix and pattern of a selection.
Factor: TypeAlias = "tuple[str, str]"
VERSION: Final = "version"


@dataclass(frozen=True, kw_only=True)
class Group:
    """:param factors: none where it is one case that has nothing in common with others

    :param of: how many cases have the factors
    """

    factors: tuple[Factor, ...]
    cases: tuple[Case, ...]
    of: int


def groups(some: Sequence[Case], among: Sequence[Case], *, share: float) -> Iterator[Group]:
    """Cases in groups by what they have in common, the best explained first; each is in one group.

    :param some: of `among`
    :param share: of the cases that have a group's factors, at least how many are in `some`, from 0 to 1
    """
    totals = _Totals(among)
    having: Mapping[tuple[Factor, ...], int] = Counter(it for case in some for it in _factors(case))
    left = list(some)
    while left:
        covered = Counter(it for case in left for it in _factors(case))
        good = [it for it, count in covered.items() if count > 1 and having[it] >= share * totals.of(it)]
        if not good:
            yield from (Group(factors=(), cases=(case,), of=1) for case in left)
            return
        best = max(good, key=lambda it: (covered[it] * covered[it] / totals.of(it), -len(it)))
        found: list[Case] = []
        others: list[Case] = []
        for case in left:
            (found if best in _factors(case) else others).append(case)
        yield Group(factors=best, cases=tuple(found), of=totals.of(best))
        left = others


class _Totals:
    """How many of many cases have factors: of each factor the positions of those that have it, as bits of a number."""

    def __init__(self, cases: Sequence[Case]) -> None:
        size = len(cases) // 8 + 1
        # Many cases share a version or a stack, so these are looked at once.
        begun, answered, stacks = _Bits(size), _Bits(size), _Bits(size)
        for position, case in enumerate(cases):
            begun.add(case.first, position)
            answered.add(case.second, position)
            stacks.add(case.params, position)
        self._bits: Counter[Factor] = Counter()
        if not cases:
            return
        suite = cases[0].suite
        for role, bits in zip(suite.roles, (begun, answered), strict=True):
            for version, number in bits.numbers():
                self._bits[role, version] = number
                self._bits[VERSION, version] |= number
        for params, number in stacks.numbers():
            for param, word in zip(suite.params, params, strict=True):
                if word:
                    self._bits[param.dimension, word] |= number

    def of(self, factors: tuple[Factor, ...]) -> int:
        return reduce(and_, (self._bits[it] for it in factors)).bit_count()


class _Bits:
    """Sets of positions by what is there.

    :param size: bytes of a set
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._sets: dict[Any, bytearray] = {}

    def add(self, what: Hashable, position: int) -> None:
        found = self._sets.get(what)
        if found is None:
            found = self._sets[what] = bytearray(self._size)
        found[position >> 3] |= 1 << (position & 7)

    def numbers(self) -> Iterator[tuple[Any, int]]:
        return ((what, int.from_bytes(bits, "little")) for what, bits in self._sets.items())


def _factors(case: Case) -> Iterator[tuple[Factor, ...]]:
    words = [(param.dimension, word) for param, word in zip(case.suite.params, case.params, strict=True) if word]
    roles = list(zip(case.suite.roles, case.pair, strict=True))
    versions = [(VERSION, version) for version in dict.fromkeys(case.pair)]
    single: list[Factor] = [*roles, *versions, *words]
    yield from ((one,) for one in single)
    for one, other in combinations(single, 2):
        if other != (VERSION, one[1]):  # which says nothing more
            yield one, other
