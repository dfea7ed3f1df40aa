"""Versions whose cases keep breaking what they run on: the trouble is theirs, and must not cost the others their turn.

Redis, a pod, the simulator or a capture may break because the engine is in trouble, or because of what one of the two
images did to it. Which it is shows in who else has the same trouble. A version that had it twice in a row in one role
is a suspect: its other cases in that role wait until those of everybody else are through. Where its counterparts do
well without it, it is the version, and what is left of these cases is set aside: an error on its account each, and not
another attempt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ci.model import Case, Outcome, Reason, ReasonCode, Role, Verdict

__all__ = ["Quarantine"]

# Once is an accident.
SUSPICIOUS: Final = 2
# Where there is nobody to compare a suspect with.
CONVINCING: Final = 5

# A version in one role: what it does in the other may be all right.
VersionInRole: TypeAlias = "tuple[Role, str]"


@dataclass
class _Trail:
    """The cases in a row in which something broke with a version in its role in them.

    :param since: when it did so first
    :param until: when it did so last
    :param text: what it was, the last time
    :param others: with whom it was there, in each
    :param others_do_well: somebody else came to the end of a case that was begun after the first time
    """

    since: float
    until: float
    text: str
    others: list[VersionInRole] = field(default_factory=list)
    others_do_well: bool = False


class Quarantine:
    """What is known of who breaks things, in one shard. Safe to use from several workers.

    :param clock: monotonic
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # Since a case of theirs last came to its end.
        self._trails: dict[VersionInRole, _Trail] = {}
        # Since any case last came to its end: who was there.
        self._in_a_row: list[frozenset[str]] = []
        self._did_well: set[VersionInRole] = set()

    @property
    def in_a_row(self) -> int:
        """In how many cases something broke since one last came to its end, whosever they were."""
        with self._lock:
            return len(self._in_a_row)

    def now(self) -> float:
        return self._clock()

    def broke(self, case: Case, text: str, *, began: float) -> None:
        """Something broke that the case runs on.

        :param text: what it was
        :param began: when the case was started, by `now`
        """
        one, other = _both(case)
        with self._lock:
            at = self.now()
            self._in_a_row.append(frozenset(case.pair))
            for suspect, counterpart in ((one, other), (other, one)):
                trail = self._trails.setdefault(suspect, _Trail(since=at, until=began, text=text))
                # What two workers meet at the same time may have one cause: that counts once.
                if trail.until <= began:
                    trail.others.append(counterpart)
                trail.until, trail.text = at, text

    def ended_well(self, case: Case, *, began: float) -> None:
        """The case has come to its end: its verdict is about its two versions, whatever it is."""
        with self._lock:
            self._in_a_row.clear()
            for one in _both(case):
                self._did_well.add(one)
                self._trails.pop(one, None)
            for trail in self._trails.values():
                trail.others_do_well = trail.others_do_well or trail.since <= began

    def rank(self, case: Case) -> int:
        """Cases of a lower rank come first: the more has broken with those in it, the later is its turn."""
        with self._lock:
            suspects = self._suspects(case)
            if any(self._found_out(it) for it in suspects):
                return 0  # it is not tried any more
            return sum(len(self._trails[it].others) for it in suspects)

    def verdict(self, case: Case) -> Verdict | None:
        """Of a case whose turn it is by its rank: why it is not worth trying; None if it is."""
        with self._lock:
            suspects = self._suspects(case)
            found = [it for it in suspects if self._found_out(it)] or self._always_there(suspects)
            return _set_aside(found, self._trails[found[0]]) if found else None

    def _suspects(self, case: Case) -> list[VersionInRole]:
        return [it for it in _both(case) if it in self._trails and len(self._trails[it].others) >= SUSPICIOUS]

    def _found_out(self, suspect: VersionInRole) -> bool:
        # With one counterpart alone it may be what the two are together.
        trail = self._trails[suspect]
        return trail.others_do_well and len(self._did_well.intersection(trail.others)) >= SUSPICIOUS

    def _always_there(self, suspects: list[VersionInRole]) -> list[VersionInRole]:
        """Where no other version is left to compare with: the ones that took part each time, if that can be told."""
        if not suspects or len(self._in_a_row) < CONVINCING:
            return []
        always = frozenset.intersection(*self._in_a_row)
        found = [it for it in suspects if it[1] in always]
        return found if always == {version for _, version in found} else []


def _both(case: Case) -> tuple[VersionInRole, VersionInRole]:
    one, other = case.versions.items()
    return one, other


def _set_aside(found: list[VersionInRole], trail: _Trail) -> Verdict:
    others = "others did well" if trail.others_do_well else "no other case was left to compare with"
    text = (
        f"{' or '.join(f'{version} as {role}' for role, version in found)} was set aside, and this case not tried:"
        f" in {len(trail.others)} cases in a row something broke that they run on, and {others}; last: {trail.text}"
    )
    reason = Reason(code=ReasonCode.SET_ASIDE, text=text, side="both" if len(found) > 1 else found[0][0])
    return Verdict(outcome=Outcome.ERROR, reason=reason)
