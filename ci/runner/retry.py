"""Which red cases are tried again: alone, at the end of their shard, where another result would tell of a flake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["RETRY_CASES", "RETRY_SECONDS", "Retries", "retries"]

# What a shard spends on telling flaky from broken: more would take as long as the cases themselves.
RETRY_CASES: Final = 100
RETRY_SECONDS: Final = 30 * 60.0
# Beyond this share of red cases retrying finds no flakes, it only repeats what is broken.
OUTAGE_SHARE: Final = 0.2
OUTAGE_MINIMUM: Final = 10
# The same of one pair of versions: two that cannot talk at all can take an hour to not do so twice.
PAIR_SHARE: Final = 0.5
PAIR_MINIMUM: Final = 5


@dataclass(frozen=True, kw_only=True)
class Retries:
    """What is tried again, and a sentence for each group of cases that is not."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...]


def retries(planned: Sequence[Case], failed: Collection[Case], *, is_error: Callable[[Case], bool]) -> Retries:
    """Of the cases that may be tried again those that are worth it, by their names.

    Errors always are: they say nothing about the versions, and so nothing about whether these would fail again.

    :param planned: all of the shard
    :param failed: red cases and errors
    :param is_error: whether it was the harness or the host that failed
    """
    errors = [case for case in failed if is_error(case)]
    red = [case for case in failed if not is_error(case)]
    if len(red) > max(OUTAGE_MINIMUM, OUTAGE_SHARE * len(planned)):
        return Retries(cases=_ordered(errors), notes=(_no_flake(f"{len(red)} of {len(planned)} cases are red"),))
    planned_of, red_of = Counter(map(_pair, planned)), Counter(map(_pair, red))
    hopeless = {
        pair for pair, count in red_of.items() if count >= PAIR_MINIMUM and count > PAIR_SHARE * planned_of[pair]
    }
    return Retries(
        cases=_ordered([*errors, *(case for case in red if _pair(case) not in hopeless)]),
        notes=tuple(
            _no_flake(f"{' x '.join(pair)}: {red_of[pair]} of {planned_of[pair]} cases are red")
            for pair in sorted(hopeless)
        ),
    )


def _pair(case: Case) -> tuple[str, str]:
    return case.first, case.second


def _ordered(cases: Collection[Case]) -> tuple[Case, ...]:
    return tuple(sorted(cases, key=lambda case: case.name))


def _no_flake(what: str) -> str:
    return f"{what}: that is no flake, so none of them was tried again"
