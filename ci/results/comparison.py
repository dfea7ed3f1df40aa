"""Two runs of one suite, case by case: what changed, what it was run on then and now, and what it has in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from ci.errors import ConfigurationError
from ci.model import Outcome
from ci.results.aggregate import CaseVerdict
from ci.results.factors import Factor, groups
from ci.results.signature import signature

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.merged import Merged, MergedCase
    from ci.results.records import Attempt

__all__ = ["Change", "Comparison", "Culprit", "Difference", "InputChange", "compare"]


# A factor explains failures if at least this share of the cases that have it fail.
_SHARE: Final = 0.5


class Change(str, Enum):
    """What became of a case, the worst first."""

    NEWLY_FAILING = "newly-failing"
    CHANGED_REASON = "changed-reason"  # red then and now, for different reasons
    NEWLY_UNSUPPORTED = "newly-unsupported"
    NEWLY_FLAKY = "newly-flaky"
    MISSING = "missing"  # planned now, and without the result it had
    STILL_FAILING = "still-failing"
    FIXED = "fixed"
    NEW = "new"  # without a result then
    REMOVED = "removed"  # not planned any more

    __str__ = str.__str__


class _State(Enum):
    GREEN, FLAKY, RED, UNSUPPORTED, NOTHING = range(5)


@dataclass(frozen=True, kw_only=True)
class InputChange:
    """What a case was run on, in one respect, then and now; None where that is not known.

    :param what: `image of go-v0.51`, `engine version`, …
    """

    what: str
    base: str | None
    head: str | None


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One case that is not what it was.

    :param base: None where it was not planned then
    :param head: None where it is not planned any more
    """

    change: Change
    base: MergedCase | None
    head: MergedCase | None

    @property
    def case(self) -> Case:
        shown = self.head or self.base
        assert shown is not None  # noqa: S101 -- it is in one of them
        return shown.case

    @property
    def expected(self) -> bool:
        """Somebody has said so."""
        return self.head is not None and self.head.verdict is CaseVerdict.EXPECTED

    @cached_property
    def inputs(self) -> tuple[InputChange, ...]:
        """What it was run on that is not what it was; nothing where it did not run in both."""
        one, other = (None if it is None else _speaks(it) for it in (self.base, self.head))
        return () if one is None or other is None else tuple(_changed_inputs(one, other))


@dataclass(frozen=True, kw_only=True)
class Culprit:
    """What a group of newly failing cases has in common, and others that pass mostly have not.

    :param factors: one, or two together; none where they have nothing in common
    :param of: how many cases have it that were not red then, and have a result now
    """

    factors: tuple[Factor, ...]
    failing: tuple[Difference, ...]
    of: int


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """:param unchanged: how many cases came to the same"""

    base: Merged
    head: Merged
    differences: tuple[Difference, ...]
    unchanged: int

    def of(self, change: Change) -> tuple[Difference, ...]:
        return tuple(it for it in self.differences if it.change is change)

    def gating(self, changes: Iterable[Change]) -> tuple[Difference, ...]:
        """Those of these kinds that nobody expected."""
        wanted = set(changes)
        return tuple(it for it in self.differences if it.change in wanted and not it.expected)

    @cached_property
    def culprits(self) -> tuple[Culprit, ...]:
        """Newly failing cases in groups, the largest first."""
        failing = self.of(Change.NEWLY_FAILING)
        then = {it.key for it in self.base.cases if _state(it) not in (_State.RED, _State.NOTHING)}
        now = [it.case for it in self.head.cases if it.key in then and _state(it) is not _State.NOTHING]
        by_case = {it.case: it for it in failing}
        return tuple(
            Culprit(factors=it.factors, failing=tuple(by_case[case] for case in it.cases), of=it.of)
            for it in groups([it.case for it in failing], now, share=_SHARE)
        )


def compare(base: Merged, head: Merged) -> Comparison:
    """:raises ConfigurationError: `suites-differ`"""
    if base.suite.name != head.suite.name:
        raise ConfigurationError(
            "suites-differ",
            f"a run of the suite {base.suite} cannot be compared with one of {head.suite}",
            hint="give two runs of one suite",
        )
    before = {case.key: case for case in base.cases}
    after = {case.key for case in head.cases}
    found = []
    unchanged = 0
    for case in head.cases:
        change = _change(before.get(case.key), case)
        if change is None:
            unchanged += 1
        else:
            found.append(Difference(change=change, base=before.get(case.key), head=case))
    found += [Difference(change=Change.REMOVED, base=it, head=None) for it in base.cases if it.key not in after]
    order = list(Change)
    found.sort(key=lambda it: order.index(it.change))
    return Comparison(base=base, head=head, differences=tuple(found), unchanged=unchanged)


def _state(case: MergedCase) -> _State:
    outcome = case.result.outcome
    if outcome is Outcome.PASSED:
        return _State.GREEN if case.result.flaky is None else _State.FLAKY
    if outcome in (Outcome.FAILED, Outcome.TIMED_OUT):
        return _State.RED
    return _State.UNSUPPORTED if outcome is Outcome.UNSUPPORTED else _State.NOTHING


_CHANGES: Final[Mapping[tuple[_State, _State], Change]] = {
    **{(then, _State.RED): Change.NEWLY_FAILING for then in (_State.GREEN, _State.FLAKY, _State.UNSUPPORTED)},
    **{(then, _State.NOTHING): Change.MISSING for then in _State if then is not _State.NOTHING},
    **{(_State.NOTHING, now): Change.NEW for now in _State if now is not _State.NOTHING},
    **{(then, _State.UNSUPPORTED): Change.NEWLY_UNSUPPORTED for then in (_State.GREEN, _State.FLAKY, _State.RED)},
    **{(then, _State.FLAKY): Change.NEWLY_FLAKY for then in (_State.GREEN, _State.RED)},
    (_State.RED, _State.GREEN): Change.FIXED,
    (_State.RED, _State.RED): Change.STILL_FAILING,
}


def _change(base: MergedCase | None, head: MergedCase) -> Change | None:
    then, now = _State.NOTHING if base is None else _state(base), _state(head)
    change = _CHANGES.get((then, now))
    if base is not None and change is Change.STILL_FAILING and not _same_reason(base, head):
        return Change.CHANGED_REASON
    return change


def _same_reason(base: MergedCase, head: MergedCase) -> bool:
    one, other = base.result.reason, head.result.reason
    if one is None or other is None:
        return one is other
    return one.code is other.code and (one.text == other.text or signature(one.text) == signature(other.text))


# --- inputs -----------------------------------------------------------------------------------------------


def _speaks(case: MergedCase) -> Attempt | None:
    """The attempt whose result the case's is."""
    conclusive = [it for it in case.counted if it.outcome.conclusive]
    return next((it for it in conclusive if it.outcome is case.result.outcome), None)


def _changed_inputs(base: Attempt, head: Attempt) -> Iterator[InputChange]:
    # Whatever its role: of one version there is one image.
    before = {it.version: it for it in base.roles.values()}
    for version, now in {it.version: it for it in head.roles.values()}.items():
        then = before.get(version)
        if then is not None:
            yield from _differing(f"image of {version}", then.image_digest, now.image_digest)
            yield from _differing(f"sources of {version}", then.build_key, now.build_key)
    for what, one, other in (("engine", base.engine, head.engine), ("host", base.host, head.host)):
        for name in sorted({*one, *other} - _VOLATILE):
            yield from _differing(f"{what} {name}", _text(one.get(name)), _text(other.get(name)))
    for name in sorted({*base.limits, *head.limits}):
        yield from _differing(f"limit {name}", _text(base.limits.get(name)), _text(head.limits.get(name)))


# What is another each time, and says nothing of the experiment.
_VOLATILE: Final = frozenset({"load1"})


def _differing(what: str, base: str | None, head: str | None) -> Iterator[InputChange]:
    if base != head:
        yield InputChange(what=what, base=base, head=head)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
