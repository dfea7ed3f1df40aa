"""One attempt: prepare and start its participants, watch, stop, gather. Knows neither engine nor protocol."""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ci.engines.coordination import Asked, CoordinationLost, Published
from ci.errors import EngineError
from ci.runner.inbox import UNOBSERVED, AttemptObserver, Cancelled, Ended, Inbox, Lost, Output, lost_sight
from ci.spec.attempt import End, Ending, Evidence
from ci.spec.capture import Capture
from ci.util.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ci.engines.base import RunningParticipant, Slot
    from ci.model import Role
    from ci.spec.attempt import AttemptSpec, Coordination

__all__ = ["AT_ONCE", "Housekeeping", "PreparedAttempt", "attempt", "prepare"]

# How long a listener's last push may take to come round through Redis after the listener itself has ended.
NEWS_SECONDS: Final = 0.3
# A dialer whose listener has crashed deserves a moment to say what it saw, not its full time.
CRASHED_LISTENER_SECONDS: Final = 2.0
TICK_SECONDS: Final = 0.5
# Beyond its own time limit: an engine that has not told by then what became of a killed participant never will.
ENGINE_SECONDS: Final = 15.0
# One address is expected, of a few hundred bytes. What is kept of more than that is bounded like everything else.
MOST_PUBLISHED: Final = 32
LONGEST_PUBLISHED: Final = 4096
# Of what was seen at Redis: a peer may ask for one key after the other as fast as it can.
MEETING_BYTES: Final = 64 << 10
QUIET_SECONDS: Final = 0.05


# Whether all of it was taken, by role and the folder it is put into.
_Gathering: TypeAlias = "dict[tuple[Role, str], Future[bool]]"


def never(_stdout: str) -> bool:
    """Of a suite whose participants print no result."""
    return False


@dataclass(frozen=True, kw_only=True)
class PreparedAttempt:
    """Who takes part in an attempt, created and not started.

    :param inbox: where the engine will report what becomes of them
    :param generation: of the slot when they were created
    """

    inbox: Inbox
    running: Mapping[Role, RunningParticipant]
    generation: int

    def discard(self) -> None:
        """Remove them: they will not be started."""
        AT_ONCE.remove([*self.running.values()])


def prepare(
    slot: Slot, spec: AttemptSpec, *, labels: Mapping[str, str], observer: AttemptObserver = UNOBSERVED
) -> PreparedAttempt:
    """Create everybody who takes part, or nobody: where one cannot be created, the others are removed.

    :param labels: what to mark them with
    :raises EngineError: the engine broke
    :raises OSError: an input cannot be read
    """
    generation = slot.generation
    inbox = Inbox(
        {participant.role: participant.limits.log_bytes for participant in spec.participants},
        listened=("dialer", "stdout") if spec.coordination else None,
        observer=observer,
    )
    with ThreadPoolExecutor(max_workers=len(spec.participants)) as pool:
        futures = {
            it.role: pool.submit(slot.prepare, it, inbox, labels, spec.inputs.get(it.role, {}))
            for it in spec.participants
        }
        errors = [error for future in futures.values() if (error := future.exception()) is not None]
    prepared = PreparedAttempt(
        inbox=inbox,
        running={role: future.result() for role, future in futures.items() if future.exception() is None},
        generation=generation,
    )
    if errors:
        prepared.discard()
        raise errors[0]
    return prepared


class Housekeeping:
    """What is to be done about an attempt that comes to its end. This one does it at once; others may have time."""

    def decided(self) -> None:
        """The waiting is over: participants still running are about to be stopped, and processors have little to do."""

    def remove(self, running: Sequence[RunningParticipant]) -> None:
        """Remove participants that have ended."""
        for it in running:
            it.remove()


AT_ONCE: Final = Housekeeping()


def attempt(
    slot: Slot,
    spec: AttemptSpec,
    *,
    labels: Mapping[str, str],
    cancelled: threading.Event,
    folder: Path | None = None,
    has_result: Callable[[str], bool] = never,
    observer: AttemptObserver = UNOBSERVED,
    prepared: PreparedAttempt | None = None,
    housekeeping: Housekeeping = AT_ONCE,
) -> Evidence:
    """Run an attempt on a slot that was restored for it, and return what it left behind.

    :param labels: what to mark the participants with
    :param folder: where their outputs are gathered; needed where there are any
    :param has_result: whether what the dialer printed so far holds its result
    :param prepared: the participants, where they have been created already, in this generation of the slot
    :param housekeeping: removes participants that have ended; others are removed before this returns
    :raises EngineError: the engine or Redis broke; says nothing about the implementations
    :raises OSError: the folder cannot be written
    :raises Cancelled: `cancelled` was set
    """
    coordinator = slot.coordinator if spec.coordination else None
    if prepared is None:
        prepared = prepare(slot, spec, labels=labels, observer=observer)
    inbox, running = prepared.inbox, prepared.running
    watch = _Watch(spec, inbox, has_result)
    left = ended = False
    gathering: _Gathering = {}
    # Nobody's stop waits for what is gathered of others.
    most = len(spec.participants) + sum(map(len, spec.outputs.values()))
    with ThreadPoolExecutor(max_workers=most) as pool:

        def each(do: Callable[[RunningParticipant], None], roles: tuple[Role, ...]) -> None:
            list(pool.map(do, [running[role] for role in roles]))

        inner = tuple(role for role in spec.roles if role not in spec.outer)
        try:
            if coordinator is not None and spec.coordination is not None:
                coordinator.begin(inbox.events.put, bridge=spec.coordination.bridge)
            each(lambda it: it.start(), spec.outer)
            inbox.started = time.monotonic()
            each(lambda it: it.start(), inner)

            ending = watch.wait(cancelled)
            elapsed = inbox.now()
            housekeeping.decided()
            if coordinator is not None:
                # News that raced with the end of the dialer: was the address published, did it ask?
                coordinator.sync()
                watch.take_all()
            ended_alone = set(watch.exits)
            evidence = Evidence(
                ending=ending,
                first=next(iter(watch.exits), None),
                exits=dict(watch.exits),
                streams=inbox.streams,
                elapsed=elapsed,
                **watch.coordination,
            )
            left = observer.over(evidence)
            if not left:
                each(lambda it: it.stop(spec.stop_timeout), inner)
                gathering = _gather(pool, running, spec, inner, folder)
                each(lambda it: it.stop(spec.stop_timeout), spec.outer)
                watch.drain(spec.stop_timeout + ENGINE_SECONDS)
                ended = True
            exits = {it: end if it in ended_alone else replace(end, stopped=True) for it, end in watch.exits.items()}
            rest = tuple(role for role in spec.roles if left or role in spec.outer)
            cut = _cut(gathering | _gather(pool, running, spec, rest, folder))
            evidence = replace(evidence, exits=exits, cut=cut, **watch.coordination)
            left = left or observer.gathered(evidence)
        finally:
            if coordinator is not None:
                coordinator.end()
            if ended and not left:
                housekeeping.remove([running[role] for role in spec.roles])
            elif not left:
                each(lambda it: it.remove(), spec.roles)
    return evidence


def _gather(
    pool: ThreadPoolExecutor,
    running: Mapping[Role, RunningParticipant],
    spec: AttemptSpec,
    roles: Sequence[Role],
    folder: Path | None,
) -> _Gathering:
    """Begin to gather what these leave, all at once: the engine takes its time to open a container's files."""

    def collected(role: Role, source: str, target: str) -> bool:
        assert folder is not None, "an attempt with outputs has a folder for them"  # noqa: S101
        return running[role].collect(source, folder / target, most_bytes=spec.output_bytes)

    return {
        (role, target): pool.submit(collected, role, source, target)
        for role in roles
        for source, target in spec.outputs.get(role, {}).items()
    }


def _cut(gathering: _Gathering) -> dict[Role, tuple[str, ...]]:
    """Once it is gathered: by role, what is not there as a whole."""
    cut: dict[Role, tuple[str, ...]] = {}
    for (role, target), whole in gathering.items():
        if not whole.result():
            cut[role] = (*cut.get(role, ()), target)
    return cut


class _Watch:
    """What is known so far, and when to stop waiting."""

    def __init__(self, spec: AttemptSpec, inbox: Inbox, has_result: Callable[[str], bool]) -> None:
        self.spec = spec
        self.meet: Coordination | None = spec.coordination
        self.inbox = inbox
        self.has_result = has_result
        self.exits: dict[Role, End] = {}
        self.published: list[str] = []
        self.published_by: list[str] = []
        self.asked = False
        self.received = False
        self.meeting = Capture(MEETING_BYTES)
        self._said = ""
        self._there: Published | None = None
        self._waiting: Asked | None = None
        self.ending: Ending | None = None
        self._unread = False
        self._until: dict[Ending, float] = {Ending.DEADLINE: spec.deadline}

    def wait(self, cancelled: threading.Event) -> Ending:
        while self.ending is None:
            if cancelled.is_set():
                raise Cancelled
            timeout = min(QUIET_SECONDS if self._unread else TICK_SECONDS, self._next()[0] - self.inbox.now())
            try:
                self.take(self.inbox.events.get(timeout=max(0.0, timeout)))
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
            case Published(key, values, command) as news if self.meet and key == self.meet.listener_key:
                if command not in self.published_by:
                    self.published_by.append(command)
                self._there = news
                self._note(" ".join((command, key, *values)))
                self._may_receive(self._waiting)
                room = MOST_PUBLISHED - len(self.published)
                self.published += [value[:LONGEST_PUBLISHED] for value in values[:room]]
                if (listener := self.exits.get("listener")) is not None:
                    self._listener_left(listener.exit_code)  # the news came late: it did publish before it left
            case Asked(key) as question if self.meet and key == self.meet.dialer_key:
                self.asked = True
                self._note(f"{question.command} {key}")
                self._waiting = question if question.waits else None
                self._may_receive(question)
            case Ended(role, exit_code, out_of_memory, at):
                self.exits[role] = End(at=at, exit_code=exit_code, out_of_memory=out_of_memory)
                if self.meet is None:
                    self.ending = Ending.FIRST_ENDED
                elif role == "dialer":
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
            if not self.received:
                self._note("the dialer is given the address")
            self.received = True

    def _note(self, text: str) -> None:
        """Keep what was seen at Redis; who asks again and again is noted once."""
        if text != self._said:
            self._said = text
            self.meeting.write(self.inbox.now(), f"{printable(text[:LONGEST_PUBLISHED])}\n".encode())

    def _listener_left(self, exit_code: int) -> None:
        if not self.published:
            timeout = NEWS_SECONDS  # T13: nobody will ever answer the dialer
        elif exit_code != 0:
            timeout = CRASHED_LISTENER_SECONDS
        else:
            timeout = self.meet.dialer_alone_timeout if self.meet else 0.0  # T12
        self._until[Ending.LISTENER_DIED] = self.inbox.now() + timeout

    def _look_for_a_result(self) -> None:
        """Only while the dialer is quiet: looking through two megabytes for every line of a flood would never end."""
        if not self._unread:
            return
        self._unread = False
        self.inbox.output_read()
        if Ending.LINGERED not in self._until and self.has_result(self.inbox.streams["dialer", "stdout"].text()):
            timeout = self.meet.dialer_exit_timeout if self.meet else 0.0  # T10
            self._until[Ending.LINGERED] = self.inbox.now() + timeout

    @property
    def coordination(self) -> dict[str, Any]:
        """What is known of it, by the fields of the evidence."""
        return {
            "published": tuple(self.published),
            "published_by": tuple(self.published_by),
            "asked": self.asked,
            "received": self.received,
            "meeting": self.meeting,
        }

    def take_all(self) -> None:
        """Take every event that has been reported by now."""
        while True:
            try:
                self.take(self.inbox.events.get_nowait())
            except queue.Empty:
                return

    def drain(self, timeout: float) -> None:
        """Take what is still on its way once everybody has been stopped."""
        until = time.monotonic() + timeout
        while missing := [role for role in self.spec.roles if role not in self.exits]:
            try:
                self.take(self.inbox.events.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                raise EngineError(
                    "participant-unstoppable",
                    f"the engine cannot stop the {', '.join(missing)}",
                    why="the kernel is holding on to one of its processes, or the engine is overloaded",
                    hint="look at `docker ps`, and at the kernel's log",
                ) from None
