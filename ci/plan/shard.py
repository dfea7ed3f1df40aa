"""Deterministic slices of a plan.

Packing is longest processing time first: cases by falling weight, then by name, each into the shard with the
least weight so far (then the fewest cases, then the lowest number). The result depends on the cases, their
weights and the number of shards, on nothing else. What runs with nothing beside it weighs as much as all that could
have run meanwhile. Each shard runs its cases in the order it was given them,
so the longest first: a slow case that starts late would make the shard wait for it alone.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.util.suggest import shown

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.plan_file import Plan, PlannedCase

__all__ = ["MAXIMUM_SHARDS", "Shard", "assign", "slice_of", "slices_of", "slots_held"]

# As many jobs as one GitHub matrix may have; more shards than that are a slip of the keyboard.
MAXIMUM_SHARDS: Final = 256
# Cases at once on the machines that shards usually run on.
BESIDE: Final = 2


@dataclass(frozen=True, order=True)
class Shard:
    """The `index`-th of `count` slices, counted from 1, written `3/8`.

    :raises ConfigurationError: there is no such shard
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MAXIMUM_SHARDS:
            raise _refusal(f"{self}", f"the number of shards is from 1 to {MAXIMUM_SHARDS}")
        if self.index == 0:
            raise _refusal(f"{self}", f"shards are counted from 1: the first is 1/{self.count}")
        if not 1 <= self.index <= self.count:
            raise _refusal(f"{self}", f"the last one is {self.count}/{self.count}")

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read `3/8`.

        :raises ConfigurationError: it does not read like that, or there is no such shard
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if match is not None:
            return cls(int(match[1]), int(match[2]))
        numbers = re.fullmatch(r"\s*([0-9]{1,9})\s*(?:[-/:,|]|of|\s)\s*([0-9]{1,9})\s*", text)
        hint = "write it as number/count, like 3/8"
        if numbers is not None:
            hint += f": did you mean {int(numbers[1])}/{int(numbers[2])}?"
        elif re.fullmatch(r"[0-9]+/[0-9]+", text):
            hint = f"the number of shards is from 1 to {MAXIMUM_SHARDS}"
        raise _refusal(text, hint)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def slots_held(case: Case) -> int:
    """How many of the cases that a shard runs at once `case` takes the place of."""
    return BESIDE if case.alone else 1


def assign(cases: Sequence[Case], seconds: Mapping[str, float], count: int) -> tuple[tuple[Case, ...], ...]:
    """Pack `cases` into `count` shards; with few cases some stay empty.

    :param seconds: the weight of each case, by name
    :return: for each shard its cases in the order they run
    """
    last = Shard(count, count)
    # Whole milliseconds: sums of floats would depend on the order of addition.
    weighed = [(-round(seconds[case.name] * 1000) * slots_held(case), case.name, case) for case in cases]
    weighed.sort(key=lambda item: item[:2])
    shards: tuple[list[Case], ...] = tuple([] for _ in range(last.count))
    loads = [(0, 0, index) for index in range(last.count)]  # milliseconds, cases, shard: already a heap
    for weight, _, case in weighed:
        load, held, index = loads[0]
        heapq.heapreplace(loads, (load - weight, held + 1, index))
        shards[index].append(case)
    return tuple(map(tuple, shards))


def _refusal(text: str, hint: str) -> ConfigurationError:
    return ConfigurationError("no-such-shard", f"`{shown(text)}` is not a shard", hint=hint)


def slice_of(plan: Plan, shard: Shard) -> tuple[PlannedCase, ...]:
    """The selected cases of one shard, in the order they run."""
    return slices_of(plan, shard.count)[shard.index - 1]


def slices_of(plan: Plan, count: int) -> tuple[tuple[PlannedCase, ...], ...]:
    """The selected cases of all of so many shards, in the order they run."""
    planned = {one.name: one for one in plan.selected}
    seconds = {name: one.seconds for name, one in planned.items()}
    shards = assign([one.case for one in plan.selected], seconds, count)
    return tuple(tuple(planned[case.name] for case in cases) for cases in shards)
