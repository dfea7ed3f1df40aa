"""How a run gets on: live lines on a terminal, one plain line per finished case elsewhere.

Thread-safe. On a terminal the cursor is restored however the run ends, Ctrl-C included.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from ci.text import printable

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


def humane(seconds: float) -> str:
    """A duration as people say it: `42 s`, `3 min`, `1 h 05 min`."""
    seconds = max(0.0, seconds)
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


class Lines(Protocol):
    """What progress needs of a console."""

    terminal: bool
    rich: Console

    def info(self, text: str, *, style: str = "") -> None: ...
    def encodable(self, text: str) -> str: ...


class Progress:
    """Of one run; use it as a context manager.

    :param total: attempts expected; more may come (`expect`) when red cases are retried
    :param workers: how many cases run at once
    :param clock: monotonic, in seconds
    """

    def __init__(
        self,
        console: Lines,
        total: int,
        workers: int,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._clock = clock
        self._total = total
        self._done = 0
        self._skipped = 0  # of these, settled without taking time
        self._began = clock()
        self._running: dict[int, tuple[str, float]] = {}
        self._workers = workers
        self._outcomes: Counter[str] = Counter()
        # Two locks: the live display reads the state under a lock of its own, which printing needs too.
        self._state = threading.Lock()
        self._printing = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        self._began = self._clock()
        if self._console.terminal:
            self._live = Live(
                console=self._console.rich,
                get_renderable=self._display,
                refresh_per_second=8,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def expect(self, more: int) -> None:
        """Further attempts have been queued."""
        with self._state:
            self._total += more

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
                self._running.pop(worker, None)
                self._done += 1
                self._outcomes[outcome] += 1
                total = max(self._total, self._done)
                count = f"[{self._done:>{len(str(total))}}/{total}]"
                eta = humane(self._remaining())
            # A terminal shows what is green as a number; what is not stays on the screen.
            if self._live is not None and outcome == "passed":
                return
            line = f"{count} {outcome:<11} {seconds:>5.1f} s  eta {eta:<6}  {name}"
            self._console.info(f"{line}: {note}" if note else line, style=OUTCOME_STYLES.get(outcome, ""))

    def skipped(self, text: str = "") -> None:
        """A case is settled without having been run; `text` says why, where that has not been said before."""
        with self._printing:
            with self._state:
                self._done += 1
                self._skipped += 1
                self._outcomes["not-run"] += 1
            if text:
                self._console.info(f"not run: {printable(text)}", style=OUTCOME_STYLES["not-run"])

    def _remaining(self) -> float:
        """Seconds to go at the pace so far."""
        ran = self._done - self._skipped
        if not ran:
            return 0.0
        return (self._clock() - self._began) / ran * max(0, self._total - self._done)

    def _display(self) -> RenderableType:
        with self._state:
            now = self._clock()
            running = dict(self._running)
            done, total = self._done, max(self._total, self._done)
            outcomes = self._outcomes.copy()
            eta = f"eta {humane(self._remaining())}" if done > self._skipped else ""
        lines: list[RenderableType] = []
        for worker in sorted({*range(self._workers), *running}):
            name, since = running.get(worker, ("", now))
            text = f"  {name}  {humane(now - since)}" if name else "  idle"
            lines.append(
                Text(
                    self._console.encodable(text),
                    no_wrap=True,
                    overflow="ellipsis",
                    style="" if name else "dim",
                )
            )
        bar = Table.grid(padding=(0, 1))
        bar.add_row(
            ProgressBar(total=max(total, 1), completed=done, width=30),
            f"{done}/{total}",
            eta,
            _counts(outcomes),
        )
        return Group(*lines, bar)


def _counts(outcomes: Counter[str]) -> Text:
    text = Text()
    for outcome in [*OUTCOME_STYLES, *sorted(outcomes.keys() - OUTCOME_STYLES.keys())]:
        if outcomes[outcome]:
            text.append(f"{outcomes[outcome]} {outcome}  ", style=OUTCOME_STYLES.get(outcome, ""))
    return text
