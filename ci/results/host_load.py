"""Whether a host has so much else to do that cases run out of time for that alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.records import Attempt
    from ci.results.stored_attempts import AttemptBrief

__all__ = ["load_note", "most_load"]

# Processes that want to run, per processor: beyond this everything takes several times as long.
_PER_PROCESSOR: Final = 2.0
# What a case under way adds by itself: both sides, what starts them, and a build now and then.
_PER_WORKER: Final = 3.0


def most_load(processors: int, workers: int = 0) -> float:
    """The load average beyond which a host is overloaded.

    :param workers: cases of ours that run at once
    """
    return _PER_PROCESSOR * processors + _PER_WORKER * workers


def load_note(attempts: Iterable[Attempt | AttemptBrief]) -> str | None:
    """A sentence about those that were made on an overloaded host; None where none was."""
    total, over = 0, []
    for attempt in attempts:
        load, processors, workers = (attempt.host.get(name) for name in ("load1", "cpus", "workers"))
        if not (isinstance(load, (int, float)) and isinstance(processors, int) and isinstance(workers, int)):
            continue
        total += 1
        if load > most_load(processors, workers):
            over.append((load, processors))
    if not over:
        return None
    load, processors = max(over)
    return (
        f"the host had too much to do: {len(over)} of {counted(total, 'attempt')} ran at a load of up to {load:.0f} on "
        f"{counted(processors, 'processor')}; cells may be red for lack of time alone: run these again when it is "
        "quieter, or with --timeout-factor 3"
    )
