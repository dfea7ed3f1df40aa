"""Being asked to stop: by Ctrl-C, by SIGTERM, or by a terminal that is closed (SIGHUP).

One request may arrive several times. A terminal, `timeout` and a CI runner signal the whole process group, `timeout`
its child once more, and nox passes on what it gets: all of these come within a moment and are one.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ci.errors import ExitCode

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["Interrupted", "interruptible", "raised"]

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)
_STOPPING: Final = (signal.SIGINT, *_PASSED_ON)
# Signals that come within this time are one request: more than they need on a busy machine, less than a person.
_ONE_REQUEST_SECONDS: Final = 1.0

_Handler: TypeAlias = Callable[[int, "FrameType | None"], Any]


class Interrupted(KeyboardInterrupt):
    """Somebody asked the process to stop; the text names the signal, and is empty where that has been said."""


@contextmanager
def raised() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind what they meet, as Ctrl-C does: whatever is being done cleans up after itself."""

    def interrupt(number: int, _: FrameType | None) -> None:
        # Further ones are the same request, and must not stop the cleaning up.
        for other in _PASSED_ON:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(signal.Signals(number).name)

    with _handled(_PASSED_ON, interrupt):
        yield


@contextmanager
def interruptible(console: Console, *, stop: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """The first request sets the event, and everything is cleaned up; Ctrl-C once more ends at once.

    :param stop: called at the first request, from a thread of its own: ends what would be waited for, such as builds
    """
    cancelled = threading.Event()
    asked: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()

    def answer() -> None:
        first = 0.0
        while (request := asked.get()) is not None:
            number, at = request
            if not cancelled.is_set():
                first = at
                cancelled.set()
                console.warn(f"{signal.Signals(number).name}: stopping and cleaning up; Ctrl-C once more ends at once")
                stop()
            elif number == signal.SIGINT and at - first > _ONE_REQUEST_SECONDS:
                os._exit(ExitCode.INTERRUPTED)

    answering = threading.Thread(target=answer, name="interrupts", daemon=True)
    with _handled(_STOPPING, lambda *_: None), _arrivals(asked):
        answering.start()
        try:
            yield cancelled
        finally:
            asked.put(None)
            answering.join()
    if cancelled.is_set():
        # We are on our way out: a copy of the request that comes late must not cut off what is still to be said.
        for number in _PASSED_ON:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def _arrivals(asked: queue.SimpleQueue[tuple[int, float] | None]) -> Iterator[None]:
    """Put each request to stop into the queue, with when it came, while the block lasts.

    Python runs handlers in the main thread alone, when that next runs. But a signal may be taken by another thread,
    such as one that is just starting a further one; a main thread that waits for its workers then sleeps on, and Ctrl-C
    would be lost. What Python writes to its wakeup descriptor is written by the thread that takes the signal, at once.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)

    def listen() -> None:
        while data := reading.recv(64):
            at = time.monotonic()
            for number in data:
                if number in _STOPPING:
                    asked.put((number, at))

    listening = threading.Thread(target=listen, name="signals", daemon=True)
    earlier = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
    listening.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        writing.close()
        listening.join()
        reading.close()


@contextmanager
def _handled(numbers: tuple[signal.Signals, ...], handler: _Handler) -> Iterator[None]:
    """With this handler while the block lasts; what we were started to ignore, as by `nohup`, stays ignored."""
    earlier = {number: signal.getsignal(number) for number in numbers}
    earlier = {number: it for number, it in earlier.items() if it is not signal.SIG_IGN}
    for number in earlier:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, it in earlier.items():
            if signal.getsignal(number) is not signal.SIG_IGN:  # else a request was answered
                signal.signal(number, it)
