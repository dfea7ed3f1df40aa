"""What the runner needs of an engine. `docker` and `local` implement it; neither knows what a test means."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci.engines.coordination import RedisCoordinator
    from ci.model import Role
    from ci.spec.attempt import AttemptSpec, Participant, Stream, Surroundings
    from ci.spec.sandbox import Sandbox

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
    """Who takes part in an attempt: created and not yet started, or running, or ended."""

    def start(self) -> None:
        """Start it; `Sink` is told everything from the first byte on. Raises `ParticipantStartError`."""

    def stop(self, timeout: float) -> None:
        """Ask it to stop, wait `timeout` seconds, then kill it. Returns once it has ended."""

    def collect(self, source: str, target: Path, *, most_bytes: int) -> bool:
        """Copy out a folder of one that has ended; whether all of it was copied.

        :raises EngineError: the engine broke, or this one has no folders
        :raises OSError: the target cannot be written
        """

    def remove(self) -> None:
        """Leave nothing of it behind."""


class Slot(Protocol):
    """A place where one case at a time runs. While it does, the participants of the next one may be prepared."""

    @property
    def generation(self) -> int:
        """Another number once something of the slot was made anew: who was prepared before cannot be started then."""

    def restore(self, *roles: Role) -> None:
        """Make anew what is not as it was made; before each attempt, so that none pays for another.

        That is what has died, and where something of the last attempt is left: sockets, addresses, rules, processes.

        :param roles: who will take part
        :raises EngineError: the engine broke
        """

    @property
    def coordinator(self) -> RedisCoordinator:
        """The Redis at which both sides meet, as the runner sees it. Raises `EngineError` where there is none."""

    @property
    def surroundings(self) -> Surroundings: ...

    def prepare(
        self, participant: Participant, sink: Sink, labels: Mapping[str, str], inputs: Mapping[str, Path]
    ) -> RunningParticipant:
        """Create a participant, not started, with its inputs in place. Called from any thread."""


class Engine(Protocol):
    """Runs participants. Everything it makes is labelled and gone after `close`, whatever happens."""

    name: str

    def describe(self) -> dict[str, str | int]:
        """Name, version, processors, memory: what a reader of the results wants to know."""

    def slot(self, number: int) -> AbstractContextManager[Slot]: ...

    def sandbox(self) -> AbstractContextManager[Sandbox]:
        """Where programs of the helper image read what participants have left; gone when the block ends.

        :raises EngineError: this engine has none, or it broke
        """

    def reproduction(
        self, spec: AttemptSpec, slot: Slot, *, names: Mapping[str, str], folder: Path | None
    ) -> list[str]:
        """Commands that run the attempt once more without us, for a person to paste into a shell, in this order.

        :param names: what people call an image, by what the spec calls it
        :param folder: holds the inputs; what the commands need besides is written there
        :raises OSError: it cannot be written
        """
