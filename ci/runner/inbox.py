"""Where the engine's threads report what becomes of an attempt's participants; the attempt's own thread reads it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.spec.capture import Capture

if TYPE_CHECKING:
    from ci.model import Role
    from ci.spec.attempt import Evidence, Stream

__all__ = ["UNOBSERVED", "AttemptObserver", "Cancelled", "Ended", "Inbox", "Lost", "Output", "lost_sight"]

STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")


class Cancelled(Exception):  # noqa: N818 -- not an error: the user asked for it
    """The run was interrupted while this attempt was under way."""


class AttemptObserver:
    """Sees an attempt while it happens. This one looks away; others override what they want to see."""

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        """Somebody has written something, `at` seconds after the start. Called from the engine's threads."""

    def over(self, evidence: Evidence) -> bool:  # noqa: ARG002
        """The waiting is over: what is known by now. Participants still running are stopped when this returns.

        :return: True to leave everybody as they are
        """
        return False

    def gathered(self, evidence: Evidence) -> bool:  # noqa: ARG002
        """Everybody has ended, and what they leave was gathered. They are removed when this returns.

        :return: True to leave them where they are
        """
        return False


UNOBSERVED: Final = AttemptObserver()


@dataclass(frozen=True)
class Ended:
    role: Role
    exit_code: int
    out_of_memory: bool
    at: float


@dataclass(frozen=True)
class Lost:
    """:param error: the reason is a mistake in the code that reads, not the engine"""

    role: Role
    why: str
    error: Exception | None = None


@dataclass(frozen=True)
class Output:
    """The stream that is listened to has grown since it was last looked at."""


class Inbox:
    """Collects what participants write and how they end, in the order it is reported. An `ci.engines.base.Sink`.

    :param log_bytes: who takes part, and how much of each of their streams is kept
    :param listened: the one stream whose growth is an event
    """

    def __init__(
        self,
        log_bytes: Mapping[Role, int],
        *,
        listened: tuple[Role, Stream] | None = None,
        observer: AttemptObserver = UNOBSERVED,
    ) -> None:
        self._bystander = observer
        self._listened = listened
        self._unread = threading.Event()
        self.started = time.monotonic()
        # Others post here too: what happens in Redis, for one.
        self.events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.streams: dict[tuple[Role, Stream], Capture] = {
            (role, stream): Capture(kept) for role, kept in log_bytes.items() for stream in STREAMS
        }

    def now(self) -> float:
        return time.monotonic() - self.started

    def output(self, role: Role, stream: Stream, data: bytes) -> None:
        at = self.now()
        self.streams[role, stream].write(at, data)
        self._bystander.output(at, role, stream, data)
        # A flood is one event, not a million: the next comes only after this one was read.
        if (role, stream) == self._listened and not self._unread.is_set():
            self._unread.set()
            self.events.put(Output())

    def output_read(self) -> None:
        self._unread.clear()

    def ended(self, role: Role, exit_code: int, *, out_of_memory: bool) -> None:
        self.events.put(Ended(role, exit_code, out_of_memory, self.now()))

    def lost(self, role: Role, why: str, error: Exception | None = None) -> None:
        self.events.put(Lost(role, why, error))


def lost_sight(event: Lost) -> Exception:
    """What to raise when nobody can tell any more what became of a participant."""
    if event.error is not None:
        return event.error
    return EngineError(
        "engine-lost",
        f"the engine lost sight of the {event.role}: {event.why}",
        why="it was stopped or restarted",
        hint="run the same command again: finished cases are kept",
    )
