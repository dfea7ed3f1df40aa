"""The three kinds of line in a shard's `results.jsonl`, as frozen records.

A file is one `RunStart`, an `Attempt` for everything that was tried or could not be, and a `RunEnd`. Only
what was measured is stored: verdicts and expectations are computed when results are merged. The JSON form is
in `ci.results.record_json`; the format is described in `docs/results-format.md`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Final, Literal, TypeAlias, get_args

from ci.errors import ConfigurationError
from ci.model import Case, Outcome, Params, Proof, Reason, Role, SuiteName, proof_of
from ci.util.json_fields import Json

__all__ = [
    "KINDS",
    "SCHEMA",
    "Attempt",
    "EvidenceFile",
    "Kind",
    "Record",
    "Reused",
    "RoleRecord",
    "RunEnd",
    "RunStart",
    "attempt_for",
    "shard_numbers",
    "timestamp",
]

# Raised only when an old reader would misunderstand a line; new keys do not raise it.
SCHEMA: Final = 1

# first: the ordinary one; retry: at the end of the shard, because an earlier one was red; confirm: because an
# expected failure passed; repeat: asked for (`--until-fail`); rerun: a later run replaces the result.
Kind: TypeAlias = Literal["first", "retry", "confirm", "repeat", "rerun"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_SHARD: Final = re.compile(r"([1-9][0-9]{0,5})/([1-9][0-9]{0,5})")


def timestamp(moment: datetime | None = None) -> str:
    """RFC 3339 in UTC with milliseconds, `2026-11-21T10:30:00.000Z`; now by default."""
    moment = datetime.now(timezone.utc) if moment is None else moment.astimezone(timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shard_numbers(shard: str) -> tuple[int, int]:
    """The two numbers of `3/8`.

    :raises ConfigurationError: `shard-malformed`
    """
    found = _SHARD.fullmatch(shard)
    if found is not None:
        index, count = int(found[1]), int(found[2])
        if index <= count:
            return index, count
    raise ConfigurationError(
        "shard-malformed",
        f"{shard!r} does not name a shard",
        hint="write index/count, 1/8 being the first of 8",
    )


@dataclass(frozen=True, kw_only=True)
class RunStart:
    """First line: what the following attempts belong to. Written again whenever a killed run goes on.

    :param run: id shared by all shards of a run
    :param plan: the plan's digest, `sha256:…`; merging refuses a mixture
    :param shard: `3/8`
    :param ci_attempt: 1, or more when the CI provider re-runs the job; the highest wins
    :param tool_version: of this package
    :param host: what machine it was, free form
    """

    run: str
    plan: str
    shard: str
    tool_version: str
    ci_attempt: int = 1
    host: Mapping[str, Json] = field(default_factory=dict)
    schema: int = SCHEMA


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """Last line; its absence means the shard was cut short.

    :param planned: cases in the shard
    :param reported: of these, how many have a record
    :param ok: the shard came to its own end with nothing left out. Says nothing about outcomes
    """

    planned: int
    reported: int
    ok: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleRecord:
    """What ran in one role and how it ended.

    :param image_digest: of what really ran, `sha256:…`
    :param build_key: content key of the folder the image was built from
    :param exit_code: as the engine reported it; None if the role never started or was still running
    :param signal: number of the signal that ended it
    :param oom: the kernel killed it for exceeding its memory limit
    """

    version: str
    family: str
    image_digest: str | None = None
    build_key: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceFile:
    """A file kept for one attempt.

    :param role: whose, or `harness`
    :param stream: `stdout`, `stderr`, `output`, `capture` …
    :param path: relative to the shard's folder, `/` between parts
    :param size: bytes in the file
    :param truncated: more was written than kept
    :param name: what whoever wrote it called it, from the attempt's folder on; None where `path` ends with just that
    """

    role: str
    stream: str
    path: str
    size: int
    sha256: str
    truncated: bool = False
    name: str | None = None


@dataclass(frozen=True, kw_only=True)
class Reused:
    """The verdict was taken over from an equal earlier attempt instead of measured again."""

    run: str
    attempt: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt at one case, or the statement that there was none (`outcome` not-run).

    :param case: display name; records are joined on `key`, never on this
    :param params: the stack, or the test case
    :param inputs: digest over image digests, parameters and runner contract: equal means the same experiment
    :param attempt: 1-based, within this run
    :param of: attempts allowed
    :param supersedes: `reference` of the last attempt that a re-run replaces; that one and those before it in
        the same run no longer count
    :param started_at: from `timestamp`; None if it never started
    :param durations: milliseconds by the monotonic clock: queue, start, handshake, total …
    :param metrics: milliseconds: `handshakePlusOneRTTMillis`, `pingRTTMilllis` (the contract's spelling)
    :param negotiated: the stack the endpoints say they negotiated
    :param published: addresses the listener pushed to Redis, in order
    :param warnings: defects that did not decide
    :param repro: the one command that repeats this
    """

    run: str
    plan: str
    shard: str
    case: str
    key: str
    params: Params
    outcome: Outcome
    ci_attempt: int = 1
    suite: SuiteName = "transport"
    roles: Mapping[Role, RoleRecord] = field(default_factory=dict)
    inputs: str | None = None
    attempt: int = 1
    of: int = 1
    kind: Kind = "first"
    supersedes: str | None = None
    reason: Reason | None = None
    started_at: str | None = None
    durations: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    negotiated: Mapping[str, str] | None = None
    published: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    engine: Mapping[str, Json] = field(default_factory=dict)
    host: Mapping[str, Json] = field(default_factory=dict)
    evidence: tuple[EvidenceFile, ...] = ()
    seed: int | None = None
    limits: Mapping[str, Json] = field(default_factory=dict)
    repro: str | None = None
    reused: Reused | None = None
    schema: int = SCHEMA

    @property
    def proof(self) -> Proof | None:
        """Whether the stack of a passed attempt was reported by a side or is believed; see `ci.model.proof_of`."""
        return proof_of(self.params, self.outcome, self.negotiated)

    @property
    def reference(self) -> str:
        """How another record points at this one: run, case key and attempt number."""
        return f"{self.run}/{self.key}/{self.attempt}"


Record: TypeAlias = "RunStart | Attempt | RunEnd"


def attempt_for(start: RunStart, case: Case, outcome: Outcome, reason: Reason | None = None) -> Attempt:
    """An attempt with all that follows from run and case filled in; the rest by `dataclasses.replace`."""
    return Attempt(
        run=start.run,
        plan=start.plan,
        shard=start.shard,
        ci_attempt=start.ci_attempt,
        case=case.name,
        key=case.key,
        suite=case.suite,
        params=case.params,
        outcome=outcome,
        reason=reason,
    )
