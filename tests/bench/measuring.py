"""Figures that mean something on a noisy host: what is compared is measured by turns, in one run, several times."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Bar", "Cost", "Section", "Spread", "Table", "at_least", "at_most", "by_turns", "costs", "ratios", "spread"]


@dataclass(frozen=True)
class Spread:
    """A figure that was measured several times: its median, the lowest and the highest."""

    median: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        digits = 0 if self.median >= 100 else 2 if self.median < 10 else 1
        return f"{self.median:.{digits}f} ({self.low:.{digits}f} to {self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    return Spread(statistics.median(values), min(values), max(values), len(values))


def ratios(some: Sequence[float], others: Sequence[float]) -> Spread:
    """Of what was measured in the same turn, one after the other."""
    return spread([one / other for one, other in zip(some, others, strict=True)])


@dataclass
class Cost:
    """Seconds by the clock, and of all processors of the host together.

    :param running: by the clock, without what comes before the first case and after the last one
    """

    wall: float = 0.0
    cpu: float = 0.0
    running: float = 0.0


@contextmanager
def costs() -> Iterator[Cost]:
    """What the block costs: engine, containers and kernel included, and whatever else the host does meanwhile."""
    cost, wall, cpu = Cost(), time.monotonic(), _busy_seconds()
    yield cost
    cost.wall, cost.cpu = time.monotonic() - wall, _busy_seconds() - cpu


def _busy_seconds() -> float:
    ticks = [int(it) for it in Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def by_turns(ways: Mapping[str, Callable[[], Cost]], repetitions: int) -> dict[str, list[Cost]]:
    """Each way once, then each again: what the host does meanwhile hits all of them."""
    found: dict[str, list[Cost]] = {name: [] for name in ways}
    for turn in range(repetitions):
        # By turns from the front and from the back, so that none always comes after the same other one.
        for name, way in list(ways.items())[:: 1 if turn % 2 == 0 else -1]:
            found[name].append(way())
    return found


@dataclass(frozen=True, kw_only=True)
class Table:
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a figure should be. At least or at most so much."""

    what: str
    wanted: str
    got: float
    shown: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def met(self) -> bool:
        return (self.at_least is None or self.got >= self.at_least) and (
            self.at_most is None or self.got <= self.at_most
        )


def at_most(what: str, limit: float, unit: str, got: float, shown: str) -> Bar:
    return Bar(what=what, wanted=f"≤ {limit:g} {unit}", got=got, shown=f"{shown} {unit}", at_most=limit)


def at_least(what: str, limit: float, unit: str, got: float, shown: str) -> Bar:
    return Bar(what=what, wanted=f"≥ {limit:g} {unit}", got=got, shown=f"{shown} {unit}", at_least=limit)


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one benchmark found.

    :param plot: by the name of a line, its points
    :param axes: what the plot's two axes show; none: there is no plot
    """

    letter: str
    title: str
    method: str
    tables: tuple[Table, ...]
    bars: tuple[Bar, ...] = ()
    plot: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    axes: tuple[str, str] | None = None
