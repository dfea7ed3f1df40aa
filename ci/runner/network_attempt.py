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
from ci.runner.inbox import Cancelled, Ended, Inbox, Lost, Onlooker, lost_sight
from ci.spec.attempt import End
from ci.spec.network import NetworkEvidence

if TYPE_CHECKING:
    from pathlib import Path

    from ci.engines.base import RunningActor, Sink
    from ci.model import Role
    from ci.spec.attempt import Actor
    from ci.spec.network import NetworkScene

__all__ = ["NetworkBystander", "NetworkSlot", "attempt"]

TICK_SECONDS: Final = 0.5
# Beyond the grace period: an engine that has not told by then what became of a killed container never will.
PATIENCE_SECONDS: Final = 15.0


class NetworkSlot(Protocol):
    """What is needed of an engine here."""

    def reset(self, *roles: Role) -> None: ...

    def prepare(
        self, actor: Actor, sink: Sink, labels: Mapping[str, str], brings: Mapping[str, Path]
    ) -> RunningActor: ...

    def collect(self, role: Role, source: str, target: Path, *, most_bytes: int) -> bool: ...


class NetworkBystander(Onlooker):
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


NOBODY: Final = NetworkBystander()


def attempt(
    slot: NetworkSlot,
    scene: NetworkScene,
    folder: Path,
    *,
    labels: Mapping[str, str],
    cancelled: threading.Event,
    bystander: NetworkBystander = NOBODY,
) -> NetworkEvidence:
    """Run a scene once (quic-interop contract, section 1.6).

    The simulator starts first, everybody else at once; the first container that ends, whichever it is, ends the
    attempt. The simulator is the last to be stopped, so that its captures outlive the endpoints.

    :param folder: where what the containers leave is gathered
    :raises EngineError: the engine broke; says nothing about the implementations
    :raises OSError: the folder cannot be written
    :raises Cancelled: `cancelled` was set
    """
    inbox = Inbox({actor.role: actor.limits.log_bytes for actor in scene.actors}, bystander=bystander)
    actors: dict[Role, RunningActor] = {}
    left = False
    with ThreadPoolExecutor(max_workers=len(scene.actors)) as pool:
        try:
            slot.reset(*(actor.role for actor in scene.actors))
            prepared = {
                actor.role: pool.submit(slot.prepare, actor, inbox, labels, scene.brings.get(actor.role, {}))
                for actor in scene.actors
            }
            errors = [error for future in prepared.values() if (error := future.exception()) is not None]
            actors = {role: future.result() for role, future in prepared.items() if future.exception() is None}
            if errors:
                raise errors[0]
            others = [running for role, running in actors.items() if role != "simulator"]
            actors["simulator"].start()
            inbox.started = time.monotonic()
            list(pool.map(lambda running: running.start(), others))

            watch = _Watch(inbox)
            first = watch.wait(scene.deadline, cancelled)
            elapsed = inbox.now()
            alone = set(watch.exits)
            evidence = NetworkEvidence(
                first=first, exits=dict(watch.exits), streams=inbox.streams, cut={}, elapsed=elapsed
            )
            left = bystander.over(evidence)
            if not left:
                list(pool.map(lambda running: running.stop(scene.grace), others))
                actors["simulator"].stop(scene.grace)
                watch.drain({actor.role for actor in scene.actors}, PATIENCE_SECONDS)
            evidence = replace(
                evidence,
                exits={role: end if role in alone else replace(end, stopped=True) for role, end in watch.exits.items()},
                cut=_gather(slot, scene, folder),
            )
            left = left or bystander.gathered(evidence)
        finally:
            if not left:
                list(pool.map(lambda running: running.remove(), actors.values()))
    return evidence


def _gather(slot: NetworkSlot, scene: NetworkScene, folder: Path) -> dict[Role, tuple[str, ...]]:
    cut: dict[Role, tuple[str, ...]] = {}
    for role, folders in scene.leaves.items():
        for source, target in folders.items():
            if not slot.collect(role, source, folder / target, most_bytes=scene.most_bytes):
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
                    "actor-unstoppable",
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
