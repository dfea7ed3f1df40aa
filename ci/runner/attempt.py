"""One attempt at one case: start both sides, watch, stop, gather. Knows neither engine nor protocol."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ci.engines.coordination import Asked, CoordinationLost, Published
from ci.errors import EngineError
from ci.runner.inbox import NOBODY, AttemptObserver, Cancelled, Ended, Inbox, Lost, Output, lost_sight
from ci.spec.attempt import End, Ending, Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.engines.base import RunningParticipant, Slot
    from ci.model import Role
    from ci.spec.attempt import AttemptSpec

__all__ = ["attempt"]

STOP_GRACE_SECONDS: Final = 2.0  # contract, T14
# How long a listener's last push may take to come round through Redis after the listener itself has ended.
NEWS_SECONDS: Final = 0.3
# A dialer whose listener has crashed deserves a moment to say what it saw, not a full farewell.
CRASH_FAREWELL_SECONDS: Final = 2.0
TICK_SECONDS: Final = 0.5
# One address is expected, of a few hundred bytes. What is kept of more than that is bounded like everything else.
MOST_PUBLISHED: Final = 32
LONGEST_PUBLISHED: Final = 4096
QUIET_SECONDS: Final = 0.05


class _Watch:
    """What is known so far, and when to stop waiting."""

    def __init__(self, spec: AttemptSpec, inbox: Inbox, has_result: Callable[[str], bool]) -> None:
        self.spec = spec
        self.inbox = inbox
        self.has_result = has_result
        self.exits: dict[Role, End] = {}
        self.published: list[str] = []
        self.published_by: list[str] = []
        self.asked = False
        self.received = False
        self._there: Published | None = None
        self._waiting: Asked | None = None
        self.ending: Ending | None = None
        self._unread = False
        self._until: dict[Ending, float] = {Ending.DEADLINE: spec.deadline}

    def wait(self, cancelled: threading.Event) -> Ending:
        while self.ending is None:
            if cancelled.is_set():
                raise Cancelled
            patience = min(QUIET_SECONDS if self._unread else TICK_SECONDS, self._next()[0] - self.inbox.now())
            try:
                self.take(self.inbox.events.get(timeout=max(0.0, patience)))
            except queue.Empty:
                self._look_for_a_result()
            # Asked after every event, not only when none comes: a peer that polls Redis never lets it be quiet.
            until, ending = self._next()
            if self.ending is None and self.inbox.now() >= until:
                self.ending = ending
        return self.ending

    def _next(self) -> tuple[float, Ending]:
        """When to stop waiting if nothing more comes, and why."""
        return min((until, ending) for ending, until in self._until.items())

    def take(self, event: object) -> None:
        match event:
            case Output():
                self._unread = True
            case Published(key, values, command) as news if key == self.spec.listener_key:
                if command not in self.published_by:
                    self.published_by.append(command)
                self._there = news
                self._may_receive(self._waiting)
                room = MOST_PUBLISHED - len(self.published)
                self.published += [value[:LONGEST_PUBLISHED] for value in values[:room]]
                if (listener := self.exits.get("listener")) is not None:
                    self._listener_left(listener.exit_code)  # the news came late: it did publish before it left
            case Asked(key) as question if key == self.spec.dialer_key:
                self.asked = True
                self._waiting = question if question.waits else None
                self._may_receive(question)
            case Ended(role, exit_code, out_of_memory, at):
                self.exits[role] = End(at=at, exit_code=exit_code, out_of_memory=out_of_memory)
                if role == "dialer":
                    self.ending = Ending.DIALER_ENDED
                else:
                    self._listener_left(exit_code)
            case Lost() as lost:
                raise lost_sight(lost)
            case CoordinationLost(why):
                raise EngineError(
                    "redis-lost",
                    f"Redis went away in the middle of the case: {why}",
                    why="its container or process died, or the host is out of memory",
                    hint="run the same command again: finished cases are kept",
                )
            case _:
                pass  # other keys are an application's own business

    def _may_receive(self, question: Asked | None) -> None:
        if question is not None and self._there is not None and question.kind == self._there.kind:
            self.received = True

    def _listener_left(self, exit_code: int) -> None:
        if not self.published and exit_code != 0:
            farewell = NEWS_SECONDS  # T13: nobody will ever answer the dialer
        elif exit_code != 0:
            farewell = CRASH_FAREWELL_SECONDS
        else:
            farewell = self.spec.farewell if self.published else NEWS_SECONDS  # T12
        self._until[Ending.LISTENER_DIED] = self.inbox.now() + farewell

    def _look_for_a_result(self) -> None:
        """Only while the dialer is quiet: looking through two megabytes for every line of a flood would never end."""
        if not self._unread:
            return
        self._unread = False
        self.inbox.output_read()
        if Ending.LINGERED not in self._until and self.has_result(self.inbox.streams["dialer", "stdout"].text()):
            self._until[Ending.LINGERED] = self.inbox.now() + self.spec.linger  # T10

    def drain(self, patience: float) -> None:
        """Take what is still on its way once both sides have been stopped."""
        until = time.monotonic() + patience
        while len(self.exits) < len(self.spec.participants):
            try:
                self.take(self.inbox.events.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                missing = ", ".join(
                    participant.role
                    for participant in self.spec.participants[::-1]
                    if participant.role not in self.exits
                )
                raise EngineError(
                    "participant-unstoppable",
                    f"the engine cannot stop the {missing}",
                    why="the kernel is holding on to one of its processes, or the engine is overloaded",
                    hint="look at `docker ps`, and at the kernel's log",
                ) from None


def attempt(
    slot: Slot,
    spec: AttemptSpec,
    *,
    has_result: Callable[[str], bool],
    labels: Mapping[str, str],
    cancelled: threading.Event,
    observer: AttemptObserver = NOBODY,
) -> Evidence:
    """Run a spec once and return what it left behind.

    :param has_result: whether what the dialer printed so far holds its result
    :param labels: what to mark the participants with
    :raises EngineError: the engine or Redis broke; says nothing about either implementation
    :raises Cancelled: `cancelled` was set
    """
    inbox = Inbox(
        {participant.role: participant.limits.log_bytes for participant in spec.participants},
        listened=("dialer", "stdout"),
        observer=observer,
    )
    watch = _Watch(spec, inbox, has_result)
    participants: list[RunningParticipant] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            prepared = [pool.submit(slot.prepare, participant, inbox, labels) for participant in spec.participants]
            errors = [error for future in prepared if (error := future.exception()) is not None]
            participants = [future.result() for future in prepared if future.exception() is None]
            if errors:
                raise errors[0]
            slot.coordinator.begin(inbox.events.put, bridge=spec.bridge)
            inbox.started = time.monotonic()
            list(pool.map(lambda participant: participant.start(), participants))

            ending = watch.wait(cancelled)
            elapsed = inbox.now()
            # News that raced with the end of the dialer: was the address published, did it ask?
            _sync(watch, slot)
            ended_alone = set(watch.exits)
            evidence = Evidence(
                ending=ending,
                exits=dict(watch.exits),
                streams=inbox.streams,
                published=tuple(watch.published),
                published_by=tuple(watch.published_by),
                asked=watch.asked,
                received=watch.received,
                elapsed=elapsed,
            )
            if observer.over(evidence):
                participants = []
                return evidence
            list(pool.map(lambda participant: participant.stop(STOP_GRACE_SECONDS), participants))
            watch.drain(STOP_GRACE_SECONDS + 15)
        finally:
            slot.coordinator.end()
            list(pool.map(lambda participant: participant.remove(), participants))
    exits = {role: end if role in ended_alone else replace(end, stopped=True) for role, end in watch.exits.items()}
    return replace(
        evidence,
        exits=exits,
        published=tuple(watch.published),
        published_by=tuple(watch.published_by),
        asked=watch.asked,
        received=watch.received,
    )


def _sync(watch: _Watch, slot: Slot) -> None:
    """Take everything Redis has already been told."""
    slot.coordinator.sync()
    while True:
        try:
            watch.take(watch.inbox.events.get_nowait())
        except queue.Empty:
            return
