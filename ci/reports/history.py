"""One cell through the runs in lines for a console, and what there is to do about all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ci.model import Expected, Outcome
from ci.results.history import EVIDENCE, history_of, images_of, keys_in
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.model import Case, Expectation
    from ci.results.history import Cell, CellHistory, HistoryRun

__all__ = ["case_lines", "proposals"]

# Green so often one after the other, it is not expected to fail any more.
LONG_GREEN: Final = 30
_LETTERS: Final = {
    Outcome.PASSED: "✔",
    Outcome.FAILED: "✘",
    Outcome.TIMED_OUT: "◷",
    Outcome.UNSUPPORTED: "∅",
}


def case_lines(case: Case, runs: Sequence[HistoryRun]) -> Iterator[str]:
    """The strip, the newest run last; when it was last green and last not; how often with the same images."""
    history = history_of(case.key, runs)
    yield f"{case.name}, {counted(len(runs), 'run')}, the newest last:"
    yield f"  {''.join(_letter(cell) for cell in history.cells)}"
    for word, green in (("green", True), ("not green", False)):
        found = history.last(green=green)
        yield f"  last {word}: " + ("never" if found is None else _moment(case, *found))
    same = len(history.same_images)
    yield f"  with its newest images: {history.not_green} of {counted(same, 'run')} not green; {_label(history)}"


def _letter(cell: Cell | None) -> str:
    if cell is None:
        return "·"
    return "≈" if cell.flaky else _LETTERS[cell.outcome]


def _moment(case: Case, run: HistoryRun, cell: Cell) -> str:
    reason = "" if cell.code is None else f", {cell.code}"
    numbers = "".join(f", {name} {value:g}" for name, value in cell.numbers.items())
    images = zip(case.pair, images_of(run, cell), strict=False)
    digests = "".join(f"; {version} {digest[:19]}" for version, digest in images)
    return f"run {run.run} of {run.time[:10]}{reason}{numbers}{digests}"


def _label(history: CellHistory) -> str:
    if history.is_flaky is None:
        return f"no label from fewer than {EVIDENCE}"
    if not history.is_flaky:
        return "always the same"
    return f"flaky, not green in at least {100 * history.at_least:.0f} % of runs"


def proposals(
    runs: Sequence[HistoryRun], names: Mapping[str, str], expected: Mapping[str, Expectation]
) -> Iterator[str]:
    """Which cells to expect to be flaky, and which expectations to delete.

    :param names: of the cases there are, by key
    :param expected: what is known of them, by key
    """
    by_entry: dict[str, list[CellHistory]] = {}
    for key in keys_in(runs):
        if key not in names:
            continue
        history, known = history_of(key, runs), expected.get(key)
        if known is None and history.is_flaky:
            share = f"{history.not_green} of {counted(len(history.same_images), 'run')}"
            yield f"flaky, and not expected to be: {names[key]}: not green in {share}"
        if known is not None and known.expect is not Expected.UNSUPPORTED:
            by_entry.setdefault(known.id, []).append(history)
    for name, histories in by_entry.items():
        shortest = min(history.green_since for history in histories)
        if shortest >= LONG_GREEN:
            yield f"all cases of `{name}` were green in their last {shortest} runs: delete this expectation"
