"""What `doctor` says: findings about this host, in sections, and the verdict they come to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ci.errors import ExitCode

__all__ = ["Diagnosis", "Finding", "Section", "State"]


class State(str, Enum):
    """How good a finding is for the main job."""

    OK = "ok"
    WARN = "warn"  # the job runs, and something about it is slower, older or less than it could be
    MISSING = "missing"  # something is not there, and `impact` says what that prevents

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the table.

    :param name: stable, short; unique in its section
    :param value: what was found
    :param impact: what is lost by it; empty where nothing is
    :param advice: what to do about it; empty where nothing need be done
    """

    name: str
    state: State
    value: str
    impact: str = ""
    advice: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """Findings that belong together."""

    title: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """Everything `doctor` found out.

    :param engine: the one that `auto` takes, and `why`; None where the main job can run with none
    :param summary: what runs and what does not, a sentence each
    """

    sections: tuple[Section, ...]
    engine: str | None
    why: str
    summary: tuple[str, ...]
    exit_code: ExitCode

    @property
    def ready(self) -> bool:
        """Whether the main job can run."""
        return self.exit_code is ExitCode.GREEN
