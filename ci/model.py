"""The vocabulary: what is tested, what a case is, how an attempt ended. Imports nothing of this package.

Names follow the field: a *version* is one row of `versions.yaml`, a *case* one cell of a matrix. What was
measured (`Outcome`, `Reason`) is kept apart from what was expected; expectations are applied when results are
merged and never rewrite a measurement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final, Generic, Literal, TypeAlias, TypeVar, overload

from msgspec import Meta

__all__ = [
    "LOCAL_LANGUAGES",
    "MUXERS",
    "SECURE_CHANNELS",
    "STANDALONE",
    "TRANSPORTS",
    "BuildRecipe",
    "Case",
    "Contract",
    "Expectation",
    "Expected",
    "ImageSource",
    "Outcome",
    "Param",
    "Part",
    "Proof",
    "PublishedImage",
    "Reason",
    "ReasonCode",
    "Role",
    "Side",
    "SuiteWords",
    "Suites",
    "Transport",
    "Verdict",
    "Version",
    "proof_of",
]

# --- capability words -------------------------------------------------------------------------------------

TRANSPORTS: Final = (
    "tcp", "ws", "wss", "quic", "quic-v1", "webtransport", "webrtc", "webrtc-direct",
)  # fmt: skip
SECURE_CHANNELS: Final = ("noise", "tls", "plaintext")
MUXERS: Final = ("yamux", "mplex")

# Transports that bring their own security and streams; their cases have neither dimension
# (transport-interop contract, "standalone").
STANDALONE: Final = frozenset({"quic", "quic-v1", "webtransport", "webrtc", "webrtc-direct"})

# How a version can be made and started without a container: each stands for one way to build.
LOCAL_LANGUAGES: Final = ("python", "node", "go", "rust")

# Who takes part in a case, by the word its suite has for it: `dialer`, `server`, `simulator` …
Role: TypeAlias = Annotated[str, Meta(pattern="^[a-z][a-z_]{0,31}$")]

# Which half of a case a version can play.
Part: TypeAlias = Literal["client", "server", "both"]


class Contract(str, Enum):
    """Which generation of the container contract the runner speaks to an image."""

    CLASSIC = "classic"  # lower-case variables, key `listenerAddr`, JSON result
    UNIFIED = "unified"  # upper-case variables, key `<TEST_KEY>_listener_multiaddr`, YAML result

    __str__ = str.__str__


# --- versions ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Transport:
    """A transport a version speaks; `dial_only` where it cannot listen (a browser, mostly)."""

    name: str
    dial_only: bool = False


@dataclass(frozen=True, kw_only=True)
class BuildRecipe:
    """The image is built here: `make` in `folder` (relative to the checkout) writes `image_file`."""

    folder: str
    image_file: str = "image.json"


@dataclass(frozen=True, kw_only=True)
class PublishedImage:
    """The image is somebody else's and is pulled by `reference`."""

    reference: str


ImageSource: TypeAlias = "BuildRecipe | PublishedImage"


@dataclass(frozen=True, kw_only=True)
class Version:
    """One row of `versions.yaml`: a released implementation and what it can do."""

    id: str
    family: str
    source: ImageSource
    transports: tuple[Transport, ...]
    secure_channels: tuple[str, ...] = ()
    muxers: tuple[str, ...] = ()
    contract: Contract = Contract.CLASSIC
    # Seconds the application gives itself, sent to it as test_timeout_seconds. None: its own default.
    timeout_seconds: int | None = None
    owner: str | None = None
    # One of `LOCAL_LANGUAGES`. None: it runs in a container only.
    local: str | None = None
    # By name. What a row of `versions.yaml` does not say, its reader fills in.
    suites: tuple[str, ...] = ("transport",)
    # In the suites over a simulated network; whether a version dials or listens is said per transport.
    part: Part = "both"
    # Of the project, for readers of the results.
    url: str | None = None

    def dials(self, transport: str) -> bool:
        return any(t.name == transport for t in self.transports)

    def listens(self, transport: str) -> bool:
        return any(t.name == transport and not t.dial_only for t in self.transports)


# --- suites and cases -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Param:
    """One of the things two versions of a case have in common, such as its transport, or its test case.

    :param key: its name in JSON
    :param called: the same in sentences, `secure channel`
    :param dimension: its name in the selection language
    :param words: the values there are, in the order of the contract
    :param listed_by: the values that a version's row lists; None where every version of the suite is asked for all
    """

    key: str
    called: str
    dimension: str
    words: tuple[str, ...]
    listed_by: Callable[[Version], Iterable[str]] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class SuiteWords:
    """The words in which a suite's cases are written: in files, names, selections and messages.

    :param name: of the suite
    :param roles: of the version that begins and of the one that answers
    :param params: what a case says beside its two versions, in the order of its name
    :param example: the name of a case, for messages
    :param marker: the word in the two lines between which its dashboard stands, `<!--WORD_DASHBOARD_START-->`
    :param contract: of its images; an image follows one, so a version is in several suites only where they share it
    :param row_keys: the keys of `versions.yaml` that only versions under this contract have
    :param second_named_first: folders of evidence name the version that answers first, as the established layout does
    :param negotiated: the params are what the two sides negotiate, and each may report what that was
    :param implied: what names no suite is of this one
    :param measurements: words of the first param whose cases measure what another case beside them would change
    """

    name: str
    roles: tuple[Role, Role]
    params: tuple[Param, ...]
    example: str
    marker: str
    contract: str
    row_keys: tuple[str, ...] = ()
    second_named_first: bool = False
    negotiated: bool = False
    implied: bool = False
    measurements: frozenset[str] = frozenset()

    def case(self, first: str, second: str, *params: str | None) -> Case:
        """A case of this suite; params that are not given it does not have."""
        absent = len(self.params) - len(params)
        return Case(self, first, second, params + (None,) * absent)

    @property
    def option(self) -> list[str]:
        """The words of a command line that name it; none where it is meant without."""
        return [] if self.implied else ["--suite", self.name]

    def __str__(self) -> str:
        return self.name


# By name; the one that is implied stands first.
Suites: TypeAlias = "Mapping[str, SuiteWords]"


T = TypeVar("T")


class lazily(Generic[T]):  # noqa: N801 -- a decorator
    """A property that is worked out once, when it is first asked for.

    As `functools.cached_property`, without the lock that costs more (before Python 3.12) than what is worked out here.
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self._name = work_out.__name__
        self.__doc__ = work_out.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> lazily[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> T | lazily[T]:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._work_out(instance)
        return value


_as_json = lru_cache(maxsize=4096)(json.dumps)


@dataclass(frozen=True)
class Case:
    """One cell: two versions and what they do together. Its name is its identity (contract, section 2.2).

    :param first: the version that begins
    :param second: the version that answers
    :param params: a word for each of the suite's, None where the case has none
    """

    suite: SuiteWords
    first: str
    second: str
    params: tuple[str | None, ...]

    @lazily
    def words(self) -> tuple[str, ...]:
        """What the two do together, in the order of the case's name."""
        return self.params if None not in self.params else tuple(filter(None, self.params))  # type: ignore[return-value]

    @property
    def alone(self) -> bool:
        """It is run with nothing beside it."""
        return self.params[0] in self.suite.measurements

    @property
    def pair(self) -> tuple[str, str]:
        return self.first, self.second

    @lazily
    def name(self) -> str:
        return f"{self.first} x {self.second} ({', '.join(self.words)})"

    @lazily
    def key(self) -> str:
        """Sixteen hex digits that join records of the same case; readers never parse a name."""
        # A list in JSON, of words that thousands of cases share.
        identity = ", ".join(map(_as_json, (self.suite.name, self.first, self.second, *self.words)))
        return hashlib.sha256(f"[{identity}]".encode()).hexdigest()[:16]

    @property
    def versions(self) -> dict[Role, str]:
        """Both versions by their role, the one that begins first."""
        return dict(zip(self.suite.roles, self.pair, strict=True))

    @property
    def named_params(self) -> dict[str, str | None]:
        """The params as JSON has them."""
        return {param.key: word for param, word in zip(self.suite.params, self.params, strict=True)}

    def __str__(self) -> str:
        return self.name


# --- outcomes ---------------------------------------------------------------------------------------------


class Outcome(str, Enum):
    """What was measured in one attempt, six words and no more."""

    PASSED = "passed"
    FAILED = "failed"  # the endpoints ran, the evidence is negative
    TIMED_OUT = "timed-out"  # the deadline passed and both sides were alive
    UNSUPPORTED = "unsupported"  # the endpoint itself said so
    NOT_RUN = "not-run"  # planned, no conclusive attempt
    ERROR = "error"  # the harness or the host broke: says nothing about the implementations

    __str__ = str.__str__

    @property
    def conclusive(self) -> bool:
        """Whether the attempt says something about the two implementations."""
        return self not in (Outcome.NOT_RUN, Outcome.ERROR)


class Proof(str, Enum):
    """What says that a passed attempt's connection had the stack that was asked for."""

    PROVED = "proved"  # a side reported every layer of it, read from the live connection
    BELIEVED = "believed"  # neither side did: all that is known is that both were asked for it

    __str__ = str.__str__


def proof_of(params: Mapping[str, str | None], negotiated: Mapping[str, str] | None) -> Proof:
    """Of an attempt that passed, in a suite whose params are negotiated.

    :param params: of the case, as JSON has them
    :param negotiated: what the sides reported, by the same names
    """
    said = negotiated or {}
    proved = all(said.get(layer) == word for layer, word in params.items() if word is not None)
    return Proof.PROVED if proved else Proof.BELIEVED


class ReasonCode(str, Enum):
    """Why, from a closed list; the words are stable and may be counted."""

    # failed
    NEVER_PUBLISHED = "never-published"
    DIALER_EXIT = "dialer-exit"
    LISTENER_EXIT = "listener-exit"
    SIGNAL = "signal"
    OUT_OF_MEMORY = "out-of-memory"
    NO_RESULT = "no-result"
    BAD_RESULT = "bad-result"
    WRONG_STACK = "wrong-stack"
    CLIENT_EXIT = "client-exit"
    SERVER_EXIT = "server-exit"
    WRONG_FILES = "wrong-files"
    WRONG_TRAFFIC = "wrong-traffic"
    # unsupported
    EXIT_127 = "exit-127"
    NO_KEY_LOG = "no-key-log"
    # timed out
    BEFORE_PUBLISH = "before-publish"
    NOT_CONSUMED = "not-consumed"
    DIALING = "dialing"
    STOPPING = "stopping"
    EXCHANGING = "exchanging"
    # not run
    PLANNED_OUT = "planned-out"
    IMAGE_UNAVAILABLE = "image-unavailable"
    SHARD_MISSING = "shard-missing"
    SHARD_TRUNCATED = "shard-truncated"
    CANCELLED = "cancelled"
    BUILD_FAILED = "build-failed"
    NOT_COMPLIANT = "not-compliant"
    # error
    ENGINE_LOST = "engine-lost"
    REDIS_LOST = "redis-lost"
    CONTAINER_START = "container-start"
    ILLEGAL_INSTRUCTION = "illegal-instruction"
    SIMULATOR = "simulator"
    CAPTURE_UNREADABLE = "capture-unreadable"
    TSHARK_LATE = "tshark-late"
    NOT_JUDGED = "not-judged"
    DISK_FULL = "disk-full"
    FILES_UNWRITABLE = "files-unwritable"
    SET_ASIDE = "set-aside"
    BUG = "bug"

    __str__ = str.__str__


class Expected(str, Enum):
    """What somebody has said that a case will come to."""

    FAIL = "fail"
    FLAKY = "flaky"  # red now and then
    UNSUPPORTED = "unsupported"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What is known of some cases before they run. It never changes what is measured, only what that means.

    :param id: what reports call it
    :param select: expressions of the selection language, joined by "or"
    :param reason: why, in a sentence
    :param link: where it is discussed
    :param expires: from this day on somebody is to look again
    :param owner: whom to ask: a GitHub name or name/repository
    :param code: a red case is as expected only with this reason
    :param matches: and only where this regular expression is found in its reason or in what a side wrote
    :param place: where it stands, `versions.yaml:120`
    """

    id: str
    select: tuple[str, ...]
    expect: Expected
    reason: str | None = None
    link: str | None = None
    since: date | None = None
    expires: date | None = None
    owner: str | None = None
    code: ReasonCode | None = None
    matches: str | None = None
    place: str = ""


# A role, or `both`, `harness`, `unknown`.
Side: TypeAlias = Role


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why an attempt did not pass: a code for machines, a sentence of at most 1 KiB for people, a side.

    `phase` is where in the case's life it happened (`dialing`, `handshake` …), where that is known. `signature` is what
    it has in common with others, and is there once it has been written; see `ci.results.signature`.
    """

    code: ReasonCode
    text: str
    side: Side = "unknown"
    phase: str | None = None
    signature: str | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How one attempt is judged from its evidence.

    `metrics` holds `handshakePlusOneRTTMillis` and `pingRTTMilllis` in milliseconds, spelt as the established
    contract spells them; `warnings` are defects that did not decide (a second record, a missing `/p2p` …).
    """

    outcome: Outcome
    reason: Reason | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    negotiated: dict[str, str] | None = None
    warnings: tuple[str, ...] = ()
