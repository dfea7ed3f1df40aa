from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from runs import FAILED, PASSED, PLANNED_OUT, QUIC, RED, attempt

from ci.errors import ExitCode
from ci.model import Outcome, Reason, ReasonCode
from ci.results.aggregate import CaseVerdict, Flaky, Result, aggregate_attempts, aggregate_run, superseded, verdict

CASE = QUIC.case("a-v1", "b-v1")
ERROR = Outcome.ERROR
NOT_RUN = Outcome.NOT_RUN
TIMED_OUT = Outcome.TIMED_OUT
UNSUPPORTED = Outcome.UNSUPPORTED


def why(code: ReasonCode, text: str = "") -> Reason:
    return Reason(code=code, text=text)


@pytest.mark.parametrize(
    ("outcomes", "folded", "flaky"),
    [
        ([PASSED], PASSED, None),
        ([PASSED, PASSED], PASSED, None),
        ([ERROR, PASSED], PASSED, None),
        ([FAILED, PASSED], PASSED, (1, 2)),
        ([TIMED_OUT, FAILED, PASSED], PASSED, (1, 3)),
        ([PASSED, FAILED, PASSED, ERROR], PASSED, (2, 3)),
        ([FAILED, FAILED], FAILED, None),
        ([TIMED_OUT, FAILED], TIMED_OUT, None),
        ([FAILED, TIMED_OUT, ERROR], FAILED, None),
        ([ERROR, ERROR], ERROR, None),
        ([NOT_RUN], NOT_RUN, None),
        ([NOT_RUN, ERROR], ERROR, None),
        ([ERROR, NOT_RUN], ERROR, None),
        ([NOT_RUN, PASSED], PASSED, None),
        ([UNSUPPORTED, UNSUPPORTED], UNSUPPORTED, None),
        ([UNSUPPORTED, PASSED], FAILED, None),
        ([FAILED, UNSUPPORTED], FAILED, None),
    ],
)
def test_which_attempt_speaks_for_the_case(
    outcomes: list[Outcome], folded: Outcome, flaky: tuple[int, int] | None
) -> None:
    result = aggregate_attempts([attempt(CASE, outcome) for outcome in outcomes])
    assert result is not None
    assert result.outcome is folded
    assert result.flaky == (None if flaky is None else Flaky(passed=flaky[0], of=flaky[1]))


def test_the_first_red_attempt_gives_the_reason() -> None:
    first, second = why(ReasonCode.DIALING, "first"), why(ReasonCode.SIGNAL, "second")
    red = [attempt(CASE, TIMED_OUT, first), attempt(CASE, FAILED, second)]
    both = aggregate_attempts(red)
    flaky = aggregate_attempts([*red, attempt(CASE, PASSED)])
    assert both is not None
    assert flaky is not None
    assert (both.reason, flaky.reason) == (first, first)
    assert flaky.metrics["handshakePlusOneRTTMillis"] == 12.5


def test_unsupported_now_and_then_is_a_bad_result() -> None:
    result = aggregate_attempts([attempt(CASE, it) for it in (PASSED, UNSUPPORTED, PASSED)])
    assert result is not None
    assert result.reason is not None
    assert result.reason.code is ReasonCode.BAD_RESULT
    assert result.reason.text == "unsupported in 1 of 3 attempts, passed in others"


@pytest.mark.parametrize("outcome", [FAILED, TIMED_OUT])
def test_what_was_red_is_not_excused_by_the_code_for_unsupported(outcome: Outcome) -> None:
    """A record comes from a file: its outcome and its reason need not fit."""
    assert verdict(Result(outcome=outcome, reason=why(ReasonCode.EXIT_127))) is CaseVerdict.UNEXPECTED


def test_no_attempt_is_no_result() -> None:
    assert aggregate_attempts([]) is None


@unhurried
@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=6))
def test_errors_never_decide_beside_evidence(outcomes: list[Outcome]) -> None:
    attempts = [attempt(CASE, outcome) for outcome in outcomes]
    conclusive = [one for one in attempts if one.outcome.conclusive]
    if conclusive:
        assert aggregate_attempts(attempts) == aggregate_attempts(conclusive)


@unhurried
@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=6))
def test_green_means_nothing_was_ever_red(outcomes: list[Outcome]) -> None:
    result = aggregate_attempts([attempt(CASE, outcome) for outcome in outcomes])
    assert result is not None
    green = verdict(result) is CaseVerdict.GREEN
    assert green == ({outcome for outcome in outcomes if outcome.conclusive} == {PASSED})


# --- superseding ------------------------------------------------------------------------------------------


def test_a_rerun_replaces_what_it_names_and_what_came_before() -> None:
    old = [attempt(CASE, FAILED, attempt=n) for n in (1, 2, 3)]
    new = attempt(CASE, PASSED, run="r2", kind="rerun", supersedes=old[1].reference)
    assert superseded([*old, new]) == {0, 1}
    newer = attempt(CASE, FAILED, run="r3", kind="rerun", supersedes=new.reference)
    assert superseded([*old, new, newer]) == {0, 1, 3}


@pytest.mark.parametrize(
    ("outcome", "reference"),
    [
        (ERROR, f"r1/{CASE.key}/1"),
        (NOT_RUN, f"r1/{CASE.key}/1"),
        (PASSED, "r1/0123456789abcdef/1"),
        (PASSED, f"r9/{CASE.key}/1"),
        (PASSED, f"r2/{CASE.key}/1"),
        (PASSED, ""),
        (PASSED, f"r1/{CASE.key}/x"),
        (PASSED, f"r1/{CASE.key}/²"),
        (PASSED, f"r1/{CASE.key}/" + "9" * 5000),
    ],
)
def test_what_replaces_nothing(outcome: Outcome, reference: str) -> None:
    new = attempt(CASE, outcome, run="r2", kind="rerun", supersedes=reference)
    assert superseded([attempt(CASE, FAILED), new]) == set()


# --- the run ----------------------------------------------------------------------------------------------

GREEN = Result(outcome=PASSED)
FLAKY = Result(outcome=PASSED, flaky=Flaky(passed=1, of=2))
RED_CASE = Result(outcome=FAILED, reason=RED)
GREY = Result(outcome=NOT_RUN, reason=PLANNED_OUT)
UNPULLED = Result(outcome=NOT_RUN, reason=why(ReasonCode.IMAGE_UNAVAILABLE))
MISSING = Result(outcome=NOT_RUN, reason=why(ReasonCode.SHARD_MISSING))
UNBUILT = Result(outcome=NOT_RUN, reason=why(ReasonCode.BUILD_FAILED))
BUG = Result(outcome=ERROR, reason=why(ReasonCode.BUG))
LOST = Result(outcome=ERROR, reason=why(ReasonCode.ENGINE_LOST))
BROKEN = Result(outcome=ERROR, reason=why(ReasonCode.CONTAINER_START))


def judged(results: list[Result]) -> list[tuple[Result, CaseVerdict]]:
    return [(result, verdict(result)) for result in results]


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([], ExitCode.NOTHING_SELECTED),
        ([GREEN], ExitCode.GREEN),
        ([GREEN, FLAKY], ExitCode.GREEN),
        ([GREEN, GREY], ExitCode.GREEN),
        ([GREEN, UNPULLED], ExitCode.GREEN),
        ([GREY, GREY], ExitCode.INCOMPLETE),
        ([UNPULLED], ExitCode.INCOMPLETE),
        ([GREEN, MISSING], ExitCode.INCOMPLETE),
        ([GREEN, BROKEN], ExitCode.INCOMPLETE),
        ([GREEN, MISSING, UNBUILT], ExitCode.BUILD),
        ([GREEN, UNBUILT, LOST], ExitCode.ENGINE),
        ([RED_CASE, LOST, UNBUILT, MISSING], ExitCode.FAILED),
        ([Result(outcome=UNSUPPORTED)], ExitCode.FAILED),
        ([RED_CASE, BUG], ExitCode.BUG),
    ],
)
def test_the_first_rule_that_applies(results: list[Result], code: ExitCode) -> None:
    assert aggregate_run(judged(results), shards_complete=True) is code


def test_a_truncated_shard_alone_makes_a_run_incomplete() -> None:
    assert aggregate_run(judged([GREEN]), shards_complete=False) is ExitCode.INCOMPLETE


def test_stricter_on_demand() -> None:
    assert aggregate_run(judged([GREEN, FLAKY]), shards_complete=True, fail_on_flaky=True) is ExitCode.FAILED
    assert aggregate_run(judged([GREEN, GREY]), shards_complete=True, require_complete=True) is ExitCode.INCOMPLETE
