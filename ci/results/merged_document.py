"""What `merged.json` looks like: the structs are the format, docs/merged.schema.json is made of them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from ci.model import Expectation, Outcome, Proof, Reason, SuiteWords
from ci.results.aggregate import CaseVerdict, Flaky
from ci.results.case_fields import with_case_fields
from ci.results.records import Attempt, Count, Numbers, Ordinal, ShardName, check_shard

__all__ = ["SCHEMA", "CaseDocument", "CountsDocument", "MergedDocument", "MergedShard", "ShardState", "document_type"]

SCHEMA: Final = 1


class ShardState(str, Enum):
    COMPLETE = "complete"
    TRUNCATED = "truncated"  # no end line, or one that says cases were left out
    MISSING = "missing"  # no results at all

    __str__ = str.__str__


class MergedShard(Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of one shard.

    :param run: None for a missing one
    :param reported: cases it has records of
    :param torn: lines a killed process left unfinished
    :param commit: of the checkout it was run in
    :param rerun: it repeats single cases of another run and is no slice of the plan
    """

    shard: ShardName
    state: ShardState
    run: str | None = None
    ci_attempt: Ordinal | None = None
    reported: Count = 0
    torn: Count = 0
    commit: str | None = None
    rerun: bool = False

    def __post_init__(self) -> None:
        check_shard(self.shard)


class CountsDocument(Struct, frozen=True, kw_only=True):
    """How many cases had each outcome; `planned` is the sum of all six.

    :param passed: flaky and believed ones among them
    :param not_run: planned-out ones among them
    :param believed: of those passed, whose stack neither side reported
    :param expected: red or flaky, as an expectation says
    :param stale: not red, though an expectation says so
    """

    planned: Count
    passed: Count
    failed: Count
    timed_out: Count = msgspec.field(name="timed-out")
    unsupported: Count
    not_run: Count = msgspec.field(name="not-run")
    error: Count
    flaky: Count
    planned_out: Count = msgspec.field(name="plannedOut")
    believed: Count = 0
    expected: Count = 0
    stale: Count = 0


class CaseDocument(Struct, frozen=True, kw_only=True, rename="camel"):
    """One planned case; its two versions and its params have the names that its suite gives them.

    :param case: display name
    :param attempts: in the order they were made
    :param superseded: positions in `attempts` that no longer count
    :param expectation: id of what is known of it
    :param differs: its reason is not the one that the expectation tells
    """

    case: str
    key: str
    outcome: Outcome
    verdict: CaseVerdict
    reason: Reason | None = None
    flaky: Flaky | None = None
    metrics: Numbers = msgspec.field(default_factory=dict)
    proof: Proof | None = None
    attempts: tuple[Attempt, ...]
    superseded: tuple[Count, ...] = ()
    expectation: str | None = None
    differs: bool = False

    def __post_init__(self) -> None:
        if self.superseded and max(self.superseded) >= len(self.attempts):
            raise ValueError("`superseded` must hold only positions in `attempts`")


CaseT = TypeVar("CaseT", bound=CaseDocument)


class MergedDocument(Struct, Generic[CaseT], frozen=True, kw_only=True, rename="camel"):
    """The whole file.

    :param plan: digest of the plan that all shards were run with
    :param exit_code: without the stricter options
    :param unreadable: a shard's results held not even a start line
    :param unselected: how many cases of the matrix the plan left out; null or absent: not known
    :param evidence_altered: evidence whose size or sha256 is not that of its record, as shard-3-of-8/…
    :param expectations: what is known of any of the cases
    :param expectations_idle: expectations that are said of no case
    :param cases: every planned case, in the plan's order
    """

    schema: Annotated[int, Meta(ge=SCHEMA, le=SCHEMA)] = SCHEMA
    plan: str
    suite: str | None = None
    counts: CountsDocument | None = None
    exit_code: int | None = None
    shards: tuple[MergedShard, ...] = ()
    unreadable: bool = False
    unselected: Count | None = None
    evidence_altered: tuple[str, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    expectations_idle: tuple[Expectation, ...] = ()
    cases: tuple[CaseT, ...] = ()


def document_type(suite: SuiteWords) -> Any:
    """The whole file's type where it is of this suite."""
    kind: Any = MergedDocument
    return kind[with_case_fields(CaseDocument, suite, nested=True)]
