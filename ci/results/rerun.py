"""What a run leaves to be run again, and on what: from its records, never from a summary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ci.results.aggregate import CaseVerdict

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.merged import Merged, MergedCase

__all__ = ["Recorded", "outstanding", "recorded"]

# What nobody has seen to be as it should be.
_OPEN: Final = (CaseVerdict.UNEXPECTED, CaseVerdict.ERROR, CaseVerdict.INCOMPLETE)


def outstanding(merged: Merged) -> tuple[MergedCase, ...]:
    """The cases that failed unexpectedly, broke the harness, or have no result."""
    return tuple(case for case in merged.cases if case.verdict in _OPEN)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What some cases were run on, as far as there are records.

    :param digests: of a version's image
    :param seeds: of a case, by its key
    :param references: the last attempt at a case, by its key: what a new one replaces
    """

    digests: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


def recorded(merged: Merged, cases: Iterable[Case]) -> Recorded:
    """Of a version that a case has no record of, what other cases of the run were run on counts."""
    digests: dict[str, str] = {}
    for case in merged.cases:
        for attempt in case.counted:
            digests |= {it.version: it.image_digest for it in attempt.roles.values() if it.image_digest is not None}
    wanted = {case.key for case in cases}
    seeds: dict[str, int] = {}
    references: dict[str, str] = {}
    for case in merged.cases:
        if case.key in wanted and case.attempts:
            references[case.key] = case.attempts[-1].reference
            seeds.update((case.key, it.seed) for it in case.counted if it.seed is not None)
    return Recorded(digests=digests, seeds=seeds, references=references)
