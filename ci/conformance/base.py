"""The words of `check-image`: facts about an image, small questions to them, findings.

Two kinds of demand: *must* is what the container contract says, *should* is what this project asks on top of it
(docs/image-contracts.md). A question looks at facts alone; how they were come by is the laboratory's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from ci.model import Contract, Outcome, Role, Verdict
from ci.runner.probe import Trace
from ci.spec import last_log_line
from ci.spec.attempt import Evidence
from ci.suites.transport.words import Stack

__all__ = [
    "Acceptance",
    "Answer",
    "Behaviour",
    "Check",
    "Experiment",
    "Finding",
    "ImageFacts",
    "Level",
    "Report",
    "Result",
    "RoundTrip",
    "Serving",
    "Status",
    "count",
    "last_line",
]

F = TypeVar("F")


# --- what comes out ---------------------------------------------------------------------------------------


class Level(str, Enum):
    """Who demands it."""

    MUST = "must"  # the container contract
    SHOULD = "should"  # this project

    __str__ = str.__str__


class Status(str, Enum):
    """What became of one check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is not as it should be, why that matters, what to do about it."""

    what: tuple[str, ...]
    why: str
    hint: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """One check of one image.

    :param contract: the generation it was made with; None where that plays no part
    :param note: something measured, or why it was skipped
    :param section: of docs/image-contracts.md
    """

    code: str
    level: Level
    title: str
    section: str
    contract: Contract | None
    status: Status
    finding: Finding | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a question found: nothing wrong, sentences that say what is wrong, or a reason not to ask."""

    wrong: tuple[str, ...] = ()
    note: str = ""
    skipped: bool = False


@dataclass(frozen=True, kw_only=True)
class Check(Generic[F]):
    """One demand on an image; `ask` looks at the facts, all else is for the reader."""

    code: str
    level: Level
    title: str
    section: str
    why: str
    hint: str
    ask: Callable[[F], Answer]

    def result(self, facts: F, contract: Contract | None = None) -> Result:
        answer = self.ask(facts)
        status = Status.FAILED if answer.wrong else Status.PASSED
        return Result(
            code=self.code,
            level=self.level,
            title=self.title,
            section=self.section,
            contract=contract,
            status=Status.SKIPPED if answer.skipped else status,
            finding=Finding(what=answer.wrong, why=self.why, hint=self.hint) if answer.wrong else None,
            note=answer.note,
        )


# --- what goes in -----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ImageFacts:
    """What the engine knows of an image without running it.

    :param host_architecture: of the engine, in the words of image manifests (`amd64`)
    :param size: in bytes
    """

    reference: str
    digest: str
    architecture: str
    host_architecture: str
    user: str
    entrypoint: tuple[str, ...]
    size: int


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """How both roles took to a stack when each was merely started with it.

    :param listens: it published an address
    :param dials: it asked for an address
    :param traces: by role, what they left behind
    """

    stack: Stack
    listens: bool
    dials: bool
    traces: Mapping[Role, Trace]

    def accepted(self, role: Role) -> bool:
        """Whether this role took to the stack."""
        return self.listens if role == "listener" else self.dials


@dataclass(frozen=True, kw_only=True)
class RoundTrip:
    """The image dialing itself, and how that was judged.

    :param peer: another image listened in its place
    """

    stack: Stack
    evidence: Evidence
    verdict: Verdict
    peer: bool = False

    @property
    def passed(self) -> bool:
        return self.verdict.outcome is Outcome.PASSED


@dataclass(frozen=True, kw_only=True)
class Serving:
    """One listener met by two dialers, one after the other, and then asked to stop.

    :param stopping: seconds from SIGTERM to its end; None where it had left before
    """

    listener: Trace
    dialers: tuple[Trace, ...]
    stopping: float | None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Participants started in an odd environment.

    :param timeout: what they were told, in seconds
    :param limit: how long they were watched, in seconds
    """

    traces: tuple[Trace, ...]
    timeout: float
    limit: float


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """Everything seen of an image under one generation of the contract.

    :param expected: which role must take which stack, because somebody said it does
    :param timeout: seconds a role had to take to a stack
    :param experiments: by the code of the check that looks at them
    """

    contract: Contract
    expected: frozenset[tuple[Stack, Role]]
    timeout: float
    acceptance: tuple[Acceptance, ...]
    trips: tuple[RoundTrip, ...] = ()
    serving: Serving | None = None
    experiments: Mapping[str, Experiment] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was learnt about one image."""

    image: ImageFacts
    behaviours: tuple[Behaviour, ...]
    results: tuple[Result, ...]

    def count(self, status: Status, level: Level | None = None) -> int:
        return count(self.results, status, level)

    @property
    def passed(self) -> bool:
        """Whether the image keeps the contract; what this project recommends does not decide."""
        return self.count(Status.FAILED, Level.MUST) == 0


def count(results: Iterable[Result], status: Status, level: Level | None = None) -> int:
    """How many of these ended like that; of one level, or of any."""
    return sum(1 for result in results if result.status is status and level in (None, result.level))


def last_line(trace: Trace) -> str:
    """The last line a participant wrote to stderr, else to stdout, cut to a length fit for a sentence."""
    words = last_log_line.last_line(trace.stderr, trace.stdout, most=300)
    return f"its last line: {words}" if words else "it wrote nothing"
