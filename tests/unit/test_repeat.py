"""Several tries summed up."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ci.commands.repro_loop import Try, pass_rate
from ci.model import Outcome, Reason, ReasonCode, Verdict


def a_try(outcome: Outcome, code: ReasonCode | None = None, text: str = "", seconds: float = 1.0) -> Try:
    reason = None if code is None else Reason(code=code, text=text, side="dialer")
    verdict = Verdict(outcome=outcome, reason=reason)
    return Try(number=1, verdict=verdict, seconds=seconds, folder=Path())


def test_seven_of_ten() -> None:
    tries = [
        *(a_try(Outcome.PASSED, seconds=1.0 + n / 10) for n in range(7)),
        a_try(Outcome.FAILED, ReasonCode.DIALER_EXIT, "the dialer exited 1: peer QmA", seconds=0.5),
        a_try(Outcome.TIMED_OUT, ReasonCode.DIALING, "still dialing after 40 s", seconds=40),
        a_try(Outcome.FAILED, ReasonCode.DIALER_EXIT, "the dialer exited 1: peer QmB", seconds=0.5),
    ]
    assert pass_rate(tries) == [
        "7 of 10 passed (70 %); 0.50 to 40.00 s each, 1.25 s in the middle",
        "  2 failed, dialer-exit: the dialer exited 1: peer QmA",
        "  1 timed-out, dialing: still dialing after 40 s",
    ]


def test_trouble_of_the_host_counts_neither_for_nor_against() -> None:
    trouble = a_try(Outcome.ERROR, ReasonCode.CONTAINER_START, "no such program")

    assert pass_rate([a_try(Outcome.PASSED), trouble])[0].startswith("1 of 1 passed (100 %)")
    assert pass_rate([trouble])[0].startswith("0 of 0 passed;")


@given(st.lists(st.sampled_from(Outcome), min_size=1, max_size=30))
def test_every_try_that_did_not_pass_is_accounted_for(outcomes: list[Outcome]) -> None:
    tries = [a_try(it, None if it is Outcome.PASSED else ReasonCode.SIGNAL, "text") for it in outcomes]
    head, *reasons = pass_rate(tries)
    passed = int(head.split()[0])

    assert passed == outcomes.count(Outcome.PASSED)
    assert sum(int(line.split()[0]) for line in reasons) == len(outcomes) - passed
