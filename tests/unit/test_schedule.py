"""Every case is handed out once, as soon as its images allow."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.errors import EngineError
from ci.images.base import Image, Unavailable
from ci.model import ReasonCode
from ci.runner.schedule import Ready, Schedule, Unrunnable
from ci.suites.transport.words import Stack

STACK = Stack("tcp", "noise", "yamux")
NAMES = ("a", "b", "c")
CASES = tuple(STACK.case(dialer, listener) for dialer in NAMES for listener in NAMES)
MISSING = Unavailable(code=ReasonCode.PLANNED_OUT, text="cannot be pulled")


def never() -> bool:
    return False


def futures() -> dict[str, Future[Image | Unavailable]]:
    return {name: Future() for name in NAMES}


def provide(images: dict[str, Future[Image | Unavailable]], names: Iterable[str]) -> None:
    for name in names:
        images[name].set_result(Image(digest=name))


def taken(schedule: Schedule, count: int) -> list[Ready | Unrunnable | None]:
    return [schedule.take(never) for _ in range(count)]


def test_cases_come_in_order_once_their_images_are_there() -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, "ac")
    first = taken(schedule, 4)
    pairs = [(it.case.first, it.case.second) for it in first if isinstance(it, Ready)]
    assert pairs == [("a", "a"), ("a", "c"), ("c", "a"), ("c", "c")]
    provide(images, "b")
    rest = [it.case for it in taken(schedule, 5) if isinstance(it, Ready)]
    assert rest == [case for case in CASES if "b" in (case.first, case.second)]
    assert schedule.take(never) is None


def test_cases_of_a_higher_rank_wait_for_those_of_a_lower_one() -> None:
    """What their rank is counts when their turn comes."""
    images = futures()
    late = {"a"}
    schedule = Schedule(CASES, images, rank=lambda case: int(bool(late & {case.first, case.second})))
    provide(images, "abc")
    first = taken(schedule, 4)
    assert [it.case for it in first if isinstance(it, Ready)] == [it for it in CASES if "a" not in it.versions.values()]
    late.clear()
    assert [it.case for it in taken(schedule, 5) if isinstance(it, Ready)] == [
        it for it in CASES if "a" in it.versions.values()
    ]


@unhurried
@given(st.permutations(NAMES), st.sets(st.sampled_from(NAMES)))
def test_each_case_is_handed_out_exactly_once(order: list[str], missing: set[str]) -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    for name in order:
        images[name].set_result(MISSING if name in missing else Image(digest=name))
    items = taken(schedule, len(CASES))
    assert schedule.take(never) is None
    assert sorted(it.case.name for it in items if it is not None) == sorted(case.name for case in CASES)
    for item in items:
        assert item is not None
        assert isinstance(item, Unrunnable) == bool(missing & {item.case.first, item.case.second})


def test_what_cannot_run_is_settled_first() -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, "ab")
    images["c"].set_result(MISSING)
    assert all(isinstance(it, Unrunnable) and it.version == "c" for it in taken(schedule, 5))
    assert all(isinstance(it, Ready) for it in taken(schedule, 4))


def test_what_a_worker_reserves_it_is_given_next() -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, NAMES)
    reserved = schedule.reserve(1)
    assert reserved is not None
    assert reserved.case == CASES[0]
    other = schedule.take(never, 0)
    assert isinstance(other, Ready)
    assert other.case == CASES[1]
    assert schedule.take(never, 1) is reserved


def test_nobody_stands_idle_while_another_keeps_a_case() -> None:
    """And who had reserved it is not given it as well."""
    images = futures()
    schedule = Schedule(CASES[:1], images)
    provide(images, NAMES)
    reserved = schedule.reserve(1)
    assert not schedule.is_empty()
    assert schedule.take(never, 0, look=True) is reserved
    assert schedule.take(never, 0) is reserved
    assert schedule.take(never, 1) is None
    assert schedule.is_empty()


def test_what_is_reserved_and_has_fallen_behind_waits_like_the_others() -> None:
    images = futures()
    late: set[str] = set()
    schedule = Schedule(CASES, images, rank=lambda case: int(bool(late & set(case.pair))))
    provide(images, NAMES)
    assert schedule.reserve(0) is not None
    late.add("a")
    first = taken(schedule, 4)
    assert [it.case for it in first if isinstance(it, Ready)] == [it for it in CASES if "a" not in it.pair]
    assert {it.case for it in taken(schedule, 5) if isinstance(it, Ready)} == {it for it in CASES if "a" in it.pair}


def test_what_is_reserved_when_a_run_ends_is_left() -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, NAMES)
    schedule.reserve(0)
    assert set(schedule.close()) == set(CASES)
    assert schedule.reserve(0) is None


@unhurried
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=40))
def test_however_cases_are_reserved_each_is_handed_out_once(steps: list[tuple[bool, int]]) -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, NAMES)
    given_out = []
    reserving: set[int] = set()
    for reserves, worker in steps:
        if not reserves:
            given_out.append(schedule.take(never, worker))
            reserving.discard(worker)
        elif worker not in reserving:
            schedule.reserve(worker)
            reserving.add(worker)
    given_out += [schedule.take(never, 0) for _ in CASES]
    names = [it.case.name for it in given_out if it is not None]
    assert sorted(names) == sorted(case.name for case in CASES)


def test_a_waiting_worker_is_woken() -> None:
    images = futures()
    schedule = Schedule(CASES[:1], images)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(schedule.take, never)
        provide(images, "a")
        assert isinstance(waiting.result(timeout=10), Ready)


def test_a_cancelled_run_hands_out_nothing() -> None:
    cancelled = threading.Event()
    cancelled.set()
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, NAMES)
    assert schedule.take(cancelled.is_set) is None
    assert set(schedule.close()) == set(CASES)
    assert schedule.take(never) is None


def test_trouble_while_looking_for_an_image_is_told() -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    images["a"].set_exception(EngineError("engine-lost", "the engine is gone"))
    with pytest.raises(EngineError, match="the engine is gone"):
        schedule.take(never)


def test_a_mistake_in_looking_for_one_image_costs_the_cases_that_need_it() -> None:
    images = futures()
    schedule = Schedule(CASES, images)
    provide(images, "ac")
    images["b"].set_exception(KeyError("Os"))
    items = taken(schedule, len(CASES))
    assert {it.case for it in items if isinstance(it, Ready)} == {it for it in CASES if "b" not in it.versions.values()}
    for item in items:
        if isinstance(item, Unrunnable):
            assert (item.version, item.why.code) == ("b", ReasonCode.BUG)
            assert "KeyError: 'Os'" in item.why.text
