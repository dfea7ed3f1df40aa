"""What the runner needs of a suite: describe a case, recognise its result, judge its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.model import Case, Verdict, Version
    from ci.spec.attempt import Evidence, Scene, Surroundings

__all__ = ["Suite"]


class Suite(Protocol):
    """Never learns which engine runs its cases."""

    @property
    def name(self) -> str: ...

    @property
    def versions(self) -> Mapping[str, Version]: ...

    def scene(self, case: Case, *, images: Mapping[str, str], surroundings: Surroundings, attempt: str) -> Scene: ...

    def settled(self, stdout: str, /) -> bool: ...

    def judge(self, case: Case, evidence: Evidence, surroundings: Surroundings) -> Verdict: ...
