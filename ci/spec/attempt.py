"""What a suite asks of an engine, and what it gets back: plain data, no behaviour.

A suite describes a case as a `AttemptSpec`; an engine turns it into running programs; the runner gathers `Evidence`
and gives it back to the suite for judgement. Neither side learns the other's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
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
    """Where a Redis answers, for whoever is meant to read it."""

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
class AttemptSpec:
    """A case ready to be run: both participants, the keys they meet at, and how long it may take.

    :param listener_key: list to which the listener pushes its address
    :param dialer_key: list from which the dialer pops it
    :param deadline: seconds from the start of both sides to the verdict
    :param linger: seconds a dialer may stay alive after its result (contract, T10)
    :param farewell: seconds a dialer gets when the listener has left first (contract, T12)
    """

    case: Case
    dialer: Participant
    listener: Participant
    listener_key: str
    dialer_key: str
    deadline: float
    linger: float = 10.0
    farewell: float = 10.0

    @property
    def bridge(self) -> Bridge | None:
        if self.listener_key == self.dialer_key:
            return None
        return Bridge(source=self.listener_key, target=self.dialer_key)

    @property
    def participants(self) -> tuple[Participant, Participant]:
        return (self.listener, self.dialer)


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


class Ending(str, Enum):
    """Why the runner stopped waiting."""

    DIALER_ENDED = "dialer-ended"
    LISTENER_DIED = "listener-died"
    LINGERED = "lingered"  # the result was there, the dialer stayed
    DEADLINE = "deadline"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything one attempt left behind.

    :param ending: why the runner stopped waiting
    :param exits: how each side ended, by itself or stopped by the runner
    :param streams: what both sides wrote, by role and stream
    :param published: the values the listener pushed, as seen in Redis, in order
    :param published_by: the commands of Redis by which it did so, each once; the contract has `RPUSH`
    :param asked: the dialer asked Redis for the address
    :param received: it was given one: there when it asked or while it waited, and of the kind it asked for
    """

    ending: Ending
    exits: Mapping[Role, End]
    streams: Mapping[tuple[Role, Stream], Capture]
    published: tuple[str, ...]
    asked: bool
    elapsed: float
    published_by: tuple[str, ...] = ()
    received: bool = False

    def own_end(self, role: Role) -> End | None:
        """How this side ended by itself; None if it ran until the runner stopped it."""
        end = self.exits.get(role)
        return None if end is None or end.stopped else end
