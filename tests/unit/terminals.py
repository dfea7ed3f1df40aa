"""Streams for tests of output: a real pseudo-terminal, and files in any encoding."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ci.terminal.console import Console


class Screen:
    """What has been written to a pseudo-terminal; complete when its context has ended."""

    def __init__(self) -> None:
        self.text = ""


@contextmanager
def pseudo_terminal() -> Iterator[tuple[TextIO, Screen]]:
    """A stream that is a terminal, and what arrives on its other side."""
    ours, theirs = os.openpty()
    screen = Screen()

    def read() -> None:
        received = b""
        try:
            while chunk := os.read(ours, 4096):
                received += chunk
        except OSError:  # how Linux says that the other side is closed
            pass
        screen.text = received.decode()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            yield stream, screen
    finally:
        reader.join()
        os.close(ours)


class File:
    """A console that writes to a file of the given encoding."""

    def __init__(self, environment: dict[str, str] | None = None, encoding: str = "utf-8") -> None:
        self._bytes = io.BytesIO()
        self._encoding = encoding
        self._stream = io.TextIOWrapper(self._bytes, encoding=encoding, write_through=True, newline="\n")
        self.console = Console.for_stream(self._stream, environment or {})

    @property
    def text(self) -> str:
        self._stream.flush()
        return self._bytes.getvalue().decode(self._encoding)
