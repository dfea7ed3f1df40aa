"""When an attempt stops waiting: the orders of events that no engine brings about on demand."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from ci.engines.coordination import Asked, CoordinationLost, Published
from ci.errors import EngineError
from ci.model import Role
from ci.runner.attempt import (
    LONGEST_PUBLISHED,
    MOST_PUBLISHED,
    NEWS_SECONDS,
    _Watch,
)
from ci.runner.inbox import Cancelled, Ended, Inbox, Lost
from ci.spec.attempt import AttemptSpec, Coordination, Ending, Participant
from ci.suites.transport.words import TRANSPORT, Stack

KEY = "listenerAddr"


def watch_of(
    *events: object, deadline: float = 60, alone: float = 60, has_result: Callable[[str], bool] = bool
) -> _Watch:
    """A watch over a case in which this has happened already."""
    participants = {role: Participant(role=role, version="a", image="a", environment={}) for role in TRANSPORT.roles}
    spec = AttemptSpec(
        case=Stack("tcp", "noise", "yamux").case("a", "a"),
        participants=tuple(participants.values()),
        coordination=Coordination(listener_key=KEY, dialer_key=KEY, dialer_exit_timeout=0, dialer_alone_timeout=alone),
        deadline=deadline,
        stop_timeout=2,
    )
    inbox = Inbox(dict.fromkeys(TRANSPORT.roles, 1000), listened=("dialer", "stdout"))
    for event in events:
        inbox.events.put(event)
    return _Watch(spec, inbox, has_result)


def ended(role: Role, exit_code: int = 0) -> Ended:
    return Ended(role, exit_code, out_of_memory=False, at=0.1)


def wait(watch: _Watch) -> Ending:
    return watch.wait(threading.Event())


def test_t15_the_deadline_holds_while_events_keep_coming() -> None:
    watch = watch_of(*[Asked("other")] * 1000, deadline=0)

    assert wait(watch) is Ending.DEADLINE
    assert not watch.inbox.events.empty(), "a peer that talks without end must not be listened to until it stops"


def test_a_dialer_that_has_ended_is_no_deadline_even_if_it_is_read_late() -> None:
    assert wait(watch_of(ended("dialer"), deadline=0)) is Ending.DIALER_ENDED


@pytest.mark.parametrize("late", [False, True])
def test_t12_a_listener_that_published_leaves_the_dialer_its_full_time(late: bool) -> None:
    """Also where the news of its address comes after the news of its end."""
    events: list[object] = [Published(KEY, ("address",)), ended("listener")]
    watch = watch_of(*(reversed(events) if late else events), ended("dialer"), alone=60)

    assert wait(watch) is Ending.DIALER_ENDED
    assert watch._until[Ending.LISTENER_DIED] > 60


@pytest.mark.parametrize("exit_code", [0, 1])
def test_t13_a_listener_that_leaves_without_publishing_ends_it(exit_code: int) -> None:
    watch = watch_of(ended("listener", exit_code))

    assert wait(watch) is Ending.LISTENER_DIED
    assert watch.inbox.now() < NEWS_SECONDS + 30


def test_t10_a_result_starts_the_time_the_dialer_has_to_end() -> None:
    watch = watch_of()
    watch.inbox.output("dialer", "stdout", b"result")

    assert wait(watch) is Ending.LINGERED


def test_t18_a_flood_is_one_event() -> None:
    watch = watch_of()
    for _ in range(1000):
        watch.inbox.output("dialer", "stdout", b"x")

    assert watch.inbox.events.qsize() == 1


def test_t16_what_is_kept_of_published_values_is_bounded() -> None:
    watch = watch_of(
        Published(KEY, ("x" * 10 * LONGEST_PUBLISHED,)), *[Published(KEY, ("y",) * 100)] * 10, ended("dialer")
    )
    wait(watch)

    assert len(watch.published) == MOST_PUBLISHED
    assert watch.published[0] == "x" * LONGEST_PUBLISHED


def test_other_keys_are_an_applications_own_business() -> None:
    watch = watch_of(Published("mine", ("x",)), Asked("mine"), ended("dialer"))
    wait(watch)

    assert watch.published == []
    assert not watch.asked


@pytest.mark.parametrize(
    ("event", "reference"), [(Lost("dialer", "gone"), "engine-lost"), (CoordinationLost("gone"), "redis-lost")]
)
def test_what_the_engine_lost_is_its_own_error(event: object, reference: str) -> None:
    with pytest.raises(EngineError) as caught:
        wait(watch_of(event))

    assert caught.value.reference == reference
    assert "gone" in caught.value.message


def test_an_actor_that_cannot_be_stopped_is_an_engine_error() -> None:
    with pytest.raises(EngineError, match="cannot stop the listener"):
        watch_of(ended("dialer")).drain(0.05)


def test_cancelled() -> None:
    cancelled = threading.Event()
    cancelled.set()

    with pytest.raises(Cancelled):
        watch_of(ended("dialer")).wait(cancelled)


# --- whether the dialer was given the address -------------------------------------------------------------

RPUSH, SET = Published(KEY, ("address",)), Published(KEY, ("address",), "SET")
BLPOP, LPOP, GET = Asked(KEY), Asked(KEY, "LPOP"), Asked(KEY, "GET")


@pytest.mark.parametrize(
    ("events", "received"),
    [
        ((RPUSH, BLPOP), True),
        ((BLPOP, RPUSH), True),  # it waited
        ((LPOP, RPUSH), False),  # it did not
        ((LPOP, RPUSH, LPOP), True),
        ((BLPOP, LPOP, RPUSH), False),
        ((SET, BLPOP), False),  # WRONGTYPE
        ((BLPOP, SET), False),
        ((SET, GET), True),
        ((RPUSH, GET), False),
        ((BLPOP,), False),
        ((RPUSH,), False),
    ],
)
def test_an_address_is_received_when_it_is_there_and_of_the_kind_asked_for(
    events: tuple[object, ...], received: bool
) -> None:
    watch = watch_of(*events, ended("dialer", 1))
    wait(watch)

    assert watch.received is received


def test_every_command_that_published_is_known_once() -> None:
    watch = watch_of(RPUSH, SET, RPUSH, ended("dialer"))
    wait(watch)

    assert watch.published_by == ["RPUSH", "SET"]
