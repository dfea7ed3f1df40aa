"""Whose trouble it is when something breaks, and whose turn it is then."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ci.model import Case, Reason, ReasonCode
from ci.runner.quarantine import Quarantine
from ci.runner.shard import MOST_BROKEN_CASES
from ci.suites.registry import SUITES

TESTS = ("handshake", "transfer", "retry")
VERSIONS = ("a", "b", "c", "d", "e")


def cases_of(versions: Sequence[str], tests: Sequence[str] = TESTS[:1]) -> list[Case]:
    return [SUITES["quic"].words.case(one, other, test) for one in versions for other in versions for test in tests]


class Clock:
    """Ticks whenever it is looked at."""

    def __init__(self) -> None:
        self._ticks = itertools.count()

    def __call__(self) -> float:
        return float(next(self._ticks))


def work_off(cases: Sequence[Case], breaks: Callable[[Case], bool]) -> tuple[dict[Case, Reason], list[Case]]:
    """Take cases as a worker does; which of them were set aside, and which broke something."""
    quarantine = Quarantine(clock=Clock())
    waiting, aside, broken = list(cases), {}, []
    while waiting:
        case = min(waiting, key=quarantine.rank)
        waiting.remove(case)
        verdict = quarantine.verdict(case)
        if verdict is not None:
            assert verdict.reason is not None
            aside[case] = verdict.reason
            continue
        began = quarantine.now()
        if breaks(case):
            broken.append(case)
            quarantine.broke(case, "Redis does not answer", began=began)
        else:
            quarantine.ended_well(case, began=began)
    return aside, broken


def with_version(case: Case, version: str) -> bool:
    return version in (case.first, case.second)


few = settings(max_examples=40)
orders = st.permutations(cases_of(VERSIONS, TESTS[:2]))


@few
@given(order=orders, evil=st.sampled_from(VERSIONS), first=st.booleans())
def test_a_version_that_always_breaks_things_is_found_out(order: list[Case], evil: str, first: bool) -> None:
    """Whatever the order, and also where its cases stand before all others."""
    order = sorted(order, key=lambda case: not with_version(case, evil)) if first else order
    aside, broken = work_off(order, lambda case: with_version(case, evil))
    assert all(with_version(case, evil) for case in [*aside, *broken])
    assert len(broken) <= 8  # of 18: two in each role, and what tells it from those it had met till then
    for case, reason in aside.items():
        assert reason.code is ReasonCode.SET_ASIDE
        role = "client" if case.first == evil else "server"
        assert reason.side in ([role] if case.first != case.second else [role, "server", "both"])
        assert reason.text.startswith(f"{evil} as ")


@few
@given(order=orders, evil=st.sets(st.sampled_from(VERSIONS), max_size=2), first=st.booleans())
def test_two_of_them_do_not_end_the_shard_and_nobody_else_has_to_pay(
    order: list[Case], evil: set[str], first: bool
) -> None:
    order = sorted(order, key=lambda case: not {case.first, case.second} & evil) if first else order
    aside, broken = work_off(order, lambda case: bool({case.first, case.second} & evil))
    assert all({case.first, case.second} & evil for case in [*aside, *broken])
    assert len(broken) < MOST_BROKEN_CASES


@few
@given(order=orders)
def test_an_engine_that_breaks_in_every_case_is_nobodys_fault(order: list[Case]) -> None:
    aside, _ = work_off(order, lambda _: True)
    assert aside == {}


@few
@given(order=orders, evil=st.sampled_from(VERSIONS), breaks=st.data())
def test_nobody_has_to_pay_for_one_that_breaks_things_now_and_then(
    order: list[Case], evil: str, breaks: st.DataObject
) -> None:
    """And that in one role only: what it does in the other is worth knowing."""
    aside, _ = work_off(order, lambda case: case.second == evil and breaks.draw(st.booleans()))
    assert all(case.second == evil for case in aside)


def test_a_version_with_nobody_left_to_compare_it_with() -> None:
    """A resumed shard has only its cases left."""
    cases = [SUITES["quic"].words.case("evil", other, test) for other in VERSIONS for test in TESTS]
    aside, broken = work_off(cases, lambda _: True)
    assert len(broken) == 5
    assert {reason.side for reason in aside.values()} == {"client"}
    assert all("no other case was left" in reason.text for reason in aside.values())


def test_what_two_workers_meet_at_once_counts_once() -> None:
    """An engine that is restarted breaks all that is under way."""
    quarantine = Quarantine(clock=Clock())
    first, second, third = (SUITES["quic"].words.case("a", other, "retry") for other in "bcd")
    began = [quarantine.now(), quarantine.now()]
    for case, at in zip((first, second), began, strict=True):
        quarantine.broke(case, "the engine was restarted", began=at)
    assert quarantine.in_a_row == 2
    assert quarantine.rank(third) == 0
    quarantine.broke(third, "Redis does not answer", began=quarantine.now())
    assert quarantine.rank(first) == 2


def test_an_engine_that_went_well_until_it_broke_for_good_is_nobodys_fault() -> None:
    quarantine = Quarantine(clock=Clock())
    for other in "ab":
        quarantine.ended_well(SUITES["quic"].words.case("c", other, "retry"), began=quarantine.now())
    for other in "ab":
        quarantine.broke(SUITES["quic"].words.case("d", other, "retry"), "gone", began=quarantine.now())
    assert quarantine.verdict(SUITES["quic"].words.case("d", "c", "retry")) is None
