"""One attempt at one case: start both sides, watch, stop, gather. Knows neither engine nor protocol."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from ci.capture import Capture
from ci.errors import EngineError
from ci.model import ROLES
from ci.rendezvous import Asked, Published, RendezvousLost
from ci.scene import End, Ending, Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.engines.base import RunningActor, Slot
    from ci.model import Role
    from ci.scene import Scene, Stream

__all__ = ["Bystander", "Cancelled", "attempt"]

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


class Cancelled(Exception):  # noqa: N818 -- not an error: the user asked for it
    """The run was interrupted while this attempt was under way."""


class Bystander:
    """Sees an attempt while it happens. This one looks away; others override what they want to see."""

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        """One side has written something, `at` seconds after the start. Called from the engine's threads."""

    def over(self, evidence: Evidence) -> bool:  # noqa: ARG002
        """The waiting is over: what is known by now. Whoever still runs is stopped and removed when this returns.

        :return: True to leave both sides as they are
        """
        return False


_NOBODY: Final = Bystander()


@dataclass(frozen=True)
class _Ended:
    role: Role
    exit_code: int
    out_of_memory: bool
    at: float


@dataclass(frozen=True)
class _Lost:
    role: Role
    why: str


@dataclass(frozen=True)
class _Output:
    """The dialer has written something since the stream was last looked at."""


_Event: TypeAlias = "_Ended | _Lost | _Output | Published | Asked | RendezvousLost"


class _Inbox:
    """Collects what the engine's and Redis's threads report; the attempt's own thread reads it in order."""

    def __init__(self, log_bytes: Mapping[Role, int], bystander: Bystander = _NOBODY) -> None:
        self._bystander = bystander
        self.started = time.monotonic()
        self.events: queue.SimpleQueue[_Event] = queue.SimpleQueue()
        self.streams: dict[tuple[Role, Stream], Capture] = {
            (role, stream): Capture(log_bytes[role]) for role in ROLES for stream in ("stdout", "stderr")
        }
        self._unread = threading.Event()

    def now(self) -> float:
        return time.monotonic() - self.started

    def output(self, role: Role, stream: Stream, data: bytes) -> None:
        at = self.now()
        self.streams[role, stream].write(at, data)
        self._bystander.output(at, role, stream, data)
        # A flood is one event, not a million: the next comes only after this one was read.
        if role == "dialer" and stream == "stdout" and not self._unread.is_set():
            self._unread.set()
            self.events.put(_Output())

    def output_read(self) -> None:
        self._unread.clear()

    def ended(self, role: Role, exit_code: int, *, out_of_memory: bool) -> None:
        self.events.put(_Ended(role, exit_code, out_of_memory, self.now()))

    def lost(self, role: Role, why: str) -> None:
        self.events.put(_Lost(role, why))


class _Watch:
    """What is known so far, and when to stop waiting."""

    def __init__(self, scene: Scene, inbox: _Inbox, settled: Callable[[str], bool]) -> None:
        self.scene = scene
        self.inbox = inbox
        self.settled = settled
        self.exits: dict[Role, End] = {}
        self.published: list[str] = []
        self.asked = False
        self.ending: Ending | None = None
        self._unread = False
        self._until: dict[Ending, float] = {Ending.DEADLINE: scene.deadline}

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

    def take(self, event: _Event) -> None:
        match event:
            case _Output():
                self._unread = True
            case Published(key, values) if key == self.scene.listener_key:
                room = MOST_PUBLISHED - len(self.published)
                self.published += [value[:LONGEST_PUBLISHED] for value in values[:room]]
                if (listener := self.exits.get("listener")) is not None:
                    self._listener_left(listener.exit_code)  # the news came late: it did publish before it left
            case Asked(key) if key == self.scene.dialer_key:
                self.asked = True
            case _Ended(role, exit_code, out_of_memory, at):
                self.exits[role] = End(at=at, exit_code=exit_code, out_of_memory=out_of_memory)
                if role == "dialer":
                    self.ending = Ending.DIALER_ENDED
                else:
                    self._listener_left(exit_code)
            case _Lost(role, why):
                raise EngineError(
                    "engine-lost",
                    f"the engine lost sight of the {role}: {why}",
                    why="it was stopped or restarted",
                    hint="run the same command again: finished cases are kept",
                )
            case RendezvousLost(why):
                raise EngineError(
                    "redis-lost",
                    f"Redis went away in the middle of the case: {why}",
                    why="its container or process died, or the host is out of memory",
                    hint="run the same command again: finished cases are kept",
                )
            case _:
                pass  # other keys are an application's own business

    def _listener_left(self, exit_code: int) -> None:
        if not self.published and exit_code != 0:
            farewell = NEWS_SECONDS  # T13: nobody will ever answer the dialer
        elif exit_code != 0:
            farewell = CRASH_FAREWELL_SECONDS
        else:
            farewell = self.scene.farewell if self.published else NEWS_SECONDS  # T12
        self._until[Ending.LISTENER_DIED] = self.inbox.now() + farewell

    def _look_for_a_result(self) -> None:
        """Only while the dialer is quiet: looking through two megabytes for every line of a flood would never end."""
        if not self._unread:
            return
        self._unread = False
        self.inbox.output_read()
        if Ending.LINGERED not in self._until and self.settled(self.inbox.streams["dialer", "stdout"].text()):
            self._until[Ending.LINGERED] = self.inbox.now() + self.scene.linger  # T10

    def drain(self, patience: float) -> None:
        """Take what is still on its way once both sides have been stopped."""
        until = time.monotonic() + patience
        while len(self.exits) < len(ROLES):
            try:
                self.take(self.inbox.events.get(timeout=max(0.0, until - time.monotonic())))
            except queue.Empty:
                missing = ", ".join(role for role in ROLES if role not in self.exits)
                raise EngineError(
                    "actor-unstoppable",
                    f"the engine cannot stop the {missing}",
                    why="the kernel is holding on to one of its processes, or the engine is overloaded",
                    hint="look at `docker ps`, and at the kernel's log",
                ) from None


def attempt(
    slot: Slot,
    scene: Scene,
    *,
    settled: Callable[[str], bool],
    labels: Mapping[str, str],
    cancelled: threading.Event,
    bystander: Bystander = _NOBODY,
) -> Evidence:
    """Run a scene once and return what it left behind.

    :param settled: whether what the dialer printed so far holds its result
    :param labels: what to mark the actors with
    :raises EngineError: the engine or Redis broke; says nothing about either implementation
    :raises Cancelled: `cancelled` was set
    """
    inbox = _Inbox({actor.role: actor.limits.log_bytes for actor in scene.actors}, bystander)
    watch = _Watch(scene, inbox, settled)
    actors: list[RunningActor] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            prepared = [pool.submit(slot.prepare, actor, inbox, labels) for actor in scene.actors]
            errors = [error for future in prepared if (error := future.exception()) is not None]
            actors = [future.result() for future in prepared if future.exception() is None]
            if errors:
                raise errors[0]
            slot.rendezvous.begin(inbox.events.put, bridge=scene.bridge)
            inbox.started = time.monotonic()
            list(pool.map(lambda actor: actor.start(), actors))

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
                asked=watch.asked,
                elapsed=elapsed,
            )
            if bystander.over(evidence):
                actors = []
                return evidence
            list(pool.map(lambda actor: actor.stop(STOP_GRACE_SECONDS), actors))
            watch.drain(STOP_GRACE_SECONDS + 15)
        finally:
            slot.rendezvous.end()
            list(pool.map(lambda actor: actor.remove(), actors))
    exits = {role: end if role in ended_alone else replace(end, stopped=True) for role, end in watch.exits.items()}
    return replace(evidence, exits=exits, published=tuple(watch.published), asked=watch.asked)


def _sync(watch: _Watch, slot: Slot) -> None:
    """Take everything Redis has already been told."""
    slot.rendezvous.sync()
    while True:
        try:
            watch.take(watch.inbox.events.get_nowait())
        except queue.Empty:
            return
