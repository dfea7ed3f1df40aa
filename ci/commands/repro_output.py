"""What those who take part in a case write, shown while they write it: one line each, with its time and whose it is."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ci.spec.capture import Chunk, Lines, line_head

if TYPE_CHECKING:
    from ci.model import Role
    from ci.spec.attempt import Stream
    from ci.terminal.console import Console

__all__ = ["SHOWN_BYTES", "LiveOutput"]

# Of each stream. A flood would be throttled by the terminal, and so behave differently from the case it repeats.
SHOWN_BYTES: Final = 1024 * 1024
_STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
# Of the one that begins, the one that answers, and the other participants, in turn.
_COLOURS: Final = ("cyan", "magenta", "yellow", "blue", "green")


class LiveOutput:
    """Prints lines as soon as they are whole. Safe to use from several threads.

    What goes to standard output is bold: it is little, and it is the result.

    :param roles: whose lines, the one that begins first
    """

    def __init__(self, console: Console, roles: Sequence[Role]) -> None:
        self._console = console
        self._lock = threading.Lock()
        self._colours = dict(zip(roles, itertools.cycle(_COLOURS), strict=False))
        self._lines = {(role, stream): Lines() for role in roles for stream in _STREAMS}
        self._left = dict.fromkeys(self._lines, SHOWN_BYTES)
        self._width = max(len(f"{role}/{stream}") for role, stream in self._lines)
        self._held: list[tuple[Role, Stream, Chunk]] | None = None
        self._broken = False

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Somebody else has the terminal while the block lasts; what comes meanwhile is printed after it."""
        with self._lock:
            self._held = []
        try:
            yield
        finally:
            with self._lock:
                held, self._held = self._held, None
                for role, stream, line in held:
                    self._print(role, stream, line)

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        with self._lock:
            left = self._left[role, stream]
            if left == 0:
                return
            self._left[role, stream] = max(0, left - len(data))
            for line in self._lines[role, stream].feed(Chunk(at, data[:left])):
                self._print(role, stream, line)
            if len(data) >= left:
                self._close(role, stream)
                self._print(role, stream, Chunk(at, b"[... what follows is not shown; the evidence keeps more of it]"))

    def close(self) -> None:
        """Print what the streams ended with."""
        with self._lock:
            for role, stream in self._lines:
                self._close(role, stream)

    def _close(self, role: Role, stream: Stream) -> None:
        for line in self._lines[role, stream].rest():
            self._print(role, stream, line)

    def _print(self, role: Role, stream: Stream, line: Chunk) -> None:
        if self._held is not None:
            self._held.append((role, stream, line))
            return
        if self._broken:
            return
        try:
            self._console.labelled(
                line_head(line.at, f"{role}/{stream}", self._width),
                line.data.decode(errors="replace"),
                label_style=self._colours[role],
                style="bold" if stream == "stdout" else "",
            )
        except (OSError, SystemExit):  # the latter is how Rich takes a broken pipe
            # The reader of our output has left. These are the engine's threads: they would take it for their trouble.
            self._broken = True
