"""What a shard needs in order to run its cases, and what it is told of each attempt."""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from ci.runner.attempt import AT_ONCE

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ci.engines.base import Slot
    from ci.model import Role, Verdict
    from ci.results.records import EvidenceFile, RoleRecord
    from ci.runner.attempt import Housekeeping, PreparedAttempt
    from ci.runner.schedule import Ready
    from ci.spec.attempt import Participant, Stream
    from ci.util.json_document import Json

__all__ = ["After", "AttemptContext", "AttemptResult", "CaseObserver", "CaseRunner", "PreparedCase"]


class After(Enum):
    """What becomes of the participants once the verdict is known."""

    CLEAR = "clear"  # stopped and removed at once
    LOOKED = "looked"  # the same, after somebody has looked around: what happened meanwhile must not count
    LEAVE = "leave"  # left as they are


class CaseObserver:
    """Sees a case being run. This one looks away; others override what they want to see."""

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        """Somebody has written something, `at` seconds after the start. Called from the engine's threads."""

    def over(self, verdict: Verdict, participants: Sequence[Participant]) -> After:  # noqa: ARG002
        """The verdict is known, and nobody is removed before this returns: who took part, running or ended."""
        return After.CLEAR


@dataclass(frozen=True, kw_only=True)
class AttemptContext:
    """What an attempt is called, and where it belongs.

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
class AttemptResult:
    """What one attempt came to.

    :param elapsed: seconds until it was decided
    :param judging: seconds it took to come to the verdict from the evidence
    :param keep: writes the evidence, given all durations in milliseconds; raises `OSError`
    :param error: what kept it from being judged, where the verdict says no more than that
    :param seed: what chance there was came from it
    :param by_hand: commands that run the same once more without us, for a person to paste into a shell, given what
        people call an image by what the engine calls it; raises `OSError`
    """

    verdict: Verdict
    roles: Mapping[Role, RoleRecord]
    elapsed: float
    keep: Callable[[Mapping[str, float]], tuple[EvidenceFile, ...]]
    error: Exception | None = None
    published: tuple[str, ...] = ()
    limits: Mapping[str, Json] = field(default_factory=dict)
    seed: int | None = None
    judging: float = 0.0
    by_hand: Callable[[Mapping[str, str]], list[str]] | None = None


@dataclass(frozen=True, kw_only=True)
class PreparedCase:
    """A case whose participants are created and not started, while its slot still runs another one.

    :param key: of the case
    :param number: of the attempt
    :param folder: holds what the participants were given, until the attempt has a folder of its own
    """

    key: str
    number: int
    attempt: PreparedAttempt
    folder: Path | None = None

    def discard(self) -> None:
        """Remove all of it: it will not be started."""
        self.attempt.discard()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class CaseRunner(Protocol):
    """What a shard needs in order to run its cases."""

    def describe(self) -> Mapping[str, Json]:
        """Name, version, processors, memory of the engine: what a reader of the results wants to know."""

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        """What decides about the result of a case: equal inputs mean the same experiment."""

    def prepare(self, slot: Slot, ready: Ready, context: AttemptContext) -> PreparedCase | None:
        """Create the participants of an attempt while the slot runs another case; None where that cannot be.

        Called from another thread than `run_case`.

        :raises EngineError, OSError: see `run_case`; a run of the case that was not prepared raises the same
        """

    def slot(self, number: int) -> AbstractContextManager[Slot]:
        """A place for one case at a time; as many as cases are to be under way at once."""

    def run_case(
        self,
        slot: Slot,
        ready: Ready,
        context: AttemptContext,
        cancelled: threading.Event,
        observer: CaseObserver | None = None,
        *,
        prepared: PreparedCase | None = None,
        housekeeping: Housekeeping = AT_ONCE,
    ) -> AttemptResult:
        """Run a case once.

        :param prepared: by `prepare` for this very attempt; used, or discarded
        :param housekeeping: what is done about participants that have ended
        :raises EngineError: the engine broke, and this slot with it; says nothing about the implementations
        :raises OSError: files cannot be written
        :raises Cancelled: `cancelled` was set
        """
