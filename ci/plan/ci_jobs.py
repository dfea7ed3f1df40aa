"""How many jobs of a CI provider should share a run, from how long its cases take and what a job may use."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ci.util.text import counted

__all__ = ["Demand", "JobLimits", "ShardChoice", "choose_shards"]


@dataclass(frozen=True, kw_only=True)
class JobLimits:
    """What a CI provider gives, and what people wait for. The defaults are those of GitHub's own runners.

    :param minutes: that a shard should take at most
    :param most_minutes: after which a job is ended
    :param jobs: of one matrix; GitHub has none of more than 256
    :param disk_bytes: that are free when a job begins
    :param workers: cases at once in a job
    :param start_seconds: from the begin of a job to its first case, images aside: checkout, Python, base
    :param bytes_per_second: at which images are fetched
    """

    minutes: float = 15.0
    most_minutes: float = 110.0
    jobs: int = 256
    disk_bytes: float = 14e9
    workers: int = 2
    start_seconds: float = 90.0
    bytes_per_second: float = 40e6


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a suite asks for.

    :param longest: seconds of its longest case
    :param load: seconds of cases in the fullest shard, one after the other, given how many shards there are
    :param image_bytes: of all its images, unpacked; a shard has cases of nearly all versions
    :param wanted: how many shards somebody asked for
    """

    name: str
    cases: int
    longest: float
    load: Callable[[int], float]
    image_bytes: float
    wanted: int | None = None


@dataclass(frozen=True, kw_only=True)
class ShardChoice:
    """:param seconds: that the fullest shard will take, everything included

    :param why: in a sentence
    :param warnings: what will not do, in sentences
    """

    count: int
    seconds: float
    why: str
    warnings: tuple[str, ...] = ()


def choose_shards(demands: Sequence[Demand], limits: JobLimits) -> tuple[ShardChoice, ...]:
    """For each suite as few shards as keep to the minutes; where that takes more jobs than there are, to more minutes.

    The same demands and limits make the same choice, wherever it is made.
    """
    minutes = limits.minutes
    while True:
        counts = [it.wanted or _fewest(it, minutes, limits) for it in demands]
        if sum(counts) <= limits.jobs or all(
            it.wanted or count == 1 for it, count in zip(demands, counts, strict=True)
        ):
            break
        minutes *= 1.1
    return tuple(_choice(it, count, minutes, limits) for it, count in zip(demands, counts, strict=True))


def _fewest(demand: Demand, minutes: float, limits: JobLimits) -> int:
    room = minutes * 60 - _start(demand, limits)
    if room <= 0 or demand.longest >= room:
        # No number of shards keeps to it: as many as there is work for, each as long as the longest case.
        room = max(demand.longest, 60.0)
    count = max(1, math.floor(demand.load(1) / limits.workers / room))
    while count < min(limits.jobs, demand.cases) and _running(demand, count, limits) > room:
        count += 1
    return min(count, limits.jobs, demand.cases)


def _start(demand: Demand, limits: JobLimits) -> float:
    return limits.start_seconds + demand.image_bytes / limits.bytes_per_second


def _running(demand: Demand, count: int, limits: JobLimits) -> float:
    return max(demand.longest, demand.load(count) / limits.workers)


def _choice(demand: Demand, count: int, minutes: float, limits: JobLimits) -> ShardChoice:
    running, start = _running(demand, count, limits), _start(demand, limits)
    seconds = running + start
    if demand.wanted:
        reason = "as asked for"
    elif minutes > limits.minutes:
        reason = f"{limits.minutes:g} min would take more than the {limits.jobs} jobs of a matrix, so {minutes:.0f} min"
    else:
        reason = f"so that none takes more than {limits.minutes:g} min"
    why = (
        f"{counted(demand.cases, 'case')} in {counted(count, 'shard')}, {reason}: {running / 60:.1f} min of cases with "
        f"{counted(limits.workers, 'worker')}, and {start / 60:.1f} min to start and to fetch "
        f"{demand.image_bytes / 1e9:.1f} GB of images"
    )
    warnings = []
    if seconds > limits.most_minutes * 60:
        warnings.append(f"a shard will take {seconds / 60:.0f} min, and a job is ended after {limits.most_minutes:g}")
    if demand.image_bytes > limits.disk_bytes:
        warnings.append(
            f"the images take {demand.image_bytes / 1e9:.1f} GB, and a job has {limits.disk_bytes / 1e9:.1f} GB of "
            "disk: select fewer versions"
        )
    return ShardChoice(count=count, seconds=seconds, why=f"{demand.name}: {why}", warnings=tuple(warnings))
