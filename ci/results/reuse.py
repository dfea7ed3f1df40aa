"""Which results of an earlier run may stand for running a case again: green at the first attempt, on equal inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from ci.results.aggregate import CaseVerdict
from ci.results.records import Attempt, Reused, RunStart, attempt_for, changed

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.merged import Merged

__all__ = ["Reusable", "reusable", "reused"]

# By the key of a case and the digest of its inputs.
Reusable: TypeAlias = "Mapping[tuple[str, str], Attempt]"


def reusable(merged: Merged, expected: Mapping[str, object]) -> Reusable:
    """Never what was red, flaky, repeated, or is or was expected to be anything but green.

    :param expected: what is known now, by the key of a case
    """
    return {
        (case.key, attempt.inputs): attempt
        for case in merged.cases
        if case.verdict is CaseVerdict.GREEN and case.expectation is None and case.key not in expected
        for attempt in case.counted
        if len(case.counted) == 1 and attempt.kind == "first" and attempt.inputs is not None
    }


def reused(earlier: Attempt, case: Case, start: RunStart, *, number: int) -> Attempt:
    """The record of a case that was not run: all of it is of the earlier attempt, which it names, its time included.

    :param number: of the attempt that it stands for
    """
    return changed(
        attempt_for(start, case, earlier.outcome),
        roles=earlier.roles,
        inputs=earlier.inputs,
        attempt=number,
        of=number,
        started_at=earlier.started_at,
        durations=earlier.durations,
        metrics=earlier.metrics,
        negotiated=earlier.negotiated,
        published=earlier.published,
        warnings=earlier.warnings,
        engine=earlier.engine,
        host=earlier.host,
        seed=earlier.seed,
        limits=earlier.limits,
        repro=earlier.repro,
        # Where it was measured, however often it has been taken over since.
        reused=earlier.reused or Reused(run=earlier.run, attempt=earlier.attempt),
    )
