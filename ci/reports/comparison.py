"""A comparison of two runs in words: for a console, as Markdown and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from ci.reports.markdown import code, cut
from ci.results.comparison import Change
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.results.bisection import Bisected
    from ci.results.comparison import Comparison, Culprit, Difference, InputChange
    from ci.results.merged import MergedCase

__all__ = ["as_document", "as_lines", "as_markdown", "summary"]

# A comment on GitHub may have 65,536 characters.
LONGEST_MARKDOWN: Final = 60_000
MOST_CASES: Final = 40
LONGEST_LINE: Final = 400
# Of a digest enough to tell it from others.
LONGEST_VALUE: Final = 24
_WORDS: Final = {change: change.replace("-", " ") for change in Change}


def as_lines(comparison: Comparison, proved: Sequence[Bisected] = ()) -> Iterator[str]:
    """For a console, the worst last so that it stays on the screen."""
    for change in reversed(Change):
        found = comparison.of(change)
        if change in (Change.REMOVED, Change.NEW, Change.STILL_FAILING) and found:
            yield f"{_WORDS[change]}: {counted(len(found), 'case')}"
        elif change is not Change.NEWLY_FAILING:
            yield from _listed(found, lambda it: f"{_WORDS[it.change]}: {it.case.name}{_became(it)}")
    for culprit in reversed(comparison.culprits):
        yield from _listed(culprit.failing, lambda it: f"newly failing: {it.case.name}{_became(it)}{_known(it)}")
        yield f"  {common(culprit)}"
        yield from (f"  {_input(it)}" for it in changed_inputs(culprit))
    yield from (line for it in proved for line in _bisected(it))
    yield summary(comparison)


def as_markdown(comparison: Comparison, proved: Sequence[Bisected] = (), *, most_bytes: int = LONGEST_MARKDOWN) -> str:
    """The difference first; cut at a line, with a note, where it would be too long."""
    lines = [f"**{summary(comparison)}**"]
    for culprit in comparison.culprits:
        lines += ["", f"newly failing, {code(common(culprit))}", ""]
        lines += [f"* {code(_input(it))}" for it in changed_inputs(culprit)]
        lines += [_item(it) for it in culprit.failing[:MOST_CASES]]
        lines += _and_more(culprit.failing)
    if proved:
        lines += ["", *(f"* {code(line.strip(), LONGEST_LINE)}" for it in proved for line in _bisected(it))]
    for change in Change:
        found = comparison.of(change)
        if found and change is not Change.NEWLY_FAILING:
            lines += ["", f"<details><summary>{_WORDS[change]}: {counted(len(found), 'case')}</summary>", ""]
            lines += [_item(it) for it in found[:MOST_CASES]]
            lines += _and_more(found)
            lines += ["", "</details>"]
    return cut(lines, most_bytes)


def _and_more(found: Sequence[Difference]) -> list[str]:
    return [f"* and {len(found) - MOST_CASES} more"] if len(found) > MOST_CASES else []


def _item(difference: Difference) -> str:
    why = f"{_became(difference)}{_known(difference)}".removeprefix(": ")
    return f"* {code(difference.case.name)}" + (f" {code(why)}" if why else "")


def _bisected(found: Bisected) -> Iterator[str]:
    yield f"bisect: {found.case.name}: {found.conclusion}"
    yield from (f"  with {it.what}: {it.passed} of {it.of} passed" for it in found.rounds)


def as_document(comparison: Comparison, proved: Sequence[Bisected] = ()) -> dict[str, Any]:
    """For programs."""
    return {
        "schema": 1,
        "suite": comparison.head.suite.name,
        "counts": {change.value: len(comparison.of(change)) for change in Change} | {"unchanged": comparison.unchanged},
        "culprits": [
            {
                "factors": [{"kind": kind, "word": word} for kind, word in it.factors],
                "failing": [difference.case.key for difference in it.failing],
                "of": it.of,
            }
            for it in comparison.culprits
        ],
        "bisected": [
            {
                "key": it.case.key,
                "conclusion": it.conclusion,
                "image": it.image,
                "rounds": [{"with": one.what, "passed": one.passed, "of": one.of} for one in it.rounds],
            }
            for it in proved
        ],
        "cases": [
            {
                "case": it.case.name,
                "key": it.case.key,
                "change": it.change.value,
                "expected": it.expected,
                "base": _side(it.base),
                "head": _side(it.head),
                "inputs": [{"what": one.what, "base": one.base, "head": one.head} for one in it.inputs],
            }
            for it in comparison.differences
        ],
    }


def summary(comparison: Comparison) -> str:
    """`3 newly failing, 1 fixed, 96 unchanged`."""
    counts = [(len(comparison.of(change)), _WORDS[change]) for change in Change]
    parts = [f"{count} {words}" for count, words in counts if count]
    return ", ".join([*parts, f"{comparison.unchanged} unchanged"])


def common(culprit: Culprit) -> str:
    """`all 14 have listener go-v0.51 (14 of 20 cases with it fail)`."""
    if not culprit.factors:
        return "nothing in common with others: this pair, or chance"
    words = " and ".join(f"{kind} {word}" for kind, word in culprit.factors)
    count = len(culprit.failing)
    return f"{'both' if count == 2 else f'all {count}'} have {words} ({count} of {culprit.of} cases with it fail)"


def changed_inputs(culprit: Culprit) -> list[InputChange]:
    """What changed in every case of the group."""
    first, *others = culprit.failing
    return [it for it in first.inputs if all(it in other.inputs for other in others)]


def _input(change: InputChange) -> str:
    return f"what changed: {change.what}: {_short(change.base)} → {_short(change.head)}"


def _short(value: str | None) -> str:
    if value is None:
        return "not known"
    return f"{value[:LONGEST_VALUE]}…" if len(value) > LONGEST_VALUE else value


def _became(difference: Difference) -> str:
    shown = difference.head or difference.base
    reason = None if shown is None else shown.result.reason
    return "" if reason is None or not reason.text else f": {reason.text.splitlines()[0]}"


def _known(difference: Difference) -> str:
    known = None if difference.head is None else difference.head.expectation
    return f" (expected: {known.id})" if difference.expected and known is not None else ""


def _side(case: MergedCase | None) -> dict[str, Any] | None:
    if case is None:
        return None
    reason = case.result.reason
    return {
        "outcome": case.result.outcome.value,
        "verdict": case.verdict.value,
        "flaky": case.result.flaky is not None,
        "reason": None if reason is None else {"code": reason.code.value, "text": reason.text, "side": reason.side},
    }


def _listed(found: Sequence[Difference], line: Any) -> Iterator[str]:
    yield from map(line, found[:MOST_CASES])
    if len(found) > MOST_CASES:
        yield f"{_WORDS[found[0].change]}: and {len(found) - MOST_CASES} more, all of them in --format json"
