"""How many cases of a run had each outcome, on a console."""

from __future__ import annotations

from rich.text import Text

from ci.model import Outcome
from ci.reports.screen import Screen, print_table
from ci.results.merged import Counts, Merged
from ci.terminal.progress import OUTCOME_STYLES

__all__ = ["closing_table"]


def closing_table(console: Screen, results: Merged | Counts) -> None:
    """How many cases had each outcome; every number is there, zeros too, but for those whose stack is believed."""
    counts = results.counts if isinstance(results, Merged) else results
    rows: list[tuple[str, int, str]] = []
    for outcome in Outcome:
        rows.append((str(outcome), counts.of(outcome), OUTCOME_STYLES[outcome]))
        if outcome is Outcome.PASSED:
            rows.append(("  of these flaky", counts.flaky, OUTCOME_STYLES["flaky"]))
            if counts.believed:  # nothing to prove in the suites over a simulated network
                rows.append(("  of these believed", counts.believed, OUTCOME_STYLES["flaky"]))
        if outcome is Outcome.NOT_RUN:
            rows.append(("  of these planned out", counts.planned_out, OUTCOME_STYLES["not-run"]))
    rows.append(("planned", counts.planned, "bold"))
    body = []
    for name, count, style in rows:
        shown = style if count else "dim"
        share = f"{100 * count / counts.planned:.1f} %" if counts.planned else ""
        body.append([Text(name, shown), Text(str(count), shown), Text(share, shown)])
    print_table(console, [Text("outcome"), Text("cases"), Text("share")], body)
