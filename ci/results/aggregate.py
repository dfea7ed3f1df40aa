"""From attempts to a case's result, and from cases to the exit code of a run.

What was measured stays what it was: folding only says which attempt speaks for the case. Expectations are a second
axis: they come in between `aggregate_attempts` and `verdict`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Protocol

from msgspec import Meta

from ci.errors import ExitCode
from ci.model import Expectation, Expected, Outcome, Proof, Reason, ReasonCode

__all__ = [
    "AttemptOutcome",
    "CaseVerdict",
    "Flaky",
    "Result",
    "aggregate_attempts",
    "aggregate_run",
    "proof_in",
    "superseded",
    "verdict",
    "weakest",
]


class CaseVerdict(str, Enum):
    """What a case's result means for the run."""

    GREEN = "green"
    FLAKY = "flaky"  # passed, but not always
    UNEXPECTED = "unexpected"  # red, and nobody said it would be, or not in this way
    EXPECTED = "expected"  # red or flaky, as somebody said
    STALE = "stale"  # not red, though somebody said it would be
    GREY = "grey"  # the plan itself left it out
    UNSUPPORTED = "unsupported"  # an endpoint does not do this and said so, as its contract allows
    INCOMPLETE = "incomplete"  # planned, and without a conclusive attempt
    ERROR = "error"  # the harness or the host broke

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Flaky:
    """How many of the conclusive attempts passed."""

    passed: Annotated[int, Meta(ge=1)]
    of: Annotated[int, Meta(ge=2)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What the attempts at a case come to.

    :param reason: of the first attempt that did not pass, also where the case is flaky
    :param metrics: of the first attempt that passed
    :param proof: believed if any attempt that passed is; None where nothing passed, or there is nothing to prove
    """

    outcome: Outcome
    reason: Reason | None = None
    flaky: Flaky | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    proof: Proof | None = None


class AttemptOutcome(Protocol):
    """Of an attempt what decides about its case's result; `Attempt` itself, or what is kept of one."""

    @property
    def run(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def supersedes(self) -> str | None: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def reason(self) -> Reason | None: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def proof(self) -> Proof | None: ...


def superseded(attempts: Sequence[AttemptOutcome]) -> frozenset[int]:
    """Positions of the attempts that a later run replaces.

    A re-run names an attempt as `run/key/number`: that one and those before it in the same run no longer
    count. An inconclusive re-run replaces nothing, or a broken host could hide a red cell.
    """
    replaced: dict[str, int] = {}
    for attempt in attempts:
        if attempt.supersedes is None or not attempt.outcome.conclusive:
            continue
        run, key, number = _reference(attempt.supersedes)
        if key == attempt.key and run != attempt.run:
            replaced[run] = max(replaced.get(run, 0), number)
    return frozenset(
        position for position, attempt in enumerate(attempts) if attempt.attempt <= replaced.get(attempt.run, 0)
    )


def _reference(text: str) -> tuple[str, str, int]:
    run, _, rest = text.partition("/")
    key, _, number = rest.partition("/")
    return run, key, int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0


def aggregate_attempts(attempts: Sequence[AttemptOutcome]) -> Result | None:
    """The case's result, from its attempts in the order they were made; None without any.

    - Errors are dropped as soon as there is a conclusive attempt: they say nothing about the versions.
    - All passed is passed; passed among others is passed and flaky, never plainly passed.
    - All red is the *first* red one, which ran beside ordinary neighbours; retries run alone.
    - Unsupported in some attempts only is a failure: an endpoint that does not know what it can do.
    """
    conclusive = [attempt for attempt in attempts if attempt.outcome.conclusive]
    if not conclusive:
        errors = [attempt for attempt in attempts if attempt.outcome is Outcome.ERROR]
        for attempt in errors or attempts[-1:]:
            return Result(outcome=attempt.outcome, reason=attempt.reason)
        return None
    passed = [attempt for attempt in conclusive if attempt.outcome is Outcome.PASSED]
    unsupported = [attempt for attempt in conclusive if attempt.outcome is Outcome.UNSUPPORTED]
    others = [attempt for attempt in conclusive if attempt.outcome is not Outcome.PASSED]
    if unsupported and len(unsupported) < len(conclusive):
        reason = Reason(
            code=ReasonCode.BAD_RESULT,
            text=f"unsupported in {len(unsupported)} of {len(conclusive)} attempts, "
            f"{next(a for a in conclusive if a.outcome is not Outcome.UNSUPPORTED).outcome} in others",
        )
        return Result(outcome=Outcome.FAILED, reason=reason)
    if not passed:
        return Result(outcome=others[0].outcome, reason=others[0].reason)
    if not others:
        return Result(outcome=Outcome.PASSED, metrics=passed[0].metrics, proof=proof_in(passed))
    return Result(
        outcome=Outcome.PASSED,
        reason=others[0].reason,
        flaky=Flaky(passed=len(passed), of=len(conclusive)),
        metrics=passed[0].metrics,
        proof=proof_in(passed),
    )


def proof_in(attempts: Iterable[AttemptOutcome]) -> Proof | None:
    """Of several attempts the weakest proof; None where none has any."""
    return weakest(attempt.proof for attempt in attempts)


def weakest(proofs: Iterable[Proof | None]) -> Proof | None:
    """The proof that most leaves to belief; None where there is none."""
    weakest_yet = None
    for proof in proofs:
        if proof is Proof.BELIEVED:
            return proof
        weakest_yet = proof or weakest_yet
    return weakest_yet


def verdict(result: Result, expectation: Expectation | None = None, *, differs: bool = False) -> CaseVerdict:
    """What the result means, given what is known of the case.

    An expectation excuses nothing that is missing or that broke the harness.

    :param differs: it is red, or was at first, in another way than the expectation says
    """
    measured = _measured(result)
    if expectation is None or measured in (CaseVerdict.GREY, CaseVerdict.INCOMPLETE, CaseVerdict.ERROR):
        return measured
    if expectation.expect is Expected.UNSUPPORTED:
        if result.outcome is Outcome.UNSUPPORTED:
            return CaseVerdict.UNSUPPORTED
        return measured if measured is CaseVerdict.UNEXPECTED else CaseVerdict.STALE
    red = {CaseVerdict.UNEXPECTED} | ({CaseVerdict.FLAKY} if expectation.expect is Expected.FLAKY else set())
    if measured in red:
        return measured if differs else CaseVerdict.EXPECTED
    stale = measured is CaseVerdict.GREEN and expectation.expect is Expected.FAIL
    return CaseVerdict.STALE if stale else measured


def _measured(result: Result) -> CaseVerdict:
    if result.outcome is Outcome.PASSED:
        return CaseVerdict.GREEN if result.flaky is None else CaseVerdict.FLAKY
    if result.outcome is Outcome.ERROR:
        return CaseVerdict.ERROR
    if result.outcome is Outcome.NOT_RUN:
        codes = (ReasonCode.PLANNED_OUT, ReasonCode.IMAGE_UNAVAILABLE, ReasonCode.NOT_COMPLIANT)
        return CaseVerdict.GREY if _because(result, *codes) else CaseVerdict.INCOMPLETE
    if result.outcome is Outcome.UNSUPPORTED and _because(result, ReasonCode.EXIT_127, ReasonCode.NO_KEY_LOG):
        return CaseVerdict.UNSUPPORTED
    # Any other `unsupported` too: in the transport suite the plan holds only what both versions declare.
    return CaseVerdict.UNEXPECTED


def _because(result: Result, *codes: ReasonCode) -> bool:
    return result.reason is not None and result.reason.code in codes


def aggregate_run(
    results: Iterable[tuple[Result, CaseVerdict]],
    *,
    shards_complete: bool,
    require_complete: bool = False,
    fail_on_flaky: bool = False,
    require_proof: bool = False,
    accept_red: bool = False,
    strict: bool = False,
    neglected: bool = False,
) -> ExitCode:
    """The exit code of a run: the first of these that applies.

    70 a bug of ours, 3 nothing selected, 1 a case is unexpectedly red, 6 the engine was lost for good (a case
    could not be tried because of it), 5 an image was not built, 4 anything else is missing, 0 otherwise.
    `require_proof` takes a case that passed on its word alone for red, `strict` one that passed although it was
    expected to fail, and expectations that are `neglected`; `accept_red` passes over the third, for runs whose
    purpose is to publish red cells too.
    What the plan left out is missing only with `require_complete`, or if that is all there was: a run that
    tried nothing is not green.

    :param results: of each case, with what it means
    """
    judged = tuple(results)
    verdicts = {meaning for _, meaning in judged}
    errors = [result for result, _ in judged if result.outcome is Outcome.ERROR]
    red = {CaseVerdict.UNEXPECTED}
    red |= {CaseVerdict.FLAKY} if fail_on_flaky else set()
    red |= {CaseVerdict.STALE} if strict else set()
    unproved = require_proof and any(result.proof is Proof.BELIEVED for result, _ in judged)
    incomplete = {CaseVerdict.INCOMPLETE, CaseVerdict.ERROR}
    if require_complete or verdicts == {CaseVerdict.GREY}:
        incomplete.add(CaseVerdict.GREY)
    rules = (
        (any(_because(result, ReasonCode.BUG) for result in errors), ExitCode.BUG),
        (not judged, ExitCode.NOTHING_SELECTED),
        ((bool(verdicts & red) or unproved or (strict and neglected)) and not accept_red, ExitCode.FAILED),
        (any(_because(result, ReasonCode.ENGINE_LOST) for result in errors), ExitCode.ENGINE),
        (any(_because(result, ReasonCode.BUILD_FAILED) for result, _ in judged), ExitCode.BUILD),
        (bool(verdicts & incomplete) or not shards_complete, ExitCode.INCOMPLETE),
    )
    return next((code for applies, code in rules if applies), ExitCode.GREEN)
