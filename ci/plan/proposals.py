"""Expectations for what a run came to and nobody expected, limited to the cases it had, for a person to review."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ci.model import Expected
from ci.plan.expected import every_case
from ci.plan.selection import Fitting
from ci.results.aggregate import CaseVerdict
from ci.results.factors import VERSION, groups
from ci.results.signature import normalise
from ci.util.text import clip_middle

if TYPE_CHECKING:
    from ci.config.catalogue import Catalogue
    from ci.model import Case, ReasonCode
    from ci.results.factors import Factor, Group
    from ci.results.merged import Merged, MergedCase

__all__ = ["Proposal", "as_yaml", "propose", "removable"]

LONGEST_REASON: Final = 200


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """An entry that is not there yet.

    :param select: fits these cases and no others, also none that the run did not have
    :param reason: what the first of them says, without what varies
    :param code: the reason code that all have
    :param since: the day of the run; empty where it does not say
    """

    id: str
    select: tuple[str, ...]
    expect: Expected
    reason: str
    code: ReasonCode | None
    since: str
    cases: tuple[Case, ...]


def propose(merged: Merged, catalogue: Catalogue) -> tuple[Proposal, ...]:
    """What would have to be said for the run to hold no surprise. Errors and missing cases are no evidence."""
    by_case = {it.case: it for it in merged.cases if it.result.outcome.conclusive}
    taken = {it.id for it in (*catalogue.expectations, *catalogue.overlay)}
    exact = _Exact(catalogue)
    found = []
    for meaning, expect in ((CaseVerdict.UNEXPECTED, Expected.FAIL), (CaseVerdict.FLAKY, Expected.FLAKY)):
        # A case that has an entry and fails in another way needs that entry changed, not a second one.
        surprising = [it.case for it in by_case.values() if it.verdict is meaning and it.expectation is None]
        others = [it.case for it in by_case.values() if it.verdict is not CaseVerdict.EXPECTED]
        for group in groups(surprising, others, share=1.0):
            name = _unique(_name(group), taken)
            taken.add(name)
            found.append(_proposal(name, expect, group, [by_case[case] for case in group.cases], exact))
    return tuple(found)


def removable(merged: Merged) -> list[str]:
    """The expectations that no case of the run met, although it had some: their ids."""
    stale = {it.expectation.id for it in merged.cases if it.expectation and it.verdict is CaseVerdict.STALE}
    met = {it.expectation.id for it in merged.cases if it.expectation and it.verdict is CaseVerdict.EXPECTED}
    return sorted(stale - met)


def as_yaml(proposals: Sequence[Proposal]) -> str:
    """Entries as they stand in `expectations:` of `versions.yaml`."""
    return "".join(f"\n{chr(10).join(_entry(it))}\n" for it in proposals)


def _entry(proposal: Proposal) -> Iterator[str]:
    yield f"  - id: {proposal.id}"
    if len(proposal.select) == 1:
        yield f"    select: {proposal.select[0]}"
    else:
        yield "    select:"
        yield from (f"      - {text}" for text in proposal.select)
    yield f"    expect: {proposal.expect}"
    yield f"    reason: {json.dumps(proposal.reason)}"
    if proposal.since:
        yield f"    since: {proposal.since}"
    if proposal.code is not None:
        yield f"    code: {proposal.code}"


def _proposal(name: str, expect: Expected, group: Group, cases: Sequence[MergedCase], exact: _Exact) -> Proposal:
    reasons = [it.result.reason for it in cases]
    codes = {None if it is None else it.code for it in reasons}
    texts = [it.text for it in reasons if it is not None]
    return Proposal(
        id=name,
        select=exact.selection(group),
        expect=expect,
        reason=clip_middle(normalise(texts[0]), LONGEST_REASON) if texts else "not known yet",
        code=codes.pop() if len(codes) == 1 else None,
        since=max(it.started_at or "" for case in cases for it in case.attempts)[:10],
        cases=group.cases,
    )


class _Exact:
    """Selections that fit given cases and nothing else of the whole matrix."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._cases = every_case(catalogue)
        self._fitting = Fitting(self._cases, catalogue.resolver)

    def selection(self, group: Group) -> tuple[str, ...]:
        """As short as it can be: the factors; else of each pair those, or its cases by their names."""
        if self._fits(_expression(group.factors), group.cases):
            return (_expression(group.factors),)
        roles = group.cases[0].suite.roles
        words = [it for it in group.factors if it[0] not in (VERSION, *roles)]
        found: list[str] = []
        for pair in dict.fromkeys(case.pair for case in group.cases):
            cases = [case for case in group.cases if case.pair == pair]
            text = _expression((*zip(roles, pair, strict=True), *words))
            found += [text] if len(cases) > 1 and self._fits(text, cases) else [case.name for case in cases]
        return tuple(found)

    def _fits(self, text: str, cases: Sequence[Case]) -> bool:
        """Whether an expression fits these cases and no others."""
        if not text:
            return False
        return {self._cases[it] for it in self._fitting.any_of([text])} == set(cases)


def _expression(factors: Sequence[Factor]) -> str:
    return " and ".join(f"{kind}:{word}" for kind, word in factors)


def _name(group: Group) -> str:
    words = [word for _, word in group.factors] or [*group.cases[0].pair, *group.cases[0].words]
    return "-".join(words)[:48]


def _unique(name: str, taken: set[str]) -> str:
    return next(it for it in (name, *(f"{name}.{number}" for number in range(2, 100_000))) if it not in taken)
