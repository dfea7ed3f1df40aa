"""Questions that may hang, fail or raise, asked side by side: each is answered, or it is told why not, in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Asked", "Trouble"]

T = TypeVar("T")


@dataclass(frozen=True)
class Trouble:
    """Why a question has no answer."""

    text: str


class Asked(Generic[T]):
    """A question on its way, asked by a thread of its own that nobody waits for when the process ends.

    :param question: may raise anything
    :param seconds: from now, after which nobody waits for the answer any more
    """

    def __init__(self, question: Callable[[], T], *, seconds: float) -> None:
        self._seconds = seconds
        self._until = time.monotonic() + seconds
        self._answer: T | Trouble | None = None
        self._thread = threading.Thread(target=self._ask, args=(question,), daemon=True)
        self._thread.start()

    def _ask(self, question: Callable[[], T]) -> None:
        try:
            self._answer = question()
        except Exception as error:  # whatever it is: one question must not keep the others from being answered
            self._answer = Trouble(str(error) or type(error).__name__)

    def answer(self) -> T | Trouble:
        """The answer; waits for it as long as there is time left."""
        self._thread.join(max(0.0, self._until - time.monotonic()))
        # Read once: a late answer may come in this very moment.
        answer = self._answer
        return Trouble(f"no answer within {self._seconds:g} s") if answer is None else answer
