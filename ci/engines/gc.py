"""What runs have left behind, and the rule that says which of it may go. Nothing here looks or removes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from ci.errors import ConfigurationError

__all__ = ["Kind", "Leftover", "Owner", "Place", "Rule", "age_words", "parse_age"]

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw])", re.ASCII)


class Kind(str, Enum):
    """What a leftover is."""

    CONTAINER = "container"
    NETWORK = "network"
    VOLUME = "volume"
    IMAGE = "image"
    CACHE = "cache"  # a toolchain or a build on this host's disk, or what it was downloaded to
    SCRATCH = "scratch"  # a run's private folder

    __str__ = str.__str__


class Owner(str, Enum):
    """What is known of the process that made a thing."""

    ALIVE = "alive"
    GONE = "gone"
    UNKNOWN = "unknown"  # it named itself and ran elsewhere, or did not name itself where it should have
    SHARED = "shared"  # made for later runs

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something this project made.

    :param name: for people
    :param handle: by which it is removed: an id, a tag, a path
    :param age: seconds since it was made, or last used where that is known; None: it does not say
    :param size: bytes, where that is known; things that share content each count it
    :param host: where its owner ran, if it names one
    :param needed: why it has to stay whatever its age; empty where nothing is known to need it
    """

    kind: Kind
    name: str
    handle: str
    age: float | None
    size: int | None = None
    owner: Owner
    host: str = ""
    needed: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Which leftovers go.

    :param older_than: seconds
    :param other_hosts: also those of processes that ran on other hosts, of which this one cannot know the end
    :param lives: a run lives that may use what is shared
    """

    older_than: float
    other_hosts: bool = False
    lives: bool = False

    def keeps(self, it: Leftover) -> str | None:
        """Why it stays; None if it goes."""
        reason = None
        if it.owner is Owner.ALIVE:
            reason = "its run lives"
        elif it.needed:
            reason = it.needed
        elif it.age is None:
            reason = "its age is not known"
        elif it.age < self.older_than:
            reason = f"younger than {age_words(self.older_than)}"
        elif it.owner is Owner.UNKNOWN and not self.other_hosts:
            reason = "its run was on another host, in another container, or before a restart (--other-hosts)"
        elif it.owner is Owner.SHARED and self.lives:
            reason = "a run lives that may use it"
        return reason


class Place(Protocol):
    """Where leftovers are."""

    def find(self) -> Sequence[Leftover]:
        """Everything of ours there, living or not. Raises `EngineError`."""

    def remove(self, it: Leftover) -> None:
        """Raises `EngineError` where it cannot be removed."""


def parse_age(text: str) -> float:
    """Seconds of `90m`, `24h`, `7d`, `1.5h`; `s`, `m`, `h`, `d` and `w` are understood.

    :raises ConfigurationError: anything else
    """
    match = _AGE.fullmatch(text.strip().lower())
    if match is None:
        raise ConfigurationError(
            "bad-age",
            f"`{text[:40]}` is no age",
            why="an age is a number and one of s, m, h, d, w",
            hint="write it like `90m`, `24h` or `7d`",
        )
    return float(match[1]) * _UNITS[match[2]]


def age_words(seconds: float) -> str:
    """`90 s`, `40 min`, `24 h`, `12 d`: rounded down, so that nothing looks older than it is."""
    for limit, unit, word in ((120, 1, "s"), (7200, 60, "min"), (172800, 3600, "h")):
        if seconds < limit:
            return f"{math.floor(max(0.0, seconds) / unit)} {word}"
    return f"{math.floor(seconds / 86400)} d"
