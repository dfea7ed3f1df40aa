"""Where the attempts of all shards are put while they are merged: in a file, in the form in which they will be written.

In memory they would fill gigabytes. What decides about the result of a case, and what most readers want of an attempt,
is kept.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci.results.records import Attempt, with_proof
from ci.results.stored_attempts import AttemptBrief, AttemptStore, Interned, StoredAttempts, attempts_object, brief_of

if TYPE_CHECKING:
    from ci.model import Outcome, Proof, Reason
    from ci.results.plan_file import Plan

__all__ = ["Spool", "SpooledAttempt"]

_BEGIN = b'{"attempts":['
_END = b"]}"


@dataclass(frozen=True, slots=True)
class SpooledAttempt:
    """What is kept of an attempt, and where it lies. See `Attempt`."""

    key: str
    case: str
    kind: str
    supersedes: str | None
    reason: Reason | None
    metrics: Mapping[str, float]
    proof: Proof | None
    brief: AttemptBrief
    length: int
    offset: int = field(compare=False)

    @property
    def run(self) -> str:
        return self.brief.run

    @property
    def attempt(self) -> int:
        return self.brief.attempt

    @property
    def outcome(self) -> Outcome:
        return self.brief.outcome

    @property
    def started_at(self) -> str | None:
        return self.brief.started_at


class Spool:
    """A file without a name, gone with whatever was stored in it."""

    def __init__(self, plan: Plan) -> None:
        self._suite = plan.suite
        self._names = {one.name: one.name for one in plan.selected}
        self._keys = {one.key: one.key for one in plan.selected}
        self._interned = Interned()
        self._file = tempfile.TemporaryFile(prefix="merge-", buffering=1 << 20)  # noqa: SIM115 -- the store closes it
        self._store = AttemptStore(self._file, plan.suite, where="an attempt", canonical=True)
        self._size = 0

    def add(self, attempt: Attempt) -> SpooledAttempt:
        """Put an attempt there."""
        attempt = with_proof(attempt, self._suite)
        data = attempts_object([attempt])
        return SpooledAttempt(
            key=self._keys.get(attempt.key, attempt.key),
            case=self._names.get(attempt.case, attempt.case),
            kind=attempt.kind,
            supersedes=attempt.supersedes,
            reason=attempt.reason,
            metrics=attempt.metrics,
            proof=attempt.proof,
            brief=self._interned.brief(brief_of(attempt)),
            offset=self._write(data),
            length=len(data),
        )

    def equal(self, some: Sequence[SpooledAttempt], others: Sequence[SpooledAttempt]) -> bool:
        """Whether these are the same attempts, in all that there is of them."""
        return some == others and all(
            self._store.raw(one.offset, one.length) == self._store.raw(other.offset, other.length)
            for one, other in zip(some, others, strict=True)
        )

    def stored(self, attempts: Sequence[SpooledAttempt]) -> StoredAttempts | tuple[Attempt, ...]:
        """All attempts at one case, in this order."""
        if not attempts:
            return ()
        offset, length = attempts[0].offset, attempts[0].length
        if len(attempts) > 1:
            parts = [self._store.raw(it.offset, it.length)[len(_BEGIN) : -len(_END)] for it in attempts]
            data = _BEGIN + b",".join(parts) + _END
            offset, length = self._write(data), len(data)
        return StoredAttempts(self._store, offset, length, tuple(it.brief for it in attempts))

    def _write(self, data: bytes) -> int:
        offset = self._size
        if self._file.tell() != offset:  # something of it was read since
            self._file.seek(offset)
        self._file.write(data)
        self._size += len(data)
        return offset
