"""The three kinds of line in a shard's `results.jsonl`, as frozen records.

A file is one `RunStart`, an `Attempt` for everything that was tried or could not be, and a `RunEnd`. Only
what was measured is stored: verdicts and expectations are computed when results are merged.

The classes are the format: JSON has their fields in camelCase and in their order, `ci.results.record_lines` writes and
reads them, docs/results.schema.json is held to them by a test, and docs/results-format.md describes them for readers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace as changed

from ci.errors import ConfigurationError
from ci.model import Case, Outcome, Proof, Reason, Role, SuiteWords, proof_of

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
    "changed",
    "check_shard",
    "shard_numbers",
    "timestamp",
    "with_proof",
]

# Raised only when an old reader would misunderstand a line; new keys do not raise it.
SCHEMA: Final = 1

# first: the ordinary one; retry: at the end of the shard, because an earlier one was red; confirm: because an
# expected failure passed; repeat: asked for (`--until-fail`); rerun: a later run replaces the result.
Kind: TypeAlias = Literal["first", "retry", "confirm", "repeat", "rerun"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

SHARD_PATTERN: Final = r"^([1-9][0-9]{0,5})/([1-9][0-9]{0,5})$"
MOMENT_PATTERN: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$"
_SHARD: Final = re.compile(SHARD_PATTERN)

# At least 1, at least 0.
Ordinal: TypeAlias = Annotated[int, Meta(ge=1)]
Count: TypeAlias = Annotated[int, Meta(ge=0)]
# A whole number stays one where every reader of JSON can hold it.
EXACT: Final = 2**53
Number: TypeAlias = Annotated[int, Meta(ge=-EXACT, le=EXACT)] | float
Numbers: TypeAlias = Mapping[str, Number]
# What a free-form object may hold is not looked into.
Object: TypeAlias = Mapping[str, Any]
Schema: TypeAlias = Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)]
ShardName: TypeAlias = Annotated[str, Meta(pattern=SHARD_PATTERN)]
SuiteName: TypeAlias = Annotated[str, Meta(pattern="^[a-z][a-z0-9-]{0,31}$")]
# In UTC, as `timestamp` writes it.
Moment: TypeAlias = Annotated[str, Meta(pattern=MOMENT_PATTERN)]


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


@lru_cache(maxsize=1024)
def check_shard(shard: str) -> None:
    """For records that are read: what is wrong with one is told by the code that reads it, with where it stands.

    :raises ValueError: as `shard_numbers`
    """
    try:
        shard_numbers(shard)
    except ConfigurationError as error:
        raise ValueError(error.message) from error


class RunStart(Struct, frozen=True, kw_only=True, rename="camel", tag="start"):
    """First line: what the following attempts belong to. Written again whenever a killed run goes on.

    :param run: id shared by all shards of a run
    :param plan: the plan's digest, `sha256:…`; merging refuses a mixture
    :param shard: `3/8`
    :param ci_attempt: 1, or more when the CI provider re-runs the job; the highest wins
    :param tool_version: of this package
    :param commit: of the checkout; with `-dirty` behind it where it was changed; None where it is none
    :param rerun: it repeats single cases of other runs and is no slice of the plan
    :param host: what machine it was, free form
    """

    schema: Schema = SCHEMA
    run: str
    plan: str
    shard: ShardName
    ci_attempt: Ordinal = 1
    tool_version: str
    commit: str | None = None
    rerun: bool = False
    host: Object = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_shard(self.shard)


class RunEnd(Struct, frozen=True, kw_only=True, rename="camel", tag="end"):
    """Last line; its absence means the shard was cut short.

    :param planned: cases in the shard
    :param reported: of these, how many have a record
    :param ok: the shard came to its own end with nothing left out. Says nothing about outcomes
    """

    planned: Count
    reported: Count
    ok: bool


class RoleRecord(Struct, frozen=True, kw_only=True, rename="camel"):
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
    exit_code: int | None = msgspec.field(default=None, name="exit")
    signal: int | None = None
    oom: bool = False


class EvidenceFile(Struct, frozen=True, kw_only=True, rename="camel"):
    """A file kept for one attempt.

    :param role: whose, or `harness`
    :param stream: `stdout`, `stderr`, `output`, `capture` …
    :param path: relative to the shard's folder, `/` between parts
    :param size: bytes in the file
    :param truncated: more was written than kept
    :param name: its path below the attempt's folder, as it was written; None where `path` ends with just that
    """

    role: str
    stream: str
    path: str
    size: Count = msgspec.field(name="bytes")
    sha256: str
    truncated: bool = False
    name: str | None = None


class Reused(Struct, frozen=True, kw_only=True, rename="camel"):
    """The verdict was taken over from an equal earlier attempt instead of measured again."""

    run: str
    attempt: Ordinal


class Attempt(Struct, frozen=True, kw_only=True, rename="camel", tag="attempt"):
    """One attempt at one case, or the statement that there was none (`outcome` not-run).

    :param case: display name; records are joined on `key`, never on this
    :param suite: of the case; where it is absent, the one that is implied
    :param params: the stack, or the test case, by the names that JSON has for the words
    :param inputs: digest over image digests, parameters and runner contract: equal means the same experiment
    :param attempt: 1-based, within this run
    :param of: attempts allowed
    :param supersedes: `reference` of the last attempt that a re-run replaces; that one and those before it in
        the same run no longer count
    :param started_at: from `timestamp`; None if it never started
    :param durations: milliseconds by the monotonic clock: `verdict` until all was there that decides, `judging` for the
        decision, `total` for the whole attempt
    :param metrics: milliseconds: `handshakePlusOneRTTMillis`, `pingRTTMilllis` (the contract's spelling)
    :param negotiated: the stack the endpoints say they negotiated
    :param proof: whether the stack of a passed attempt was reported by a side or is believed, see `with_proof`
    :param published: addresses the listener pushed to Redis, in order
    :param warnings: defects that did not decide
    :param repro: the one command that repeats this
    """

    schema: Schema = SCHEMA
    run: str
    plan: str
    shard: ShardName
    ci_attempt: Ordinal = 1
    case: str
    key: str
    suite: SuiteName | None = None
    params: Mapping[str, str | None]
    roles: Mapping[Role, RoleRecord] = msgspec.field(default_factory=dict)
    inputs: str | None = None
    attempt: Ordinal = 1
    of: Ordinal = 1
    kind: Kind = "first"
    supersedes: str | None = None
    outcome: Outcome
    reason: Reason | None = None
    started_at: Moment | None = None
    durations: Numbers = msgspec.field(default_factory=dict)
    metrics: Numbers = msgspec.field(default_factory=dict)
    negotiated: Mapping[str, str] | None = None
    proof: Proof | None = None
    published: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    engine: Object = msgspec.field(default_factory=dict)
    host: Object = msgspec.field(default_factory=dict)
    evidence: tuple[EvidenceFile, ...] = ()
    seed: int | None = None
    limits: Object = msgspec.field(default_factory=dict)
    repro: str | None = None
    reused: Reused | None = None

    def __post_init__(self) -> None:
        check_shard(self.shard)
        if not any(self.params.values()):
            raise ValueError("`params` has neither a transport nor a test case")

    @property
    def reference(self) -> str:
        """How another record points at this one: run, case key and attempt number."""
        return f"{self.run}/{self.key}/{self.attempt}"


Record: TypeAlias = RunStart | Attempt | RunEnd


def attempt_for(start: RunStart, case: Case, outcome: Outcome, reason: Reason | None = None) -> Attempt:
    """An attempt with all that follows from run and case filled in; the rest by `changed`."""
    return Attempt(
        run=start.run,
        plan=start.plan,
        shard=start.shard,
        ci_attempt=start.ci_attempt,
        case=case.name,
        key=case.key,
        suite=case.suite.name,
        params=case.named_params,
        outcome=outcome,
        reason=reason,
    )


def with_proof(attempt: Attempt, suite: SuiteWords) -> Attempt:
    """The attempt with what says that its stack was the one asked for.

    Never as given: it follows from what was negotiated, and an older version wrote none. An attempt that did not pass
    has none, nor has any of a suite whose params are not negotiated, where captures are judged instead of words.
    """
    passed = suite.negotiated and attempt.outcome is Outcome.PASSED
    proof = proof_of(attempt.params, attempt.negotiated) if passed else None
    return attempt if attempt.proof is proof else changed(attempt, proof=proof)
