"""The cases of a run as columns of numbers and tables of words: what the page needs of all cases at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ci.model import Outcome
from ci.reports.families import families_of
from ci.reports.page.labels import short_labels
from ci.reports.reasons import EXPLANATIONS
from ci.results.aggregate import CaseVerdict
from ci.results.comparison import Change
from ci.util.text import clip_middle, printable

if TYPE_CHECKING:
    from ci.model import Expectation
    from ci.results.comparison import Comparison
    from ci.results.history import HistoryRun
    from ci.results.merged import Merged, MergedCase

__all__ = ["Words", "columns"]

# Of a reason in lists; the details have all of it.
SHORT: Final = 200
_OUTCOMES: Final = list(Outcome)
_VERDICTS: Final = list(CaseVerdict)
_CHANGES: Final = list(Change)


class Words:
    """A table of words, and where each is in it."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._places: dict[str, int] = {}
        for word in words:
            self.place(word)

    def place(self, word: str | None) -> int:
        """-1 for None."""
        return -1 if word is None else self._places.setdefault(word, len(self._places))

    @property
    def table(self) -> list[str]:
        return list(self._places)


def columns(
    merged: Merged, expectations: Mapping[str, int], comparison: Comparison | None, history: tuple[HistoryRun, ...]
) -> dict[str, Any]:
    """:param expectations: positions of entries by their id"""
    cases = merged.cases
    versions, reasons, codes, families = Words(), Words(), Words(), families_of(cases)
    stacks: dict[tuple[str | None, ...], int] = {}
    metrics = sorted({name for case in cases for name in case.result.metrics})
    changes = {} if comparison is None else {it.case.key: it.change for it in comparison.differences}
    of_case = [
        (
            versions.place(case.first),
            versions.place(case.second),
            stacks.setdefault(case.case.params, len(stacks)),
            _OUTCOMES.index(case.result.outcome),
            _VERDICTS.index(case.verdict),
            codes.place(None if case.result.reason is None else case.result.reason.code.value),
            reasons.place(_short(case)),
            -1 if case.expectation is None else expectations[case.expectation.id],
            _CHANGES.index(changes[case.key]) if case.key in changes else -1,
        )
        for case in cases
    ]
    names = ("first", "second", "stack", "outcome", "verdict", "code", "reason", "expectation", "change")
    suite = merged.suite
    words = [printable(", ".join(word for word in params if word is not None)) for params in stacks]
    return {
        "suite": suite.name,
        "roles": suite.roles,
        "params": [{"called": it.called, "dimension": it.dimension} for it in suite.params],
        "perPair": len(suite.params) == 1,
        "versions": [printable(it) for it in versions.table],
        "families": [printable(families.get(it, it)) for it in versions.table],
        "stacks": [{"name": name, "words": list(params)} for name, params in zip(words, stacks, strict=True)],
        "labels": short_labels(words),
        "outcomes": [it.value for it in _OUTCOMES],
        "verdicts": [it.value for it in _VERDICTS],
        "changes": [it.value for it in _CHANGES],
        "codes": codes.table,
        "explanations": {
            code.value: [it.means, it.usually, it.advice]
            for code, it in EXPLANATIONS.items()
            if code.value in codes.table
        },
        "reasons": reasons.table,
        "metrics": metrics,
        "runs": [[printable(it.run), it.time] for it in history],
        "keys": "".join(case.key for case in cases),
        "cases": dict(zip(names, map(list, zip(*of_case, strict=True)), strict=True)) if of_case else {},
        "numbers": {name: [_rounded(case.result.metrics.get(name)) for case in cases] for name in metrics},
    }


def _short(case: MergedCase) -> str | None:
    reason = case.result.reason
    return None if reason is None else clip_middle(printable(reason.text), SHORT)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def expectation_document(it: Expectation) -> dict[str, Any]:
    """An entry as the page shows it."""
    return {
        "id": printable(it.id),
        "expect": it.expect.value,
        "reason": None if it.reason is None else printable(it.reason),
        "link": it.link,
        "owner": it.owner,
        "since": None if it.since is None else it.since.isoformat(),
        "expires": None if it.expires is None else it.expires.isoformat(),
        "place": it.place,
    }
