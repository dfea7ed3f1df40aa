"""A run as one HTML file that needs nothing else: no network, no server, no other file.

Its data stand in elements that are never executed, its own script and style are allowed by their hashes and nothing
else is, so whatever a stranger's results hold is text. What only a script can show has a plain list beside it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import jinja2

from ci.model import Outcome
from ci.reports.comparison import changed_inputs, common, summary
from ci.reports.expectations import closing
from ci.reports.page.columns import columns, expectation_document
from ci.reports.page.details import BLOCK, detail_blocks
from ci.results.aggregate import CaseVerdict
from ci.results.comparison import Change, compare
from ci.util.text import clip_middle, printable

if TYPE_CHECKING:
    from ci.reports.base import ReportOptions
    from ci.results.comparison import Comparison
    from ci.results.merged import Merged

__all__ = ["HTML"]

ASSETS: Final = files("ci.reports.page") / "assets"
SCRIPTS: Final = (
    "element.js", "data.js", "filters.js", "matrix.js", "list.js", "timeline.js", "details.js", "plots.js",
    "difference.js", "page.js",
)  # fmt: skip
# Without a script the page lists so many cases.
MOST_LISTED: Final = 500
_LISTED: Final = (CaseVerdict.UNEXPECTED, CaseVerdict.ERROR, CaseVerdict.INCOMPLETE, CaseVerdict.FLAKY)


class _Html:
    file_name = "report.html"
    has_page = False

    def render(self, merged: Merged, options: ReportOptions) -> str:
        comparison = None if options.baseline is None else compare(options.baseline, merged)
        script = "\n".join(["'use strict';", "(() => {", *map(_asset, SCRIPTS), "})();"])
        style = _asset("page.css")
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        return environment.from_string(_asset("page.html.jinja")).render(
            suite=merged.suite.name,
            closing=closing(merged),
            policy=f"default-src 'none'; img-src data:; script-src '{_hash(script)}'; style-src '{_hash(style)}'",
            script=script,
            style=style,
            counts=_counts(merged),
            listed=_listed(merged),
            data=_inert(_document(merged, comparison, options)),
            blocks=detail_blocks(
                merged,
                results=options.folder,
                links=options.links,
                comparison=comparison,
                history=options.history,
            ),
        )


def _document(merged: Merged, comparison: Comparison | None, options: ReportOptions) -> dict[str, Any]:
    entries = {it.id: number for number, it in enumerate(merged.expectations)}
    shards = merged.shards
    return {
        **columns(merged, entries, comparison, options.history),
        "closing": closing(merged),
        "plan": merged.plan,
        "block": BLOCK,
        "reasonsPage": options.reasons,
        "shards": [[it.shard, it.state.value, it.run and printable(it.run), it.reported] for it in shards],
        "complete": merged.shards_complete,
        "altered": [printable(it) for it in merged.altered],
        "neglected": list(merged.neglected),
        "expectations": [expectation_document(it) for it in merged.expectations],
        "difference": None if comparison is None else _difference(comparison),
        "evidence": options.folder is not None,
    }


def _difference(comparison: Comparison) -> dict[str, Any]:
    positions = {case.key: number for number, case in enumerate(comparison.head.cases)}
    return {
        "summary": summary(comparison),
        "base": sorted({printable(it.run) for it in comparison.base.shards if it.run is not None}),
        "culprits": [
            {
                "common": printable(common(it)),
                "inputs": [[printable(one.what), one.base, one.head] for one in changed_inputs(it)],
                "cases": [positions[one.case.key] for one in it.failing],
            }
            for it in comparison.culprits
        ],
        "removed": [printable(it.case.name) for it in comparison.of(Change.REMOVED)],
    }


def _counts(merged: Merged) -> Sequence[tuple[str, int]]:
    counts = merged.counts
    rows = [(it.value.replace("-", " "), counts.of(it)) for it in Outcome]
    rows += [("flaky", counts.flaky), ("red as expected", counts.expected), ("stale expectations", counts.stale)]
    return [("planned", counts.planned), *((name, count) for name, count in rows if count)]


def _listed(merged: Merged) -> tuple[list[tuple[str, str, str]], int]:
    rows = list(_rows(merged))
    return rows[:MOST_LISTED], max(0, len(rows) - MOST_LISTED)


def _rows(merged: Merged) -> Iterator[tuple[str, str, str]]:
    for verdict in _LISTED:
        for case in merged.cases:
            if case.verdict is verdict:
                reason = case.result.reason
                text = "" if reason is None else f"{reason.code}: {clip_middle(printable(reason.text), 300)}"
                yield printable(case.name), case.verdict.value, text


def _inert(document: object) -> str:
    """JSON in which nothing can end the element that it stands in."""
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


HTML: Final = _Html()
