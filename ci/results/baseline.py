"""A run of a few versions held against one of all: what both have counts, and one version may stand for another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ci.errors import ConfigurationError

if TYPE_CHECKING:
    from ci.model import Case
    from ci.results.merged import Merged

__all__ = ["comparable", "held_against"]


def held_against(base: Merged, head: Merged, stands_for: Mapping[str, str]) -> Merged:
    """What the base says of the cases of the head, under their names there.

    :param stands_for: version of the head → version of the base that it is the next of
    :raises ConfigurationError: `suites-differ`; or the base has nothing of a version that another stands for
    """
    if base.suite.name != head.suite.name:
        raise ConfigurationError(
            "suites-differ",
            f"the baseline is a run of the suite {base.suite}, and this is one of {head.suite}",
            hint="give the baseline of the same suite",
        )
    known = {name for case in base.cases for name in case.pair}
    for mine, theirs in stands_for.items():
        if theirs not in known:
            raise ConfigurationError(
                "no-such-version",
                f"the baseline has nothing of {theirs}, for which {mine} stands",
                hint=f"it has {', '.join(sorted(known))}",
            )
    before = {case.case: case for case in base.cases}
    cases = []
    for case in head.cases:
        there = _there(case.case, stands_for)
        found = before.get(case.case) or before.get(there)
        if found is not None:
            cases.append(replace(found, case=case.case))
    return replace(base, cases=tuple(cases))


def comparable(base: Merged, head: Merged, stands_for: Mapping[str, str]) -> Merged:
    """The base as a report takes it: of a run of a part, only that part of it; what was not asked for now is not gone.

    :raises ConfigurationError: see `held_against`
    """
    return held_against(base, head, stands_for) if stands_for or head.unselected else base


def _there(case: Case, stands_for: Mapping[str, str]) -> Case:
    first, second = (stands_for.get(name, name) for name in case.pair)
    return replace(case, first=first, second=second)
