"""The vocabulary: what is tested, what a case is, how an attempt ended. Imports nothing of this package.

Names follow the field: a *version* is one row of `versions.yaml`, a *case* one cell of a matrix. What was
measured (`Outcome`, `Reason`) is kept apart from what was expected; expectations are applied when results are
merged and never rewrite a measurement.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import ClassVar, Final, Literal, TypeAlias, get_args

__all__ = [
    "LOCAL_LANGUAGES",
    "MUXERS",
    "PAIR_OF",
    "ROLES",
    "SECURE_CHANNELS",
    "STANDALONE",
    "SUITES",
    "TEST_CASES",
    "TRANSPORTS",
    "BuildRecipe",
    "Case",
    "Contract",
    "Exercise",
    "ImageSource",
    "Outcome",
    "Params",
    "Part",
    "Proof",
    "PublishedImage",
    "Reason",
    "ReasonCode",
    "Role",
    "Side",
    "Stack",
    "SuiteName",
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

SuiteName: TypeAlias = Literal["transport", "quic", "webtransport"]
SUITES: Final[tuple[SuiteName, ...]] = get_args(SuiteName)

# Who takes part in a case: in the transport suite the first two, over a simulated network the others.
Role: TypeAlias = Literal[
    "dialer", "listener", "client", "server", "simulator", "iperf_client", "iperf_server"
]  # fmt: skip
ROLES: Final[tuple[Role, Role]] = ("dialer", "listener")
# Of the two versions of a case, the one that begins and the one that answers.
PAIR_OF: Final[Mapping[SuiteName, tuple[Role, Role]]] = {
    "transport": ROLES,
    "quic": ("client", "server"),
    "webtransport": ("client", "server"),
}

# What client and server are to show together, in the order it is run (quic-interop contract, sections 4.2 and 4.7).
TEST_CASES: Final[Mapping[SuiteName, tuple[str, ...]]] = {
    "transport": (),
    "quic": (
        "handshake", "transfer", "longrtt", "chacha20", "multiplexing", "retry", "resumption", "zerortt", "http3",
        "blackhole", "keyupdate", "ecn", "amplificationlimit", "handshakeloss", "transferloss",
        "handshakecorruption", "transfercorruption", "ipv6", "v2", "rebind-port", "rebind-addr",
        "connectionmigration", "goodput", "crosstraffic",
    ),
    "webtransport": (
        "handshake", "transfer-unidirectional-receive", "transfer-unidirectional-send",
        "transfer-bidirectional-receive", "transfer-bidirectional-send", "transfer-datagram-receive",
        "transfer-datagram-send",
    ),
}  # fmt: skip

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
    suites: tuple[SuiteName, ...] = ("transport",)
    # In the suites over a simulated network; whether a version dials or listens is said per transport.
    part: Part = "both"
    # Of the project, for readers of the results.
    url: str | None = None

    def dials(self, transport: str) -> bool:
        return any(t.name == transport for t in self.transports)

    def listens(self, transport: str) -> bool:
        return any(t.name == transport and not t.dial_only for t in self.transports)


# --- cases ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Stack:
    """What two versions talk through. Standalone transports have no secure channel and no muxer."""

    suite: ClassVar[SuiteName] = "transport"

    transport: str
    secure_channel: str | None = None
    muxer: str | None = None

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The stack's words in the order of a case's name."""
        return tuple(word for word in (self.transport, self.secure_channel, self.muxer) if word is not None)

    @property
    def layers(self) -> dict[str, str]:
        """The stack's words by the names that reports and results have for them."""
        named = {"transport": self.transport, "secureChannel": self.secure_channel, "muxer": self.muxer}
        return {name: word for name, word in named.items() if word is not None}

    def __str__(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True, order=True)
class Exercise:
    """What a client and a server are to show together, by the name it has in the contract."""

    suite: SuiteName
    name: str

    @property
    def words(self) -> tuple[str, ...]:
        return (self.name,)

    def __str__(self) -> str:
        return self.name


Params: TypeAlias = "Stack | Exercise"


@dataclass(frozen=True)
class Case:
    """One cell: two versions and what they do together. Its name is its identity (contract, section 2.2).

    :param dialer: the version that begins; over a simulated network it is called the client
    :param listener: the version that answers, the server
    """

    dialer: str
    listener: str
    params: Params

    @property
    def stack(self) -> Stack:
        """What the two talk through; only the transport suite's cases have it."""
        if isinstance(self.params, Stack):
            return self.params
        raise TypeError(f"{self.name} has no stack")

    @property
    def suite(self) -> SuiteName:
        return self.params.suite

    @cached_property
    def name(self) -> str:
        return f"{self.dialer} x {self.listener} ({self.params})"

    @cached_property
    def key(self) -> str:
        """Sixteen hex digits that join records of the same case; readers never parse a name."""
        identity = json.dumps([self.suite, self.dialer, self.listener, *self.params.words])
        return hashlib.sha256(identity.encode()).hexdigest()[:16]

    @property
    def versions(self) -> dict[Role, str]:
        """Both versions by their role, the one that begins first."""
        first, second = PAIR_OF[self.suite]
        return {first: self.dialer, second: self.listener}

    def version_of(self, role: Role) -> str:
        return self.versions[role]

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


def proof_of(params: Mapping[str, str | None], outcome: Outcome, negotiated: Mapping[str, str] | None) -> Proof | None:
    """None for what did not pass, and over a simulated network, where captures are judged instead of words.

    :param params: of the case, as JSON has them
    """
    if outcome is not Outcome.PASSED or "testCase" in params:
        return None
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


Side: TypeAlias = Role | Literal["both", "harness", "unknown"]


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
