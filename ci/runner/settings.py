"""How a shard is run, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci.runner.retry import RETRY_CASES, RETRY_SECONDS

if TYPE_CHECKING:
    from ci.errors import EngineError
    from ci.images.base import Unavailable
    from ci.model import Expectation, Outcome, Reason
    from ci.results.reuse import Reusable

__all__ = ["Settings", "Summary"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a shard is run.

    :param workers: cases under way at once; `ci.runner.workers.AUTO`: as many as the host has room for
    :param overlap: a case's participants are created while the one before it runs
    :param retries: how often a red case is tried again, alone, at the end
    :param retry_cases: how many of them at most, in the whole shard
    :param retry_seconds: for how long; what is under way then is brought to its end
    :param confirm: how often a case that passed although it was expected to fail is run again, alone
    :param expected: what is known of cases, by key; what fails as foreseen is not tried again
    :param replaces: in a re-run: the attempt that a case's is to replace, by key, where it has one
    :param reusable: results of an earlier run; where a case has equal inputs, it is not run
    :param verify: run it all the same, and say where that came to something else
    :param repro: the command that repeats one case, given its name
    """

    workers: int
    overlap: bool = True
    retries: int = 1
    retry_cases: int = RETRY_CASES
    retry_seconds: float = RETRY_SECONDS
    confirm: int = 0
    expected: Mapping[str, Expectation] = field(default_factory=dict)
    replaces: Mapping[str, str] = field(default_factory=dict)
    reusable: Reusable = field(default_factory=dict)
    verify: bool = False
    repro: Callable[[str], str] = 'nox -s repro -- "{}"'.format


@dataclass
class Summary:
    """What a shard came to.

    `left` counts the cases without a result; `lost` is the trouble of engine or disk that ended it early, if any;
    `first_at` is when the first case was done, by the monotonic clock.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reasons: dict[str, Reason | None] = field(default_factory=dict)
    unrunnable: dict[str, Unavailable] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left: int = 0
    lost: EngineError | None = None
    cancelled: bool = False
    first_at: float | None = None
