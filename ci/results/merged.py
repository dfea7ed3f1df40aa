"""The merged results of a run, `merged.json`: one record per planned case, in the plan's order.

Reports are pure functions of this. The file says nothing of when or where it was merged, so the same shards
always give the same bytes; `docs/results-format.md` describes it for other consumers.

Its form is that of `ci.results.merged_document`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ci.errors import ConfigurationError, ExitCode
from ci.model import Case, Expectation, Outcome, Proof, Suites, SuiteWords
from ci.results.aggregate import CaseVerdict, Result, aggregate_run, proof_in, verdict
from ci.results.case_fields import case_fields, case_from, suite_named
from ci.results.merged_document import (
    SCHEMA,
    CaseDocument,
    CountsDocument,
    MergedDocument,
    MergedShard,
    ShardState,
    document_type,
)
from ci.results.record_lines import signed
from ci.results.records import Attempt, changed, with_proof
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.json_document import canonical, decode_as

__all__ = [
    "Counts",
    "Merged",
    "MergedCase",
    "MergedShard",
    "ShardState",
    "case_document",
    "merged_from",
    "read_merged",
    "write_merged",
]


@dataclass(frozen=True, kw_only=True)
class MergedCase:
    """One cell: what was planned, what it came to, and every attempt.

    :param attempts: in the order they were made, the superseded ones among them
    :param superseded: positions in `attempts` that no longer count
    :param expectation: what is known of it
    :param differs: its reason is not the one that the expectation tells
    """

    case: Case
    result: Result
    attempts: tuple[Attempt, ...] = ()
    superseded: frozenset[int] = frozenset()
    expectation: Expectation | None = None
    differs: bool = False

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts that count."""
        return tuple(it for position, it in enumerate(self.attempts) if position not in self.superseded)

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def key(self) -> str:
        return self.case.key

    @property
    def first(self) -> str:
        return self.case.first

    @property
    def second(self) -> str:
        return self.case.second

    @property
    def pair(self) -> tuple[str, str]:
        return self.case.pair

    @property
    def words(self) -> tuple[str, ...]:
        return self.case.words

    @property
    def verdict(self) -> CaseVerdict:
        return verdict(self.result, self.expectation, differs=self.differs)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many cases had each outcome.

    `passed` includes the flaky ones and those whose stack is only believed, `not_run` the planned-out ones.

    :param expected: red or flaky, as somebody had said
    :param stale: not red, though somebody had said so
    """

    planned: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    flaky: int = 0
    planned_out: int = 0
    believed: int = 0
    expected: int = 0
    stale: int = 0

    def of(self, outcome: Outcome) -> int:
        return self.outcomes.get(outcome, 0)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A run, whole.

    :param plan: digest of the plan all shards were run with
    :param unreadable: a folder was given whose results hold not even a start line
    :param unselected: cases of the matrix that the plan left out; None where a file of an older version does not say
    :param altered: evidence that is not what its record says, `shard-3-of-8/…`
    :param idle: expectations that are said of no case of any suite
    """

    plan: str
    cases: tuple[MergedCase, ...]
    suite: SuiteWords
    shards: tuple[MergedShard, ...] = ()
    unreadable: bool = False
    unselected: int | None = 0
    altered: tuple[str, ...] = ()
    idle: tuple[Expectation, ...] = ()

    @cached_property
    def expectations(self) -> tuple[Expectation, ...]:
        """Those that are said of a case of this run, in the order of the cases."""
        return tuple({it.expectation.id: it.expectation for it in self.cases if it.expectation is not None}.values())

    @cached_property
    def neglected(self) -> tuple[str, ...]:
        """What there is to do about the expectations themselves, a line each, as of the day of the run."""
        day = max((it.started_at or "" for case in self.cases for it in case.attempts), default="")[:10]
        lines = []
        for it in self.expectations:
            if it.expires is not None and it.expires.isoformat() <= day:
                lines.append(f"expectation `{it.id}` expired on {it.expires} ({it.place}): look again")
            if not it.reason:
                lines.append(f"expectation `{it.id}` gives no reason ({it.place})")
        lines += [f"expectation `{it.id}` is said of no case ({it.place}): correct or remove it" for it in self.idle]
        return tuple(lines)

    @cached_property
    def counts(self) -> Counts:
        outcomes = dict.fromkeys(Outcome, 0)
        flaky = planned_out = believed = expected = stale = 0
        for case in self.cases:
            expected += case.verdict is CaseVerdict.EXPECTED
            stale += case.verdict is CaseVerdict.STALE
            outcomes[case.result.outcome] += 1
            flaky += case.result.flaky is not None
            planned_out += case.verdict is CaseVerdict.GREY
            believed += case.result.proof is Proof.BELIEVED
        return Counts(
            planned=len(self.cases),
            outcomes=outcomes,
            flaky=flaky,
            planned_out=planned_out,
            believed=believed,
            expected=expected,
            stale=stale,
        )

    @property
    def shards_complete(self) -> bool:
        return not self.unreadable and all(shard.state is ShardState.COMPLETE for shard in self.shards)

    def exit_code(
        self,
        *,
        require_complete: bool = False,
        fail_on_flaky: bool = False,
        require_proof: bool = False,
        accept_red: bool = False,
        strict: bool = False,
    ) -> ExitCode:
        """What the run comes to; see `ci.results.aggregate.aggregate_run`."""
        return aggregate_run(
            ((case.result, case.verdict) for case in self.cases),
            shards_complete=self.shards_complete,
            require_complete=require_complete,
            fail_on_flaky=fail_on_flaky,
            require_proof=require_proof,
            accept_red=accept_red,
            strict=strict,
            neglected=bool(self.neglected),
        )

    def to_bytes(self) -> bytes:
        """The canonical form of the document, made case by case: the whole of it as objects would be huge."""
        cases = b",".join(canonical(case_document(case)) for case in self.cases)
        counts = self.counts
        summary: MergedDocument[CaseDocument] = MergedDocument(
            plan=self.plan,
            suite=self.suite.name,
            counts=CountsDocument(
                planned=counts.planned,
                passed=counts.of(Outcome.PASSED),
                failed=counts.of(Outcome.FAILED),
                timed_out=counts.of(Outcome.TIMED_OUT),
                unsupported=counts.of(Outcome.UNSUPPORTED),
                not_run=counts.of(Outcome.NOT_RUN),
                error=counts.of(Outcome.ERROR),
                flaky=counts.flaky,
                planned_out=counts.planned_out,
                believed=counts.believed,
                expected=counts.expected,
                stale=counts.stale,
            ),
            exit_code=int(self.exit_code()),
            shards=self.shards,
            unreadable=self.unreadable,
            unselected=self.unselected,
            evidence_altered=self.altered,
            expectations=self.expectations,
            expectations_idle=self.idle,
            cases=(),
        )
        # `cases` sorts before every other key.
        return b'{"cases":[' + cases + b"]" + canonical(summary).removeprefix(b'{"cases":[]')


# --- the file ---------------------------------------------------------------------------------------------


class _Head(Struct, frozen=True):
    schema: int
    suite: str | None = None


def write_merged(path: Path, merged: Merged) -> None:
    """Write `merged.json`: canonical, so equal results are equal bytes, and whole or not at all.

    Its folder is made if it is not there: where results were fetched from elsewhere, nothing has made it yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, merged.to_bytes() + b"\n")


def read_merged(path: Path, suites: Suites) -> Merged:
    """The run in a file; its counts, verdicts, proof and exit code are computed again.

    :param suites: those there are
    :raises ConfigurationError: `merged-unreadable`, `record-malformed`, `record-schema`
    """
    try:
        data = read_given(path)
    except OSError as error:
        raise ConfigurationError(
            "merged-unreadable",
            f"cannot read {path}: {error.strerror or error}",
            hint="write it with `merge-results`",
        ) from error
    except ValueError as error:  # a pipe, a device
        raise ConfigurationError("record-malformed", f"{path} is not JSON: {error}") from error
    return merged_from(data, suites, where=str(path))


def merged_from(data: bytes, suites: Suites, *, where: str = "merged results") -> Merged:
    """The run in a document; see `read_merged`.

    :param where: what it is, for messages
    :raises ConfigurationError: `record-malformed`, `record-schema`
    """
    try:
        head = decode_as(data, _Head)
        if head.schema != SCHEMA:
            raise ConfigurationError(
                "record-schema",
                f"{where}: format {head.schema}, but this version reads format {SCHEMA}",
                hint="merge the shards again with this version",
            )
        suite = suite_named(head.suite, suites)
        document: MergedDocument[CaseDocument] = decode_as(data, document_type(suite))
        return _merged(document, suite)
    except (msgspec.ValidationError, RecursionError) as error:
        raise ConfigurationError("record-malformed", f"{where}: {error}") from error
    except ValueError as error:
        raise ConfigurationError("record-malformed", f"{where}: it is not JSON: {error}") from error


def case_document(case: MergedCase) -> dict[str, Any]:
    """A case as the document has it."""
    result = case.result
    document = CaseDocument(
        case=case.name,
        key=case.key,
        outcome=result.outcome,
        verdict=case.verdict,
        reason=result.reason and signed(result.reason),
        flaky=result.flaky,
        metrics=result.metrics,
        proof=result.proof,
        attempts=tuple(_signed_attempt(attempt) for attempt in case.attempts),
        superseded=tuple(sorted(case.superseded)),
        expectation=None if case.expectation is None else case.expectation.id,
        differs=case.differs,
    )
    names = zip(document.__struct_encode_fields__, document.__struct_fields__, strict=True)
    fields = {encoded: getattr(document, name) for encoded, name in names}
    return {**fields, **case_fields(case.case, nested=True)}


def _signed_attempt(attempt: Attempt) -> Attempt:
    """By today's rules, whatever those of the version that wrote it were."""
    return attempt if attempt.reason is None else changed(attempt, reason=signed(attempt.reason))


def _merged(document: MergedDocument[CaseDocument], suite: SuiteWords) -> Merged:
    return Merged(
        plan=document.plan,
        suite=suite,
        shards=document.shards,
        unreadable=document.unreadable,
        unselected=document.unselected,
        altered=document.evidence_altered,
        idle=document.expectations_idle,
        cases=tuple(_cases(document, suite)),
    )


def _cases(whole: MergedDocument[CaseDocument], suite: SuiteWords) -> Iterable[MergedCase]:
    known: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}
    expectations: dict[str | None, Expectation] = {it.id: it for it in whole.expectations}
    for document in whole.cases:
        if document.expectation is not None and document.expectation not in expectations:
            raise msgspec.ValidationError(f"`expectations` holds no {document.expectation!r}, named by {document.case}")
        case = case_from(document, suite, known)
        if (document.case, document.key) != (case.name, case.key):
            raise msgspec.ValidationError(f"name and key of {document.case!r} do not belong to its fields")
        attempts = tuple(with_proof(attempt, suite) for attempt in document.attempts)
        passed = [it for at, it in enumerate(attempts) if at not in document.superseded]
        yield MergedCase(
            case=case,
            result=Result(
                outcome=document.outcome,
                reason=document.reason,
                flaky=document.flaky,
                metrics=document.metrics,
                proof=proof_in(passed) if document.outcome is Outcome.PASSED else None,
            ),
            attempts=attempts,
            superseded=frozenset(document.superseded),
            expectation=expectations.get(document.expectation),
            differs=document.differs,
        )
