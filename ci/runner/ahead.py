"""Beside the case that a worker runs: the participants of its next one are created, those of the last one removed.

Both are done when a case has been decided, while its participants are stopped and it is judged: the processors have
little to do then, and nothing that a case measures is disturbed. In a thread of its own per worker, one by one.
Participants that are removed here have ended; those created here have not been started.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from ci.runner.attempt import Housekeeping

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from ci.engines.base import RunningParticipant
    from ci.runner.base import PreparedCase

__all__ = ["Ahead"]


class Ahead(Housekeeping):
    """Of one worker, as long as it has its slot. Use as a context manager: whatever is left is removed at the end."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
        self._make: Callable[[], PreparedCase | None] | None = None
        self._next: Future[PreparedCase | None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take("", 0)
        self._pool.shutdown()

    def intend(self, make: Callable[[], PreparedCase | None]) -> None:
        """Prepare the next case as soon as the one under way is decided; `take` tells of it."""
        self._make = make

    def decided(self) -> None:
        make, self._make = self._make, None
        if make is not None:
            self._next = self._pool.submit(_quietly, make)

    def settle(self) -> None:
        """Wait until it is known which case is the next one."""
        if self._next is not None:
            self._next.result()

    def take(self, key: str, number: int) -> PreparedCase | None:
        """What was prepared, if it is this attempt at this case; else it is removed, and None."""
        prepared = None if self._next is None else self._next.result()
        self._next = None
        if prepared is None or (prepared.key, prepared.number) == (key, number):
            return prepared
        self._pool.submit(prepared.discard)
        return None

    def remove(self, running: Sequence[RunningParticipant]) -> None:
        self._pool.submit(super().remove, running)


def _quietly(make: Callable[[], PreparedCase | None]) -> PreparedCase | None:
    """What cannot be prepared is run all the same when its turn comes, and whatever is wrong is said then."""
    try:
        return make()
    except Exception:
        return None
