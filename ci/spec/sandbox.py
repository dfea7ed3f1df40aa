"""Where programs read files that nobody vouches for: what suites ask for and engines provide."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol, TypeAlias

from ci.errors import EngineError

__all__ = ["OpenSandbox", "ProgramFailedError", "ProgramLateError", "Sandbox", "shared"]


class ProgramFailedError(EngineError):
    """A program in a sandbox ended by itself, and not with exit code 0.

    :param complaint: what it wrote to its standard error, shortened
    """

    def __init__(self, program: str, exit_code: int, complaint: str) -> None:
        self.complaint = complaint
        super().__init__(f"{program}-failed", f"{program} ended with exit code {exit_code}: {complaint or 'no words'}")


class ProgramLateError(EngineError):
    """A program in a sandbox had to be ended at its time limit."""

    def __init__(self, program: str, seconds: float) -> None:
        super().__init__(f"{program}-late", f"{program} was not done after {seconds:g} s")


class Sandbox(Protocol):
    """A place without a network, without rights and with limits, that is gone afterwards."""

    def write(self, name: str, data: bytes) -> str:
        """Put a file there, which programs can only read; its path there."""

    def run(self, command: Sequence[str], *, seconds: float) -> Iterator[bytes]:
        """What a program writes to its standard output, as it comes.

        :param seconds: how long it may take
        :raises ProgramFailedError, ProgramLateError: after all that it has written
        :raises EngineError: the engine broke
        """


# A new one each time: what the files of one case do to the program that reads them must not reach another case.
OpenSandbox: TypeAlias = Callable[[], AbstractContextManager[Sandbox]]


@contextmanager
def shared(open_sandbox: OpenSandbox) -> Iterator[OpenSandbox]:
    """One sandbox for whatever is read while the block runs: opened when it is first asked for, gone at the end."""
    with ExitStack() as stack:
        opened: list[Sandbox] = []

        def again() -> AbstractContextManager[Sandbox]:
            if not opened:
                opened.append(stack.enter_context(open_sandbox()))
            return nullcontext(opened[0])

        yield again
