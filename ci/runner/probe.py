"""Participants run by hand, one at a time or beside each other: what `attempt` does for a case, for anything else.

A case always has two sides and ends with a verdict. To learn how an image behaves when it is alone, misled or
stopped, a *probe* starts single participants with any environment at all and waits for whatever the caller asks.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci.engines.coordination import Asked, CoordinationLost, Published
from ci.errors import EngineError
from ci.spec.attempt import End
from ci.spec.capture import Capture

if TYPE_CHECKING:
    from ci.engines.base import RunningParticipant, Slot
    from ci.model import Role
    from ci.spec.attempt import Participant, Stream

__all__ = ["Probe", "ProbedParticipant", "Trace", "probe"]


@dataclass(frozen=True, kw_only=True)
class Trace:
    """What one participant left behind, as far as it was watched.

    :param end: how it ended by itself; None if it was still running when watching was over
    :param seconds: from its start until it ended, or until watching was over
    """

    role: Role
    stdout: Capture
    stderr: Capture
    end: End | None
    seconds: float


class ProbedParticipant:
    """One participant in a probe; also the sink its engine reports to."""

    def __init__(self, participant: Participant, changed: threading.Condition) -> None:
        self.role = participant.role
        self.streams: dict[Stream, Capture] = {
            "stdout": Capture(participant.limits.log_bytes),
            "stderr": Capture(participant.limits.log_bytes),
        }
        self.end: End | None = None
        self.lost_because: str | None = None
        self._changed = changed
        self._started = time.monotonic()
        self._running: RunningParticipant | None = None

    def start(self, running: RunningParticipant) -> None:
        self._running = running
        self._started = time.monotonic()
        running.start()

    def stop(self, timeout: float) -> float:
        """Ask it to stop, kill it after `timeout` seconds. Returns how many seconds it took to end."""
        asked = time.monotonic()
        if self._running is not None:
            self._running.stop(timeout)
        return time.monotonic() - asked

    def trace(self) -> Trace:
        return Trace(
            role=self.role,
            stdout=self.streams["stdout"],
            stderr=self.streams["stderr"],
            end=self.end,
            seconds=self._now() if self.end is None else self.end.at,
        )

    def output(self, role: Role, stream: Stream, data: bytes) -> None:  # noqa: ARG002 -- it has one role
        self.streams[stream].write(self._now(), data)

    def ended(self, role: Role, exit_code: int, *, out_of_memory: bool) -> None:  # noqa: ARG002
        with self._changed:
            self.end = End(at=self._now(), exit_code=exit_code, out_of_memory=out_of_memory)
            self._changed.notify_all()

    def lost(self, role: Role, why: str, error: Exception | None = None) -> None:  # noqa: ARG002
        with self._changed:
            self.lost_because = why
            self._changed.notify_all()

    def _now(self) -> float:
        return time.monotonic() - self._started


class Probe:
    """A slot with its keyspace emptied, for as many participants as the caller wants. Made by `probe`."""

    def __init__(self, slot: Slot, labels: Mapping[str, str]) -> None:
        self._slot = slot
        self._labels = labels
        self._changed = threading.Condition()
        self._probed: list[ProbedParticipant] = []
        self._prepared: list[RunningParticipant] = []
        self._published: list[tuple[str, str]] = []
        self._asked: set[str] = set()
        self._redis_lost: str | None = None

    def start(self, *participants: Participant) -> tuple[ProbedParticipant, ...]:
        """Start participants, all prepared before the first one starts.

        :raises EngineError: the engine broke
        """
        all_probed = []
        for participant in participants:
            probed = ProbedParticipant(participant, self._changed)
            running = self._slot.prepare(participant, probed, self._labels, {})
            self._prepared.append(running)
            all_probed.append((probed, running))
        for probed, running in all_probed:
            self._probed.append(probed)
            probed.start(running)
        return tuple(probed for probed, _ in all_probed)

    def push(self, key: str, value: str) -> None:
        """Publish something in a listener's place."""
        self._slot.coordinator.push(key, value)

    def published(self, key: str) -> tuple[str, ...]:
        """Everything pushed to `key` so far, by any side."""
        with self._changed:
            return tuple(value for at, value in self._published if at == key)

    def asked(self, key: str) -> bool:
        """Whether somebody has asked for what lies under `key`."""
        with self._changed:
            return key in self._asked

    def wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Wait for something to become true; False if it has not within `seconds`.

        :raises EngineError: the engine or Redis broke meanwhile
        """
        with self._changed:
            self._changed.wait_for(lambda: self._trouble() is not None or until(), timeout=seconds)
            trouble = self._trouble()
            if trouble is None:
                return until()
        raise EngineError(
            "engine-lost",
            trouble,
            why="the engine or the Redis container was stopped, or the host is out of memory",
            hint="look at `docker ps -a` and at the engine's log, then run the same command again",
        )

    def wait_ended(self, all_probed: Sequence[ProbedParticipant], seconds: float) -> bool:
        """Wait until all of these have ended by themselves; False if some still run after `seconds`."""
        return self.wait(lambda: all(probed.end is not None for probed in all_probed), seconds)

    def sync(self) -> None:
        """Return once everything Redis was told so far is known here."""
        self._slot.coordinator.sync()

    def close(self) -> None:
        self._slot.coordinator.end()
        for running in self._prepared:
            running.remove()

    def observe(self, event: Published | Asked | CoordinationLost) -> None:
        with self._changed:
            match event:
                case Published(key, values):
                    self._published += [(key, value) for value in values]
                case Asked(key):
                    self._asked.add(key)
                case CoordinationLost(why):
                    self._redis_lost = why
            self._changed.notify_all()

    def _trouble(self) -> str | None:
        if self._redis_lost is not None:
            return f"Redis went away: {self._redis_lost}"
        for probed in self._probed:
            if probed.lost_because is not None:
                return f"the engine lost sight of the {probed.role}: {probed.lost_because}"
        return None


@contextmanager
def probe(slot: Slot, labels: Mapping[str, str]) -> Iterator[Probe]:
    """A probe on this slot; every participant started there is gone when the block ends.

    :raises EngineError: Redis does not answer
    """
    it = Probe(slot, labels)
    slot.coordinator.begin(it.observe)
    try:
        yield it
    finally:
        it.close()
