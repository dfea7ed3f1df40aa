"""What the runner needs of an engine. `docker` and `local` implement it; neither knows what a test means."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.engines.coordination import RedisCoordinator
    from ci.model import Role
    from ci.spec.attempt import AttemptSpec, Participant, Stream, Surroundings

__all__ = ["KILLED_FOR_MEMORY", "STOPPED_BY_OTHERS", "Engine", "RunningParticipant", "Sink", "Slot"]

# What is told of a participant that neither chose to end nor was ended by the runner, nor for a limit of its own.
KILLED_FOR_MEMORY: Final = "it was killed (SIGKILL) within its own limit while this machine was out of memory"
STOPPED_BY_OTHERS: Final = "somebody else stopped it"


class Sink(Protocol):
    """Where a running participant's output and end are reported, from the engine's own threads."""

    def output(self, role: Role, stream: Stream, data: bytes) -> None: ...

    def ended(self, role: Role, exit_code: int, *, out_of_memory: bool) -> None: ...

    def lost(self, role: Role, why: str, error: Exception | None = None) -> None:
        """The engine cannot tell any more what became of the participant.

        :param error: what ended its reader, where that was no trouble of the engine's
        """


class RunningParticipant(Protocol):
    """One side of a case, created and not yet started, or running, or ended."""

    def start(self) -> None:
        """Start it; `Sink` is told everything from the first byte on. Raises `ParticipantStartError`."""

    def stop(self, grace: float) -> None:
        """Ask it to stop, wait `grace` seconds, then kill it. Returns once it has ended."""

    def remove(self) -> None:
        """Leave nothing of it behind."""


class Slot(Protocol):
    """A place where one case at a time runs: it owns a network and a Redis."""

    def restore(self) -> None:
        """Make anew what is not as it was made; before a case, so that none pays for another. Raises `EngineError`."""

    @property
    def coordinator(self) -> RedisCoordinator: ...

    @property
    def surroundings(self) -> Surroundings: ...

    def prepare(self, participant: Participant, sink: Sink, labels: Mapping[str, str]) -> RunningParticipant: ...


class Engine(Protocol):
    """Runs participants. Everything it makes is labelled and gone after `close`, whatever happens."""

    name: str

    def describe(self) -> dict[str, str | int]:
        """Name, version, processors, memory: what a reader of the results wants to know."""

    def slot(self, number: int) -> AbstractContextManager[Slot]: ...

    def reproduction(self, spec: AttemptSpec, slot: Slot, *, names: Mapping[str, str]) -> list[str]:
        """Commands that play the spec once more without us, for a person to paste into a shell, in this order.

        :param names: what people call an image, by what the spec calls it
        """
