"""What is being built, while it is: a live line per build on a terminal, a line when one begins elsewhere."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text
from typing_extensions import Self

from ci.util.build_log import BuildLog
from ci.util.text import printable

__all__ = ["BuildProgress", "Lines", "LiveView", "humane"]


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


class LiveView(ABC):
    """On a terminal, lines that are drawn anew while the block lasts, and gone after it; elsewhere nothing."""

    def __init__(self, console: Lines) -> None:
        self._console = console
        self._live: Live | None = None

    def __enter__(self) -> Self:
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

    @abstractmethod
    def _display(self) -> RenderableType:
        """What is to be seen now; called from a thread of its own."""


class BuildProgress(LiveView):
    """The builds under way. Thread-safe; as a context manager it shows them by itself, else `rows` are shown elsewhere.

    :param clock: monotonic, in seconds
    """

    def __init__(self, console: Lines, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console)
        self._clock = clock
        self._lock = threading.Lock()
        self._under_way: dict[str, tuple[float, BuildLog]] = {}

    @contextmanager
    def building(self, name: str, log: Path) -> Iterator[None]:
        """See `ci.images.base.Watch`."""
        if not self._console.terminal:
            self._console.info(f"building {name}, log: {_short(log)}")
        with self._lock:
            self._under_way[name] = (self._clock(), BuildLog(log))
        try:
            yield
        finally:
            with self._lock:
                del self._under_way[name]

    def rows(self) -> RenderableType | None:
        """A line per build: what, how far, how long, and where its log is. None where nothing is being built."""
        with self._lock:
            now = self._clock()
            builds = [(name, log.now(), now - since, log.path) for name, (since, log) in self._under_way.items()]
        if not builds:
            return None
        table = Table.grid(padding=(0, 2), expand=True)
        for column in ({}, {"ratio": 1, "min_width": 16}, {"justify": "right"}, {}):
            table.add_column(no_wrap=True, overflow="ellipsis", **column)
        for name, step, seconds, log in builds:
            cells = (f"  building {printable(name)}", step or "begins", humane(seconds), f"log: {_short(log)}")
            table.add_row(*(Text(self._console.encodable(cell), style="cyan") for cell in cells))
        return table

    def _display(self) -> RenderableType:
        return self.rows() or Group()


def _short(path: Path) -> str:
    """A path as one would type it here."""
    for folder, instead in ((Path.cwd(), ""), (Path(os.environ.get("HOME") or "/nonexistent"), "~/")):
        if path.is_relative_to(folder):
            return f"{instead}{path.relative_to(folder)}"
    return str(path)
