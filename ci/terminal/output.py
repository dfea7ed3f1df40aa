"""Standard output that may be closed, full or left by its reader: the work goes on, and nothing else breaks for it."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["Output", "standard_output"]


class Output(io.RawIOBase):
    """A descriptor to write to. What cannot be written is dropped; `trouble` says why.

    :param trouble: the first failure of a write, after which nothing more is tried
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.trouble: OSError | None = None

    @property
    def left(self) -> bool:
        """There is no reader, by his own wish: it was closed, he has gone (`… | head`), or hung up his terminal."""
        return self.trouble is not None and self.trouble.errno in (errno.EBADF, errno.EPIPE, errno.EIO)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self.trouble is not None:
            return size
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # somebody else has made it so; it is waited for as usual
            os.set_blocking(self._descriptor, True)
            return self.write(data)
        except OSError as error:
            self.trouble = error
            return size


def standard_output() -> tuple[Output, TextIO]:
    """Standard output and the text stream over it, fit to be `sys.stdout`.

    Where one of the three standard descriptors is closed, the null device takes its place: otherwise the next file to
    be opened would, and results be mixed with what programs print.
    """
    output = Output(1)
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError as closed:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            output.trouble = closed if descriptor == 1 else output.trouble
    known = sys.stdout or io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    stream = io.TextIOWrapper(
        io.BufferedWriter(output), encoding=known.encoding, errors=known.errors, line_buffering=True
    )
    return output, stream
