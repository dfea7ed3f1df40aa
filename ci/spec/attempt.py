"""What a suite asks of an engine, and what it gets back: plain data, no behaviour.

A suite describes an attempt as an `AttemptSpec`; an engine turns it into running programs; the runner gathers
`Evidence` and gives it back to the suite for judgement. Neither side learns the other's business.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Final, Literal, TypeAlias

from ci.model import Case, Role
from ci.spec.capture import Capture

__all__ = [
    "CLASSIC_REDIS",
    "REDIS_PASSWORD",
    "SIDES",
    "Address",
    "AttemptSpec",
    "Bridge",
    "Coordination",
    "End",
    "Ending",
    "Evidence",
    "Limits",
    "Participant",
    "Stream",
    "Surroundings",
]

# Who meets at a Redis.
SIDES: Final[tuple[Role, Role]] = ("dialer", "listener")

Stream: TypeAlias = Literal["stdout", "stderr"]
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one participant may use. Log limits bound what is kept, not what the participant may print."""

    memory_bytes: int = 1024 * MIB
    processes: int = 512
    log_bytes: int = 2 * MIB
    disk_bytes: int = 2048 * MIB


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a Redis answers, as one side sees it: the runner, or the participants."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


# Where existing images look for Redis when they are told nothing (contract, section 1.1).
CLASSIC_REDIS: Final = Address(host="redis", port=6379)
# The variable that holds what Redis asks for, in both generations. Its value is nobody else's business.
REDIS_PASSWORD: Final = "REDIS_PASSWORD"  # noqa: S105 -- its name


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What an engine offers to the participants of a case.

    :param redis: where the participants, not the runner, reach Redis
    :param redis_password: what Redis asks them for; None where their network is theirs alone
    :param listen_ip: the address a listener is told to bind
    :param shared_loopback: both sides live on one loopback interface
    """

    redis: Address = CLASSIC_REDIS
    redis_password: str | None = None
    listen_ip: str = "0.0.0.0"  # noqa: S104 -- inside a namespace of its own, as the contract has it
    shared_loopback: bool = False


@dataclass(frozen=True, kw_only=True)
class Participant:
    """One side of a case: what to run and with which variables."""

    role: Role
    version: str
    image: str
    environment: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """Both sides use different Redis keys: whatever the listener does to `source` is done to `target`."""

    source: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Coordination:
    """How dialer and listener meet: at a Redis, each with a key of its own.

    :param listener_key: list to which the listener pushes its address
    :param dialer_key: list from which the dialer pops it
    :param dialer_exit_timeout: seconds a dialer may stay alive after its result (contract, T10)
    :param dialer_alone_timeout: seconds a dialer gets when the listener has left first (contract, T12)
    """

    listener_key: str
    dialer_key: str
    dialer_exit_timeout: float = 10.0
    dialer_alone_timeout: float = 10.0

    @property
    def bridge(self) -> Bridge | None:
        if self.listener_key == self.dialer_key:
            return None
        return Bridge(source=self.listener_key, target=self.dialer_key)


@dataclass(frozen=True, kw_only=True)
class AttemptSpec:
    """One attempt, ready to be run: who takes part, how they meet, what they are given, and how long it may take.

    :param participants: in the order in which their lines are shown
    :param deadline: seconds from the start of the endpoints until the runner stops waiting
    :param stop_timeout: seconds that participants still running then have to end by themselves
    :param coordination: where both sides meet at a Redis. Without it the first participant to end ends the attempt
    :param outer: of the participants, who is started before the others and stopped after them: what stands between the
        endpoints, so that what it has recorded outlives them
    :param inputs: per role, folders of this machine by where in the container their content is put before the start
    :param outputs: per role, folders of the container and where their content is kept after the end, relative to the
        folder of the attempt
    :param output_bytes: what is kept of each of these
    :param delivered: pairs of the name of an input and the name of an output that hold the same files where all has
        arrived
    """

    case: Case
    participants: tuple[Participant, ...]
    deadline: float
    stop_timeout: float
    coordination: Coordination | None = None
    outer: tuple[Role, ...] = ()
    inputs: Mapping[Role, Mapping[str, Path]] = field(default_factory=dict)
    outputs: Mapping[Role, Mapping[str, str]] = field(default_factory=dict)
    output_bytes: int = 512 * MIB
    delivered: tuple[tuple[str, str], ...] = ()

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(participant.role for participant in self.participants)

    def participant(self, role: Role) -> Participant:
        return next(participant for participant in self.participants if participant.role == role)

    def changed(self, *participants: Participant) -> AttemptSpec:
        """The same with these participants in the place of those in their roles."""
        new = {participant.role: participant for participant in participants}
        return replace(self, participants=tuple(new.get(it.role, it) for it in self.participants))


@dataclass(frozen=True, kw_only=True)
class End:
    """How one participant ended.

    :param at: seconds since the case started
    :param exit_code: as the engine reports it; 128 + n where a signal ended the program
    :param out_of_memory: the kernel killed it for exceeding its limit
    :param stopped: the runner had asked it to stop before it ended
    """

    at: float
    exit_code: int
    out_of_memory: bool = False
    stopped: bool = False

    @property
    def signal(self) -> int | None:
        """The signal that ended the program, by the convention of 128 + n; None for an ordinary exit."""
        return self.exit_code - 128 if 128 < self.exit_code <= 128 + 64 else None

    @property
    def how(self) -> str:
        """The rest of a sentence that begins with who it was: `exited 1`, `was killed by signal 11 (SIGSEGV)`."""
        if self.out_of_memory:
            return "ran out of memory"
        if self.signal is None:
            return f"exited {self.exit_code}"
        names = {number.value: number.name for number in signal.Signals}
        name = f" ({names[self.signal]})" if self.signal in names else ""
        return f"was killed by signal {self.signal}{name}"


class Ending(str, Enum):
    """Why the runner stopped waiting."""

    # Where both sides meet at a Redis.
    DIALER_ENDED = "dialer-ended"
    LISTENER_DIED = "listener-died"
    LINGERED = "lingered"  # the result was there, the dialer stayed
    # Where the first end is the end of the attempt.
    FIRST_ENDED = "first-ended"
    DEADLINE = "deadline"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything one attempt left behind, beside the folders that were gathered.

    :param ending: why the runner stopped waiting
    :param first: who had ended first by then, if anybody had
    :param exits: how each ended, by itself or stopped by the runner
    :param streams: what everybody wrote, by role and stream
    :param elapsed: seconds until the runner stopped waiting
    :param published: the values the listener pushed, as seen in Redis, in order
    :param published_by: the commands of Redis by which it did so, each once; the contract has `RPUSH`
    :param asked: the dialer asked Redis for the address
    :param received: it was given one: there when it asked or while it waited, and of the kind it asked for
    :param meeting: what was seen at Redis, a line for each event
    :param cut: outputs of which not everything could be kept, by role
    """

    ending: Ending
    first: Role | None = None
    exits: Mapping[Role, End]
    streams: Mapping[tuple[Role, Stream], Capture]
    elapsed: float
    published: tuple[str, ...] = ()
    published_by: tuple[str, ...] = ()
    asked: bool = False
    received: bool = False
    meeting: Capture | None = None
    cut: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)

    def own_end(self, role: Role) -> End | None:
        """How this side ended by itself; None if it ran until the runner stopped it."""
        end = self.exits.get(role)
        return None if end is None or end.stopped else end
