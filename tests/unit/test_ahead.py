"""What a worker prepares for its next case, and what becomes of it."""

from __future__ import annotations

import threading
from typing import Any, cast

from ci.errors import EngineError
from ci.runner.ahead import Ahead
from ci.runner.attempt import PreparedAttempt
from ci.runner.base import PreparedCase


class Participant:
    """One that notes when it was removed."""

    def __init__(self) -> None:
        self.removed = threading.Event()

    def remove(self) -> None:
        self.removed.set()


def prepared(key: str, number: int = 1) -> tuple[PreparedCase, Participant]:
    participant = Participant()
    running: Any = {"dialer": participant}
    attempt = PreparedAttempt(inbox=cast("Any", None), running=running, generation=0)
    return PreparedCase(key=key, number=number, attempt=attempt), participant


def test_what_was_prepared_is_taken_once_the_case_before_is_decided() -> None:
    case, participant = prepared("a")
    with Ahead() as ahead:
        ahead.intend(lambda: case)
        assert ahead.take("a", 1) is None  # nothing has been decided
        ahead.decided()
        ahead.settle()
        assert ahead.take("a", 1) is case
        assert ahead.take("a", 1) is None
    assert not participant.removed.is_set()


def test_what_is_of_another_case_or_attempt_is_removed() -> None:
    for key, number in (("b", 1), ("a", 2)):
        case, participant = prepared("a")
        with Ahead() as ahead:
            ahead.intend(lambda case=case: case)  # type: ignore[misc]
            ahead.decided()
            assert ahead.take(key, number) is None
        assert participant.removed.is_set()


def test_what_nobody_takes_is_removed_in_the_end() -> None:
    case, participant = prepared("a")
    with Ahead() as ahead:
        ahead.intend(lambda: case)
        ahead.decided()
    assert participant.removed.is_set()


def test_what_cannot_be_prepared_is_nothing() -> None:
    def fail() -> PreparedCase:
        raise EngineError("engine-lost", "gone")

    with Ahead() as ahead:
        ahead.intend(fail)
        ahead.decided()
        ahead.settle()
        assert ahead.take("a", 1) is None


def test_who_has_ended_is_removed_by_the_end() -> None:
    ended: Any = [Participant(), Participant()]
    with Ahead() as ahead:
        ahead.remove(ended)
    assert all(it.removed.is_set() for it in ended)
