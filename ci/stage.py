"""What the runner needs in order to play a case, whatever it is played on.

A suite describes and judges, an engine runs, and neither knows the other; a stage is where both come together for one
kind of case. The runner sees stages alone.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci.json_fields import Json
    from ci.model import Role, Verdict
    from ci.records import EvidenceFile, RoleRecord
    from ci.schedule import Ready

__all__ = ["Performance", "Stage", "Stages", "Take"]


@dataclass(frozen=True, kw_only=True)
class Take:
    """One attempt, as the stage has to know it.

    :param number: 1-based, within this run
    :param identity: unique to it, so that nothing of an earlier attempt can be taken for its own
    :param folder: of the shard, in which evidence is kept
    :param started_at: RFC 3339, UTC
    :param labels: what to mark things with
    """

    number: int
    identity: str
    folder: Path
    started_at: str
    labels: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Performance:
    """What came of one attempt.

    :param elapsed: seconds until it was decided
    :param keep: writes the evidence, given all durations in milliseconds; raises `OSError`
    :param seed: what chance there was came from it
    """

    verdict: Verdict
    roles: Mapping[Role, RoleRecord]
    elapsed: float
    keep: Callable[[Mapping[str, float]], tuple[EvidenceFile, ...]]
    published: tuple[str, ...] = ()
    limits: Mapping[str, Json] = field(default_factory=dict)
    seed: int | None = None


class Stage(Protocol):
    """A place where one case at a time is played."""

    def play(self, ready: Ready, take: Take, cancelled: threading.Event) -> Performance:
        """Play a case once.

        :raises EngineError: the engine or the host broke; says nothing about the implementations
        :raises Cancelled: `cancelled` was set
        """


class Stages(Protocol):
    """Makes stages: as many as cases are to be under way at once."""

    def describe(self) -> Mapping[str, Json]:
        """Name, version, processors, memory of the engine: what a reader of the results wants to know."""

    def stage(self, number: int) -> AbstractContextManager[Stage]: ...

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        """What decides about the result of a case: equal inputs mean the same experiment."""
