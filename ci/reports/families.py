"""Which family a version is of, as the records of a run say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci.results.merged import MergedCase

__all__ = ["families_of"]


def families_of(cases: Iterable[MergedCase]) -> dict[str, str]:
    """By version; a version that was never run is not there."""
    found: dict[str, str] = {}
    for case in cases:
        # Attempts are read from the run's file each time, and any that a version took part in says it.
        if not found.keys() >= set(case.pair):
            found |= {role.version: role.family for attempt in case.counted[:1] for role in attempt.roles.values()}
    return found
