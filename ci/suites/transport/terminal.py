"""The matrix of the transport suite on a console, a table per stack.

Rich tables on a terminal, aligned plain text elsewhere. Signs as well as colours, so that either is enough.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from ci.model import Proof
from ci.reports.order import by_code_unit, words_order
from ci.reports.screen import Screen, print_table, that_fit
from ci.results.merged import Merged, MergedCase
from ci.terminal.progress import OUTCOME_STYLES

__all__ = ["matrix_table"]

LATENCY: Final = "handshakePlusOneRTTMillis"
_CORNER: Final = ("dialer ↓ listener →", "dialer \\ listener")
# Outcome → sign, plain word.
_SIGNS: Final = {
    "passed": ("✔", "ok"),
    "flaky": ("≈", "flaky"),
    "failed": ("✘", "FAIL"),
    "timed-out": ("◷", "TIME"),
    "unsupported": ("∅", "UNSUP"),
    "not-run": ("·", "-"),
    "error": ("!", "error"),
}
_BELIEVED: Final = ("†", "?")


def matrix_table(console: Screen, merged: Merged) -> None:
    """One matrix per stack, dialers down, listeners across, with the milliseconds from dial to first pong."""
    stacks: dict[tuple[str, ...], list[MergedCase]] = {}
    for case in sorted(merged.cases, key=lambda case: words_order(case.words)):
        stacks.setdefault(case.words, []).append(case)
    for words, cases in stacks.items():
        console.info(f"\n{', '.join(words)}", style="bold")
        cells = {case.pair: _cell(console, case) for case in cases}
        dialers = sorted({dialer for dialer, _ in cells}, key=by_code_unit)
        listeners = sorted({listener for _, listener in cells}, key=by_code_unit)
        names = {name: console.styled(name) for name in {*dialers, *listeners}}
        first = max(names[dialer].cell_len for dialer in dialers)
        corner = console.styled(console.symbol(*_CORNER))
        columns = {
            listener: [names[listener], *(text for (_, other), text in cells.items() if other == listener)]
            for listener in listeners
        }
        for part in that_fit(console, max(first, corner.cell_len), columns):
            print_table(
                console,
                [corner, *(names[name] for name in part)],
                [[names[dialer], *(cells.get((dialer, listener), Text()) for listener in part)] for dialer in dialers],
            )
    signs = ", ".join(f"{console.symbol(*signs)} {outcome}" for outcome, signs in _SIGNS.items())
    if merged.counts.believed:
        signs += f", {console.symbol(*_BELIEVED)} stack believed, not proved"
    blank = "not in the matrix, or not selected" if merged.unselected else "not in the matrix"
    console.info(f"{signs}; empty: {blank}; numbers are milliseconds from dial to first pong")


def _cell(console: Screen, case: MergedCase) -> Text:
    word = "flaky" if case.result.flaky is not None else str(case.result.outcome)
    latency = case.result.metrics.get(LATENCY)
    sign = console.symbol(*_SIGNS[word])
    if case.result.proof is Proof.BELIEVED:
        sign += console.symbol(*_BELIEVED)
    return console.styled(sign if latency is None else f"{sign} {latency:.0f}", OUTCOME_STYLES[word])
