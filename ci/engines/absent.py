"""A side of a case that there is nothing to run for: the trouble of that one implementation, not of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from ci.engines.base import Sink
    from ci.model import Role

__all__ = ["UNSTARTABLE", "AbsentParticipant", "report_unstartable"]

UNSTARTABLE: Final = 127


class AbsentParticipant:
    """One side of a case whose image or program is not there (contract, T20)."""

    def __init__(self, why: str, role: Role, sink: Sink, *, unstartable: int = UNSTARTABLE) -> None:
        self._unstartable = unstartable
        self._why = why
        self._role = role
        self._sink = sink

    def start(self) -> None:
        report_unstartable(self._sink, self._role, self._why, exit_code=self._unstartable)

    def stop(self, timeout: float) -> None:
        pass

    def collect(self, source: str, target: Path, *, most_bytes: int) -> bool:
        """Nothing: it never made any."""
        del source, target, most_bytes
        return True

    def remove(self) -> None:
        pass


def report_unstartable(sink: Sink, role: Role, why: str, *, exit_code: int = UNSTARTABLE) -> None:
    """As a shell would report it: the reason on stderr, then exit code 127."""
    sink.output(role, "stderr", f"{why}\n".encode())
    sink.ended(role, exit_code, out_of_memory=False)
