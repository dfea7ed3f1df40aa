"""Bounded capture of what a program writes: its beginning and its end, never more.

A peer may print a gigabyte. What explains a failure is nearly always in the first or the last part, so each
stream keeps half of its limit at either end and counts what lay between.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Capture", "Chunk", "interleave"]

DEFAULT_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True)
class Chunk:
    """Bytes as they arrived; `at` is in seconds since the case started, by the monotonic clock."""

    at: float
    data: bytes


class Capture:
    """One stream of one role. Safe to read while another thread writes."""

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._half = limit // 2
        self._lock = threading.Lock()
        self._head: list[Chunk] = []
        self._head_bytes = 0
        self._tail: deque[Chunk] = deque()
        self._tail_bytes = 0
        self.total = 0

    def write(self, at: float, data: bytes) -> None:
        with self._lock:
            self.total += len(data)
            room = self._half - self._head_bytes
            if room > 0:
                self._head.append(Chunk(at, data[:room]))
                self._head_bytes += len(data[:room])
                data = data[room:]
            if not data:
                return
            self._tail.append(Chunk(at, data[-self._half :]))
            self._tail_bytes += len(self._tail[-1].data)
            while self._tail_bytes - len(self._tail[0].data) >= self._half:
                self._tail_bytes -= len(self._tail.popleft().data)

    @property
    def dropped(self) -> int:
        """How many bytes were left out between the beginning and the end."""
        return self.total - self._head_bytes - self._tail_bytes

    @property
    def truncated(self) -> bool:
        return self.dropped > 0

    def chunks(self) -> tuple[Chunk, ...]:
        """What was kept, in order, with one line in between that says how much was left out."""
        with self._lock:
            if not self.truncated:
                return (*self._head, *self._tail)
            gap = f"\n[… {self.dropped} bytes left out …]\n".encode()
            return (*self._head, Chunk(self._tail[0].at, gap), *self._tail)

    def data(self) -> bytes:
        return b"".join(chunk.data for chunk in self.chunks())

    def text(self) -> str:
        """Decoded for people and parsers: bytes that are not UTF-8 are replaced, never fatal."""
        return self.data().decode(errors="replace")


def _lines(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Whole lines, each with the time at which its first byte came."""
    started, pending = 0.0, b""
    for chunk in chunks:
        for piece in chunk.data.splitlines(keepends=True):
            if not pending:
                started = chunk.at
            pending += piece
            if pending.endswith((b"\n", b"\r")):
                yield Chunk(started, pending.rstrip(b"\r\n"))
                pending = b""
    if pending:
        yield Chunk(started, pending)


def interleave(streams: Mapping[str, Capture]) -> str:
    """All streams as one text in the order in which lines began: `+  1.204 dialer/stderr | …`."""
    rows = [(line.at, name, line.data) for name, capture in streams.items() for line in _lines(capture.chunks())]
    rows.sort(key=lambda row: row[0])  # stable: lines of one stream keep their order
    width = max((len(name) for name in streams), default=0)
    return "".join(f"+{at:8.3f} {name:<{width}} | {data.decode(errors='replace')}\n" for at, name, data in rows)
