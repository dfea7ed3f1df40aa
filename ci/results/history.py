"""What cells came to, run after run: a line of a file for each run, so that files of two writers merge by their lines.

A line holds every cell of a run that had a conclusive result. The same run twice is one run; lines are in any order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from ci.errors import ConfigurationError
from ci.model import Outcome, ReasonCode
from ci.results.aggregate import aggregate_attempts
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.json_document import decode_as, encoded

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase
    from ci.results.records import Attempt

__all__ = ["KEPT_RUNS", "Cell", "CellHistory", "HistoryRun", "add_run", "history_of", "read_history", "runs_of"]

SCHEMA: Final = 1
# Older runs are forgotten when one is added: a year of weekly ones stays, with some to spare.
KEPT_RUNS: Final = 60
# No label rests on fewer runs with the same two images.
EVIDENCE: Final = 10
# Two-sided 95 % of the normal distribution.
_Z: Final = 1.96


class Cell(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A cell in one run.

    :param flaky: passed on a retry
    :param numbers: what it measured, by the names of the metrics
    :param images: of its two versions, in the order of the suite's roles, as positions in the run's `digests`
    """

    outcome: Outcome
    flaky: bool = False
    code: ReasonCode | None = None
    numbers: Mapping[str, float] = msgspec.field(default_factory=dict)
    images: tuple[int, ...] = ()

    @property
    def green(self) -> bool:
        return self.outcome is Outcome.PASSED and not self.flaky


class HistoryRun(Struct, frozen=True, kw_only=True, rename="camel"):
    """One line.

    :param time: when its first attempt began, RFC 3339 in UTC
    :param digests: of images, each once
    :param cells: by key
    """

    schema: int = SCHEMA
    run: str
    time: str
    suite: str
    digests: tuple[str, ...] = ()
    cells: Mapping[str, Cell]


def runs_of(merged: Merged) -> tuple[HistoryRun, ...]:
    """What is remembered: a run, and each that ran some of its cases again; the oldest first.

    What was taken over from an earlier run is no new evidence.

    :raises ConfigurationError: `no-history`: nothing in it had a result
    """
    by_run: dict[str, dict[str, tuple[MergedCase, list[Attempt]]]] = {}
    for case in merged.cases:
        for attempt in case.attempts:
            if attempt.reused is None:
                by_run.setdefault(attempt.run, {}).setdefault(case.key, (case, []))[1].append(attempt)
    found = [it for run, cases in by_run.items() if (it := _run(run, merged.suite.name, cases)) is not None]
    if not found:
        raise ConfigurationError(
            "no-history", "there is nothing to remember of this run", why="no case of it had a result"
        )
    return tuple(sorted(found, key=lambda it: (it.time, it.run)))


def _run(run: str, suite: str, cases: Mapping[str, tuple[MergedCase, list[Attempt]]]) -> HistoryRun | None:
    digests: dict[str, int] = {}
    cells = {
        key: cell for key, (case, attempts) in cases.items() if (cell := _cell(case, attempts, digests)) is not None
    }
    times = [it.started_at for key in cells for it in cases[key][1] if it.started_at]
    if not times:
        return None
    return HistoryRun(run=run, time=min(times), suite=suite, digests=tuple(digests), cells=cells)


def _cell(case: MergedCase, attempts: Sequence[Attempt], digests: dict[str, int]) -> Cell | None:
    result = aggregate_attempts(attempts)
    if result is None or not result.outcome.conclusive:
        return None
    roles = next((it.roles for it in reversed(attempts) if it.roles), {})
    images = [roles[role].image_digest for role in case.case.suite.roles if role in roles]
    known = [it for it in images if it is not None]
    return Cell(
        outcome=result.outcome,
        flaky=result.flaky is not None,
        code=None if result.reason is None else result.reason.code,
        numbers={name: round(value, 3) for name, value in result.metrics.items()},
        images=tuple(digests.setdefault(it, len(digests)) for it in known) if len(known) == len(images) else (),
    )


def read_history(path: Path) -> tuple[HistoryRun, ...]:
    """The runs of a file, the oldest first, each once; none where there is no file.

    :raises ConfigurationError: `history-malformed`, with the line
    """
    try:
        data = read_given(path)
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise ConfigurationError("history-malformed", f"cannot read {path}: {error}") from error
    runs: dict[str, HistoryRun] = {}
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            run = _parsed(line, f"{path}:{number}")
            runs.setdefault(run.run, run)
    return tuple(sorted(runs.values(), key=lambda it: (it.time, it.run)))


def _parsed(line: bytes, where: str) -> HistoryRun:
    try:
        run = decode_as(line, HistoryRun)
    except ValueError as error:
        raise ConfigurationError(
            "history-malformed",
            f"{where}: {error}",
            why="the file was edited, or a conflict was resolved by hand",
            hint="remove the line: the others stand by themselves",
        ) from error
    if run.schema != SCHEMA or any(
        it >= len(run.digests) or it < 0 for cell in run.cells.values() for it in cell.images
    ):
        raise ConfigurationError("history-malformed", f"{where}: not a line of format {SCHEMA}")
    return run


def add_run(path: Path, run: HistoryRun) -> bool:
    """Add a run, unless it is there already, and forget the oldest beyond `KEPT_RUNS`; whether it was added.

    :raises ConfigurationError: `history-malformed`, `history-file`
    """
    runs = read_history(path)
    if any(it.run == run.run for it in runs):
        return False
    kept = sorted((*runs, run), key=lambda it: (it.time, it.run))[-KEPT_RUNS:]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, b"".join(encoded(it, sort=True) + b"\n" for it in kept))
    except OSError as error:
        raise ConfigurationError("history-file", f"cannot write {path}: {error.strerror or error}") from error
    return True


@dataclass(frozen=True, kw_only=True)
class CellHistory:
    """One cell through the runs, the oldest first; None where it had no result.

    :param runs: all there are
    """

    runs: tuple[HistoryRun, ...]
    cells: tuple[Cell | None, ...]

    def last(self, *, green: bool) -> tuple[HistoryRun, Cell] | None:
        """The newest run in which it was green, or was not."""
        both = zip(reversed(self.runs), reversed(self.cells), strict=True)
        return next(((run, cell) for run, cell in both if cell is not None and cell.green is green), None)

    @property
    def same_images(self) -> tuple[Cell, ...]:
        """Its results with the two images of the newest one: only these can tell flaky from changed."""
        found = [
            (images_of(run, cell), cell) for run, cell in zip(self.runs, self.cells, strict=True) if cell is not None
        ]
        return tuple(cell for images, cell in found if images == found[-1][0]) if found else ()

    @property
    def not_green(self) -> int:
        return sum(not cell.green for cell in self.same_images)

    @property
    def is_flaky(self) -> bool | None:
        """Green and not green with the same images; None where there are too few runs to say."""
        total = len(self.same_images)
        return None if total < EVIDENCE else 0 < self.not_green < total

    @property
    def at_least(self) -> float:
        """The lower bound of the share of runs that are not green, with 95 % confidence (Wilson's interval)."""
        return lower_bound(self.not_green, len(self.same_images))

    @property
    def green_since(self) -> int:
        """How many of its newest results were green, one after the other."""
        known = [cell for cell in self.cells if cell is not None]
        return next((number for number, cell in enumerate(reversed(known)) if not cell.green), len(known))


def images_of(run: HistoryRun, cell: Cell) -> tuple[str, ...]:
    return tuple(run.digests[it] for it in cell.images)


def history_of(key: str, runs: Sequence[HistoryRun]) -> CellHistory:
    return CellHistory(runs=tuple(runs), cells=tuple(run.cells.get(key) for run in runs))


def lower_bound(count: int, total: int) -> float:
    """Of a share that was seen `count` times in `total`, what it is at least, with 95 % confidence."""
    if not total:
        return 0.0
    share = count / total
    middle = share + _Z**2 / (2 * total)
    spread = _Z * math.sqrt(share * (1 - share) / total + _Z**2 / (4 * total**2))
    return max(0.0, (middle - spread) / (1 + _Z**2 / total))


def keys_in(runs: Iterable[HistoryRun]) -> tuple[str, ...]:
    """Every cell that any of these runs has."""
    return tuple(dict.fromkeys(key for run in runs for key in run.cells))
