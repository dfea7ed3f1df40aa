"""One attempt over a simulated network: start everybody, wait for the first to end, stop the others, gather."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from ci.errors import EngineError
from ci.runner.inbox import Cancelled, Ended, Inbox, Lost, OutputObserver, lost_sight
from ci.spec.attempt import End
from ci.spec.network import NetworkEvidence

if TYPE_CHECKING:
    from pathlib import Path

    from ci.engines.base import RunningParticipant, Sink
    from ci.model import Role
    from ci.spec.attempt import Participant
    from ci.spec.network import NetworkAttemptSpec

__all__ = ["NetworkObserver", "NetworkSlot", "attempt"]

TICK_SECONDS: Final = 0.5
# Beyond the grace period: an engine that has not told by then what became of a killed container never will.
PATIENCE_SECONDS: Final = 15.0


class NetworkSlot(Protocol):
    """What is needed of an engine here."""

    def reset(self, *roles: Role) -> None: ...

    def prepare(
        self, participant: Participant, sink: Sink, labels: Mapping[str, str], brings: Mapping[str, Path]
    ) -> RunningParticipant: ...

    def collect(self, role: Role, source: str, target: Path, *, most_bytes: int) -> bool: ...


class NetworkObserver(OutputObserver):
    """Sees an attempt while it happens. This one looks away; others override what they want to see."""

    def over(self, evidence: NetworkEvidence) -> bool:  # noqa: ARG002
        """The waiting is over: who has ended by now, and how. Whoever still runs is stopped when this returns.

        :return: True to leave everybody as they are
        """
        return False

    def gathered(self, evidence: NetworkEvidence) -> bool:  # noqa: ARG002
        """Everybody has ended and what they leave was gathered. They are removed when this returns.

        :return: True to leave them where they are
        """
        return False


NOBODY: Final = NetworkObserver()


def attempt(
    slot: NetworkSlot,
    spec: NetworkAttemptSpec,
    folder: Path,
    *,
    labels: Mapping[str, str],
    cancelled: threading.Event,
    observer: NetworkObserver = NOBODY,
) -> NetworkEvidence:
    """Run a spec once (quic-interop contract, section 1.6).

    The simulator starts first, everybody else at once; the first container that ends, whichever it is, ends the
    attempt. The simulator is the last to be stopped, so that its captures outlive the endpoints.

    :param folder: where what the containers leave is gathered
    :raises EngineError: the engine broke; says nothing about the implementations
    :raises OSError: the folder cannot be written
    :raises Cancelled: `cancelled` was set
    """
    inbox = Inbox(
        {participant.role: participant.limits.log_bytes for participant in spec.participants}, observer=observer
    )
    participants: dict[Role, RunningParticipant] = {}
    left = False
    with ThreadPoolExecutor(max_workers=len(spec.participants)) as pool:
        try:
            slot.reset(*(participant.role for participant in spec.participants))
            prepared = {
                participant.role: pool.submit(
                    slot.prepare, participant, inbox, labels, spec.brings.get(participant.role, {})
                )
                for participant in spec.participants
            }
            errors = [error for future in prepared.values() if (error := future.exception()) is not None]
            participants = {role: future.result() for role, future in prepared.items() if future.exception() is None}
            if errors:
                raise errors[0]
            others = [running for role, running in participants.items() if role != "simulator"]
            participants["simulator"].start()
            inbox.started = time.monotonic()
            list(pool.map(lambda running: running.start(), others))

            watch = _Watch(inbox)
            first = watch.wait(spec.deadline, cancelled)
            elapsed = inbox.now()
            alone = set(watch.exits)
            evidence = NetworkEvidence(
                first=first, exits=dict(watch.exits), streams=inbox.streams, cut={}, elapsed=elapsed
            )
            left = observer.over(evidence)
            if not left:
                list(pool.map(lambda running: running.stop(spec.grace), others))
                participants["simulator"].stop(spec.grace)
                watch.drain({participant.role for participant in spec.participants}, PATIENCE_SECONDS)
            evidence = replace(
                evidence,
                exits={role: end if role in alone else replace(end, stopped=True) for role, end in watch.exits.items()},
                cut=_gather(slot, spec, folder),
            )
            left = left or observer.gathered(evidence)
        finally:
            if not left:
                list(pool.map(lambda running: running.remove(), participants.values()))
    return evidence


def _gather(slot: NetworkSlot, spec: NetworkAttemptSpec, folder: Path) -> dict[Role, tuple[str, ...]]:
    cut: dict[Role, tuple[str, ...]] = {}
    for role, folders in spec.leaves.items():
        for source, target in folders.items():
            if not slot.collect(role, source, folder / target, most_bytes=spec.most_bytes):
                cut[role] = (*cut.get(role, ()), target)
    return cut


class _Watch:
    """How everybody ended, so far."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.exits: dict[Role, End] = {}

    def wait(self, deadline: float, cancelled: threading.Event) -> Role | None:
        """Who ended first; None once the deadline has passed."""
        while not self.exits:
            if cancelled.is_set():
                raise Cancelled
            left = deadline - self._inbox.now()
            if left <= 0:
                return None
            self._take(min(TICK_SECONDS, left))
        return next(iter(self.exits))

    def drain(self, roles: set[Role], patience: float) -> None:
        """Wait until all of them are known to have ended."""
        until = time.monotonic() + patience
        while missing := roles - set(self.exits):
            left = until - time.monotonic()
            if left <= 0:
                raise EngineError(
                    "participant-unstoppable",
                    f"the engine cannot stop the {', '.join(sorted(missing))}",
                    why="the kernel is holding on to one of its processes, or the engine is overloaded",
                    hint="look at `docker ps`, and at the kernel's log",
                )
            self._take(left)

    def _take(self, patience: float) -> None:
        try:
            event = self._inbox.events.get(timeout=patience)
        except queue.Empty:
            return
        if isinstance(event, Lost):
            raise lost_sight(event)
        if isinstance(event, Ended):
            self.exits[event.role] = End(at=event.at, exit_code=event.exit_code, out_of_memory=event.out_of_memory)
