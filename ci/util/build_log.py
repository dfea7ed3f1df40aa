"""How far a build has got, by its log: the step it is at and the line it wrote last. Read while it grows."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Final

from ci.util.text import printable

__all__ = ["BuildLog"]

# What is read at once; a flood between two looks is skipped but for its end.
_MOST_BYTES: Final = 64 * 1024
_STEP: Final = 40
_STEPS: Final = (
    re.compile(r"Step (?P<at>\d+/\d+) : (?P<what>.*)"),  # Docker's classic builder
    re.compile(r"#\d+ \[(?:(?P<stage>[\w.-]+) +)?(?P<at>\d+/\d+)\] (?P<what>.*)"),  # BuildKit
)
_COMMAND: Final = re.compile(r"\$ (?P<what>.*)")  # of ours, as `Commands` writes it
# Of what else the builders say themselves, nothing helps; what a step says, BuildKit puts its number and time before.
_NOISE: Final = re.compile(r"---> .*|Removing intermediate container .*")
_HEAD: Final = re.compile(r"#\d+ (?:\d+\.\d+ )?")


class BuildLog:
    """A log that may grow, or not be there yet. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._unfinished = b""
        self._step = ""
        self._last = ""

    def now(self) -> str:
        """`5/12 RUN go build ./cmd: linking`: the step, and what it wrote last. Empty where nothing is known yet."""
        for line in self._new_lines():
            self._read(line)
        # What a step says last moves, so it is to be seen beside a long command.
        step = self._step if not self._last or len(self._step) <= _STEP else f"{self._step[:_STEP]}…"
        return ": ".join(it for it in (step, self._last) if it)

    def _read(self, line: str) -> None:
        text = printable(line)
        if (command := _COMMAND.fullmatch(text)) is not None:
            self._step, self._last = _without_folders(command["what"]), ""
            return
        for pattern in _STEPS:
            if (found := pattern.fullmatch(text)) is not None:
                parts = (found.groupdict().get(name) for name in ("stage", "at", "what"))
                self._step, self._last = " ".join(part for part in parts if part), ""
                return
        if text and not _NOISE.fullmatch(text):
            self._last = _HEAD.sub("", text, count=1)

    def _new_lines(self) -> list[str]:
        try:
            with self.path.open("rb") as log:
                size = os.fstat(log.fileno()).st_size
                if size < self._offset:  # begun anew
                    self._offset, self._unfinished = 0, b""
                if size - self._offset > _MOST_BYTES:
                    self._offset, self._unfinished = size - _MOST_BYTES, b""
                log.seek(self._offset)
                data = log.read(_MOST_BYTES)
        except OSError:
            return []
        self._offset += len(data)
        # Progress bars write one line over and over: each carriage return begins it anew.
        *lines, self._unfinished = re.split(rb"[\r\n]+", self._unfinished + data)
        return [line.decode(errors="replace") for line in lines]


def _without_folders(command: str) -> str:
    """The command without the folders of its paths: where its files are, is no news."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return " ".join(word.rsplit("/", 1)[-1] if word.startswith("/") else word for word in words)
