"""How a run gets on: live lines on a terminal, one plain line per finished case elsewhere.

On a terminal a red case has a line of the live view, and is printed once: by what comes after, or at the end.
Thread-safe. On a terminal the cursor is restored however the run ends, Ctrl-C included.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ci.terminal.build_progress import BuildProgress, Lines, LiveView, humane
from ci.util.text import counted, printable, root_cause

__all__ = ["OUTCOME_STYLES", "Progress", "humane"]

OUTCOME_STYLES: Final = {
    "passed": "green",
    "flaky": "yellow",
    "failed": "red",
    "timed-out": "red",
    "unsupported": "bright_black",
    "not-run": "dim",
    "error": "magenta",
}
# Of these the last attempt is what counts, and it is told when all have run.
_HELD: Final = frozenset({"flaky", "failed", "timed-out", "error"})
_MOST_HELD: Final = 5


class Progress(LiveView):
    """Of one run; use it as a context manager.

    :param total: attempts expected; more may come (`again`) when red cases are retried
    :param workers: how many cases run at once; 0 where that changes
    :param expected: seconds that each case took before, by its name; the longest come first, so the mean of those that
        are through says little about the others
    :param alone: names of those that run one at a time
    :param clock: monotonic, in seconds
    """

    def __init__(
        self,
        console: Lines,
        total: int,
        workers: int,
        *,
        expected: Mapping[str, float] = MappingProxyType({}),
        alone: Collection[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(console)
        self._clock = clock
        self._total = total
        self._done = 0
        self._skipped = 0  # of these, without taking time
        self._taken = 0.0  # seconds, of all that ran
        self._left = dict(expected)  # of those that have not run yet
        self._alone = set(alone)  # and may yet run
        self._foreseen = 0.0  # seconds, of all that ran
        self._images: Collection[Future[Any]] = ()
        self._builds = BuildProgress(console, clock=clock)
        self._running: dict[int, tuple[str, float]] = {}
        self._workers = workers
        self._outcomes: Counter[str] = Counter()
        self._held: dict[str, tuple[str, str, str]] = {}  # by case: outcome, the line's beginning, note
        # Two locks: the live display reads the state under a lock of its own, which printing needs too.
        self._state = threading.Lock()
        self._printing = threading.Lock()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for name, (outcome, head, note) in self._held.items():
            self._console.info(f"{head}  {_with_note(name, note)}", style=OUTCOME_STYLES[outcome])

    def listed_later(self) -> None:
        """The red cases are about to be listed by somebody else."""
        with self._state:
            self._held.clear()

    def awaits(self, images: Collection[Future[Any]]) -> None:
        """What cases run with: as long as some are not there, the rest of the time is unknown."""
        self._images = images

    def building(self, name: str, log: Path) -> AbstractContextManager[None]:
        """See `ci.images.base.Watch`."""
        return self._builds.building(name, log)

    def again(self, count: int) -> None:
        """So many red cases are tried once more, one after the other."""
        with self._state:
            self._total += count
            self._workers = 1
        self._console.info(f"{counted(count, 'red cell')} again, alone")

    def alone(self) -> None:
        """What is left are measurements, one after the other."""
        with self._state:
            self._workers = 1
            count = len(self._alone)
        if count:
            self._console.info(f"{counted(count, 'measurement')}, with nothing beside")

    def never(self, names: Iterable[str]) -> None:
        """These will take no time, though they have no result yet: an image of theirs is not there."""
        with self._state:
            for name in names:
                self._left.pop(name, None)
                self._alone.discard(name)

    def started(self, worker: int, name: str) -> None:
        """A worker begins with a case."""
        with self._state:
            self._running[worker] = (printable(name), self._clock())

    def finished(self, worker: int, name: str, outcome: str, seconds: float, note: str = "") -> None:
        """A worker is done with a case.

        :param outcome: one of the six outcomes, or `flaky`
        :param note: why it is not green
        """
        name, note, outcome = printable(name), printable(note), printable(outcome)
        with self._printing:
            with self._state:
                at_once = max(1, len(self._running))
                _, since = self._running.pop(worker, ("", self._clock() - seconds))
                self._taken += self._clock() - since
                self._foreseen += self._left.pop(name, 0.0)
                self._done += 1
                self._outcomes[outcome] += 1
                total = max(self._total, self._done)
                count = f"[{self._done:>{len(str(total))}}/{total}]"
                eta = self._eta(at_once)
                # A terminal shows what is green as a number, and what is red in the live view.
                if self._live is not None and outcome in _HELD:
                    # A case counts once, with its last attempt.
                    if (earlier := self._held.pop(name, None)) is not None:
                        self._outcomes[earlier[0]] -= 1
                    self._held[name] = (outcome, f"{outcome:<11} {seconds:>5.1f} s", note)
            if self._live is None or outcome not in {*_HELD, "passed"}:
                line = f"{count} {outcome:<11} {seconds:>5.1f} s  {eta:<10}  {_with_note(name, note)}"
                self._console.info(line, style=OUTCOME_STYLES.get(outcome, ""))

    def skipped(self, name: str, text: str = "") -> None:
        """A case has a result without having been run; `text` says why, where that has not been said before."""
        with self._printing:
            with self._state:
                self._left.pop(name, None)
                self._done += 1
                self._skipped += 1
                self._outcomes["not-run"] += 1
            if text:
                self._console.info(f"not run: {printable(text)}", style=OUTCOME_STYLES["not-run"])

    def _eta(self, at_once: int) -> str:
        """The time to go at the pace so far, which cases alone have made; builds and pulls come on top of it."""
        ran = self._done - self._skipped
        missing = sum(not image.done() for image in self._images)
        at_once = self._workers or at_once
        if self._foreseen and self._left:
            alone = sum(seconds for name, seconds in self._left.items() if name in self._alone)
            others = sum(self._left.values()) - alone
            seconds = (others / at_once + alone) * self._taken / self._foreseen
        else:
            seconds = self._taken / max(1, ran) * max(0, self._total - self._done) / at_once
        there = humane(seconds) if ran else ""
        images = counted(missing, "image") if missing else ""
        if not there:
            return images and f"{images} to come"
        return f"eta {there}{images and f' + {images}'}"

    def _display(self) -> RenderableType:
        with self._state:
            now = self._clock()
            running = dict(self._running)
            done, total = self._done, max(self._total, self._done)
            outcomes = self._outcomes.copy()
            eta = self._eta(max(1, len(running)))
            waiting = any(not image.done() for image in self._images)
            held = list(self._held.items())
        lines: list[RenderableType] = []
        for name, (outcome, head, note) in held[-_MOST_HELD:]:
            lines.append(self._row(f"  {head}  {_with_note(name, root_cause(note))}", OUTCOME_STYLES[outcome]))
        if len(held) > _MOST_HELD:
            lines.append(self._row(f"  and {len(held) - _MOST_HELD} before them", "dim"))
        if (builds := self._builds.rows()) is not None:
            lines.append(builds)
        for worker in sorted({*range(self._workers), *running}):
            name, since = running.get(worker, ("", now))
            text = f"  {name}  {humane(now - since)}" if name else "  waits for an image" if waiting else "  idle"
            lines.append(self._row(text, "" if name else "dim"))
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            # No colour of an outcome: what is done may be red or green.
            ProgressBar(total=max(total, 1), completed=done, width=30, complete_style="cyan", finished_style="cyan"),
            f"{done}/{total}",
            eta,
            _counts(outcomes),
        )
        return Group(*lines, bar)

    def _row(self, text: str, style: str) -> Text:
        return Text(self._console.encodable(text), no_wrap=True, overflow="ellipsis", style=style)


def _with_note(name: str, note: str) -> str:
    return f"{name}: {note}" if note else name


def _counts(outcomes: Counter[str]) -> Text:
    text = Text()
    for outcome in [*OUTCOME_STYLES, *sorted(outcomes.keys() - OUTCOME_STYLES.keys())]:
        if outcomes[outcome]:
            text.append(f"{outcomes[outcome]} {outcome}  ", style=OUTCOME_STYLES.get(outcome, ""))
    return text
