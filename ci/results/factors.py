"""What cases have in common that others have not: a role's version, a version, a word of a stack, or two of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeAlias

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
    totals: Mapping[tuple[Factor, ...], int] = Counter(it for case in among for it in _factors(case))
    having: Mapping[tuple[Factor, ...], int] = Counter(it for case in some for it in _factors(case))
    left = list(some)
    while left:
        covered = Counter(it for case in left for it in _factors(case))
        good = [it for it, count in covered.items() if count > 1 and having[it] >= share * totals[it]]
        if not good:
            yield from (Group(factors=(), cases=(case,), of=1) for case in left)
            return
        best = max(good, key=lambda it: (covered[it] * covered[it] / totals[it], -len(it)))
        found: list[Case] = []
        others: list[Case] = []
        for case in left:
            (found if best in _factors(case) else others).append(case)
        yield Group(factors=best, cases=tuple(found), of=totals[best])
        left = others


def _factors(case: Case) -> Iterator[tuple[Factor, ...]]:
    words = [(param.dimension, word) for param, word in zip(case.suite.params, case.params, strict=True) if word]
    roles = list(zip(case.suite.roles, case.pair, strict=True))
    versions = [(VERSION, version) for version in dict.fromkeys(case.pair)]
    single: list[Factor] = [*roles, *versions, *words]
    yield from ((one,) for one in single)
    for one, other in combinations(single, 2):
        if other != (VERSION, one[1]):  # which says nothing more
            yield one, other
