"""The file of a run's merged results, `merged.json`, written and read.

It says nothing of when or where it was merged, so the same shards always give the same bytes; `docs/results-format.md`
describes it for other consumers. Its form is that of `ci.results.merged_document`, each case on a line of its own: so
it is read case by case, however many there are, and of their attempts no more than is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, TypeVar

import msgspec
from msgspec import Struct

from ci.errors import ConfigurationError
from ci.model import Case, Expectation, Outcome, Proof, Suites, SuiteWords, proof_of
from ci.results.aggregate import Result, weakest
from ci.results.case_fields import case_from, suite_named, with_case_fields
from ci.results.merged import Merged, MergedCase
from ci.results.merged_document import SCHEMA, CaseDocument, CaseT, CountsDocument, MergedDocument, document_type
from ci.results.record_lines import signed
from ci.results.records import Attempt, Moment, Ordinal, Reused, with_proof
from ci.results.stored_attempts import AttemptBrief, AttemptStore, Interned, StoredAttempts, signed_attempt
from ci.util.atomic import write_atomically
from ci.util.collection import no_collection
from ci.util.given_files import open_given, read_given
from ci.util.json_document import canonical, decode_as

__all__ = ["merged_from", "merged_lines", "read_merged", "write_merged"]

_BEGIN: Final = b'{"cases":[\n'
# Before what comes after the cases.
_END: Final = b"\n],"
# The longest line of a results file holds 32 KiB, and of a case there are a few.
_LONGEST_LINE: Final = 16 << 20
_NONE_KNOWN: Final[Mapping[str, Case]] = MappingProxyType({})


# --- writing ----------------------------------------------------------------------------------------------


def write_merged(path: Path, merged: Merged) -> None:
    """Write `merged.json`: canonical, so equal results are equal bytes, and whole or not at all.

    Its folder is made if it is not there: where results were fetched from elsewhere, nothing has made it yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, merged_lines(merged))


def merged_lines(merged: Merged) -> Iterator[bytes]:
    """The file, piece by piece: keys in their order, no spaces, and each case on a line of its own."""
    yield _BEGIN
    last = len(merged.cases) - 1
    for number, case in enumerate(merged.cases):
        yield case_line(case) + (b"\n" if number == last else b",\n")
    counts = merged.counts
    summary: MergedDocument[CaseDocument] = MergedDocument(
        plan=merged.plan,
        suite=merged.suite.name,
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
        exit_code=int(merged.exit_code()),
        shards=merged.shards,
        unreadable=merged.unreadable,
        unselected=merged.unselected,
        evidence_altered=merged.altered,
        expectations=merged.expectations,
        expectations_idle=merged.idle,
        cases=(),
    )
    # `cases` sorts before every other key.
    yield canonical(summary).removeprefix(b'{"cases":[') + b"\n"


def case_line(case: MergedCase) -> bytes:
    """A case as the document has it, in its canonical form."""
    result, attempts = case.result, case.attempts
    stored = attempts.canonical if isinstance(attempts, StoredAttempts) else None
    kind: Any = with_case_fields(CaseDocument, case.case.suite, nested=True)
    document = kind(
        case=case.name,
        key=case.key,
        first=case.first,
        second=case.second,
        params=case.case.named_params,
        outcome=result.outcome,
        verdict=case.verdict,
        reason=result.reason and signed(result.reason),
        flaky=result.flaky,
        metrics=result.metrics,
        proof=result.proof,
        attempts=() if stored is not None else tuple(signed_attempt(attempt) for attempt in attempts),
        expectation=None if case.expectation is None else case.expectation.id,
        differs=case.differs,
    )
    if case.superseded:
        # Of attempts that are stored there are none in this one.
        msgspec.structs.force_setattr(document, "superseded", tuple(sorted(case.superseded)))
    line = canonical(document)
    # `attempts` sorts before every other key.
    return line if stored is None else stored[:-1] + line.removeprefix(b'{"attempts":[]')


# --- reading ----------------------------------------------------------------------------------------------


class _Head(Struct, frozen=True):
    schema: int
    suite: str | None = None


class _AttemptLine(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is kept of an attempt, or decides about its case."""

    run: str
    attempt: Ordinal = 1
    outcome: Outcome
    started_at: Moment | None = None
    reused: Reused | None = None
    engine: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    host: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    params: msgspec.Raw
    negotiated: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


_AttemptT = TypeVar("_AttemptT", Attempt, _AttemptLine)


class _CaseLine(CaseDocument, frozen=True, kw_only=True, rename="camel"):
    attempts: tuple[_AttemptLine, ...]  # type: ignore[assignment]


def read_merged(path: Path, suites: Suites, *, known: Mapping[str, Case] = _NONE_KNOWN) -> Merged:
    """The run in a file; its counts, verdicts, proof and exit code are computed again.

    :param suites: those there are
    :param known: cases by key, of which another run has the same
    :raises ConfigurationError: `merged-unreadable`, `record-malformed`, `record-schema`; the last two also when an
        attempt of it is looked at
    """
    try:
        file = open_given(path)
        if file.readline(len(_BEGIN)) == _BEGIN:
            return _Lines(file, suites, known, where=str(path)).merged()
        file.close()
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


@no_collection()
def merged_from(data: bytes, suites: Suites, *, where: str = "merged results") -> Merged:
    """The run in a document; see `read_merged`. All of it is looked at, its attempts too.

    :param where: what it is, for messages
    :raises ConfigurationError: `record-malformed`, `record-schema`
    """
    try:
        suite = _suite_of(data, suites, where)
        document: MergedDocument[CaseDocument] = decode_as(data, document_type(suite))
        return _whole(document, suite, _cases(document, suite))
    except (msgspec.ValidationError, RecursionError) as error:
        raise ConfigurationError("record-malformed", f"{where}: {error}") from error
    except ValueError as error:
        raise ConfigurationError("record-malformed", f"{where}: it is not JSON: {error}") from error


def _suite_of(data: bytes, suites: Suites, where: str) -> SuiteWords:
    head = decode_as(data, _Head)
    if head.schema != SCHEMA:
        raise ConfigurationError(
            "record-schema",
            f"{where}: format {head.schema}, but this version reads format {SCHEMA}",
            hint="merge the shards again with this version",
        )
    return suite_named(head.suite, suites)


def _whole(document: MergedDocument[CaseT], suite: SuiteWords, cases: Iterable[MergedCase]) -> Merged:
    return Merged(
        plan=document.plan,
        suite=suite,
        shards=document.shards,
        unreadable=document.unreadable,
        unselected=document.unselected,
        altered=document.evidence_altered,
        idle=document.expectations_idle,
        cases=tuple(cases),
    )


def _cases(whole: MergedDocument[CaseDocument], suite: SuiteWords) -> Iterator[MergedCase]:
    known: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}
    expectations = {it.id: it for it in whole.expectations}
    for document in whole.cases:
        yield _looked_at(document, case_from(document, suite, known), suite, expectations)


def _looked_at(
    document: CaseDocument, case: Case, suite: SuiteWords, expectations: Mapping[str, Expectation]
) -> MergedCase:
    """A case of whose attempts all has been read."""
    attempts = tuple(with_proof(attempt, suite) for attempt in document.attempts)
    proof = _proof_of(document, suite, attempts, lambda it: it.proof)
    return _case(document, case, attempts, proof, expectations)


def _case(
    document: CaseDocument,
    case: Case,
    attempts: tuple[Attempt, ...] | StoredAttempts,
    proof: Proof | None,
    expectations: Mapping[str, Expectation],
) -> MergedCase:
    expectation = None if document.expectation is None else expectations.get(document.expectation)
    if expectation is None and document.expectation is not None:
        raise msgspec.ValidationError(f"`expectations` holds no {document.expectation!r}, named by {document.case}")
    if (document.case, document.key) != (case.name, case.key):
        raise msgspec.ValidationError(f"name and key of {document.case!r} do not belong to its fields")
    return MergedCase(
        case=case,
        result=Result(
            outcome=document.outcome,
            reason=document.reason,
            flaky=document.flaky,
            metrics=document.metrics or _NO_METRICS,
            proof=proof,
        ),
        attempts=attempts,
        superseded=frozenset(document.superseded) if document.superseded else _NOTHING,
        expectation=expectation,
        differs=document.differs,
    )


_NO_METRICS: Final[Mapping[str, float]] = {}
_NOTHING: Final[frozenset[int]] = frozenset()


class _Lines:
    """A file in which each case stands on a line of its own."""

    def __init__(self, file: BinaryIO, suites: Suites, known: Mapping[str, Case], *, where: str) -> None:
        self._file = file
        self._suites = suites
        self._known = known
        self._where = where
        self._number = 0

    @no_collection()
    def merged(self) -> Merged:
        try:
            rest = self._rest()
            suite = _suite_of(rest, self._suites, self._where)
            document: MergedDocument[CaseDocument] = decode_as(rest, document_type(suite))
            return _whole(document, suite, self._cases(suite, {it.id: it for it in document.expectations}))
        except (ValueError, RecursionError, ConfigurationError) as error:
            self._file.close()
            if isinstance(error, ConfigurationError):
                raise
            place = f"{self._where}, line {self._number}" if self._number else self._where
            what = "" if isinstance(error, msgspec.ValidationError) else "it is not JSON: "
            raise ConfigurationError("record-malformed", f"{place}: {what}{error}") from error

    def _rest(self) -> bytes:
        """The document without its cases, which stand before everything else."""
        size, chunk = self._file.seek(0, 2), 1 << 16
        while True:
            begin = max(0, size - chunk)
            self._file.seek(begin)
            before, end, rest = self._file.read().rpartition(_END)
            if end:
                self._end = begin + len(before)
                return b'{"cases":[],' + rest
            if begin == 0:
                raise ValueError("its end is missing")
            chunk *= 4

    def _cases(self, suite: SuiteWords, expectations: Mapping[str, Expectation]) -> Iterator[MergedCase]:
        decoder = msgspec.json.Decoder(with_case_fields(_CaseLine, suite, nested=True))
        store = AttemptStore(self._file, suite, where=self._where)
        interned, known, proofs = Interned(), self._known, _Proofs()
        params: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}
        offset = self._file.seek(len(_BEGIN))
        while offset < self._end:
            line = self._file.readline(_LONGEST_LINE)
            text = line.rstrip(b",\n")
            self._number += 1
            try:
                document: Any = decoder.decode(text)
            except (msgspec.MsgspecError, RecursionError, UnicodeError):
                # Something that this decoder does not take, though it may be legal; if not, this says what it is.
                whole: Any = decode_as(text, with_case_fields(CaseDocument, suite, nested=True))
                yield _looked_at(whole, case_from(whole, suite, params), suite, expectations)
            else:
                case = known.get(document.key)
                if case is None or (case.first, case.second) != (document.first, document.second):
                    case = case_from(document, suite, params)
                briefs = tuple(_brief(it, interned) for it in document.attempts)
                attempts = StoredAttempts(store, offset, len(line), briefs)
                proof = _proof_of(document, suite, document.attempts, proofs.of)
                yield _case(document, case, attempts, proof, expectations)
            offset += len(line)


def _brief(line: _AttemptLine, interned: Interned) -> AttemptBrief:
    return AttemptBrief(
        run=interned.text(line.run),
        attempt=line.attempt,
        outcome=line.outcome,
        started_at=line.started_at,
        reused=line.reused,
        engine=interned.object(line.engine),
        host=interned.object(line.host),
    )


class _Proofs:
    """See `ci.results.records.with_proof`. Thousands of attempts negotiate a few stacks."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], Proof] = {}

    def of(self, line: _AttemptLine) -> Proof:
        key = bytes(line.params), bytes(line.negotiated)
        found = self._known.get(key)
        if found is None:
            params, negotiated = decode_as(key[0], dict[str, str | None]), decode_as(key[1], dict[str, str] | None)  # type: ignore[arg-type]
            found = self._known[key] = proof_of(params, negotiated)
        return found


def _proof_of(
    document: CaseDocument, suite: SuiteWords, attempts: Sequence[_AttemptT], of: Callable[[_AttemptT], Proof | None]
) -> Proof | None:
    """Of a case that passed, the weakest proof of its attempts that count and passed.

    :param of: the proof of one attempt that passed
    """
    if not suite.negotiated or document.outcome is not Outcome.PASSED:
        return None
    return weakest(
        of(it) for at, it in enumerate(attempts) if it.outcome is Outcome.PASSED and at not in document.superseded
    )
