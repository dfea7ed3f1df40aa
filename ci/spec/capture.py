"""Bounded capture of what a program writes: its beginning and its end, never more.

A peer may print a gigabyte. What explains a failure is nearly always in the first or the last part, so each
stream keeps half of its limit at either end and counts what lay between.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ci.util.text import counted

__all__ = ["Capture", "Chunk", "Lines", "interleave", "line_head"]

DEFAULT_LIMIT: Final = 2 * 1024 * 1024

# Writes smaller than this, and closer together than what `interleave` prints, are kept as one.
SMALL: Final = 256
INSTANT_SECONDS: Final = 0.001


@dataclass(frozen=True)
class Chunk:
    """Bytes as they arrived; `at` is in seconds since the case started, by the monotonic clock."""

    at: float
    data: bytes


class Capture:
    """One stream of one role. Safe to read while another thread writes.

    :param limit: bytes to keep: the first half and the last half, to the byte
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._head_limit = limit - limit // 2
        self._tail_limit = limit // 2
        self._lock = threading.Lock()
        self._head: list[Chunk] = []
        self._head_bytes = 0
        self._tail: deque[Chunk] = deque()
        self._tail_bytes = 0
        self.total = 0

    def write(self, at: float, data: bytes) -> None:
        with self._lock:
            self.total += len(data)
            room = self._head_limit - self._head_bytes
            beginning, rest = data[:room], data[room:]
            if beginning:
                _append(self._head, Chunk(at, beginning))
                self._head_bytes += len(beginning)
            if not rest or self._tail_limit == 0:
                return
            rest = rest[-self._tail_limit :]
            _append(self._tail, Chunk(at, rest))
            self._tail_bytes += len(rest)
            # Whole chunks go, so up to one chunk too much may stay; reading cuts it to size.
            while self._tail_bytes - len(self._tail[0].data) >= self._tail_limit:
                self._tail_bytes -= len(self._tail.popleft().data)

    @property
    def dropped(self) -> int:
        """How many bytes were left out between the beginning and the end."""
        return max(0, self.total - self._head_limit - self._tail_limit)

    @property
    def truncated(self) -> bool:
        return self.dropped > 0

    def chunks(self) -> tuple[Chunk, ...]:
        """What was kept, in order, with one line in between that says how much was left out."""
        with self._lock:
            if not self.truncated:
                return (*self._head, *self._tail)
            gap = f"\n[… {counted(self.dropped, 'byte')} left out …]\n".encode()
            if not self._tail:
                return (*self._head, Chunk(self._head[-1].at if self._head else 0.0, gap))
            first, *others = self._tail
            surplus = self._tail_bytes - self._tail_limit
            return (*self._head, Chunk(first.at, gap), Chunk(first.at, first.data[surplus:]), *others)

    def data(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks())

    def text(self) -> str:
        """Decoded for people and parsers: bytes that are not UTF-8 are replaced, never fatal."""
        return self.data().decode(errors="replace")


def _append(chunks: list[Chunk] | deque[Chunk], chunk: Chunk) -> None:
    """Append, joining what a program wrote byte by byte in one instant: a chunk costs far more than its byte."""
    if chunks and len(chunks[-1].data) < SMALL and chunk.at - chunks[-1].at < INSTANT_SECONDS:
        chunk = Chunk(chunks[-1].at, chunks.pop().data + chunk.data)
    chunks.append(chunk)


class Lines:
    """Cuts one stream into whole lines while it comes; each has the time at which its first byte came."""

    def __init__(self) -> None:
        self._started = 0.0
        self._pending: list[bytes] = []
        self._after_return = False

    def feed(self, chunk: Chunk) -> Iterator[Chunk]:
        """The lines that this piece completes, without their ends."""
        for piece in chunk.data.splitlines(keepends=True):
            if self._after_return and piece == b"\n":
                self._after_return = False  # the second half of a line end that two chunks share
                continue
            self._after_return = piece.endswith(b"\r")
            if not self._pending:
                self._started = chunk.at
            self._pending.append(piece)
            if piece.endswith((b"\n", b"\r")):
                yield Chunk(self._started, b"".join(self._pending).rstrip(b"\r\n"))
                self._pending = []

    def rest(self) -> Iterator[Chunk]:
        """What the stream ended with, if that was no line end."""
        if self._pending:
            yield Chunk(self._started, b"".join(self._pending))
            self._pending = []


def _lines(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    lines = Lines()
    for chunk in chunks:
        yield from lines.feed(chunk)
    yield from lines.rest()


def interleave(streams: Mapping[str, Capture]) -> str:
    """All streams as one text in the order in which lines began: `+  1.204 dialer/stderr | …`."""
    rows = [(line.at, name, line.data) for name, capture in streams.items() for line in _lines(capture.chunks())]
    rows.sort(key=lambda row: row[0])  # stable: lines of one stream keep their order
    width = max((len(name) for name in streams), default=0)
    return "".join(f"{line_head(at, name, width)}{data.decode(errors='replace')}\n" for at, name, data in rows)


def line_head(at: float, name: str, width: int) -> str:
    """What stands before a line: when it began and whose it is."""
    return f"+{at:8.3f} {name:<{width}} | "
