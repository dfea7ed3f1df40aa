"""All that is known of single cases: read when one is opened, and compressed until then."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci.model import Outcome
from ci.reports.page.timeline import timeline
from ci.results.aggregate import CaseVerdict
from ci.results.history import history_of
from ci.util.text import clip_middle, printable, printable_lines

if TYPE_CHECKING:
    from ci.results.comparison import Comparison
    from ci.results.history import Cell, HistoryRun
    from ci.results.merged import Merged
    from ci.results.records import Attempt

__all__ = ["detail_blocks"]

# So many cases are unpacked together.
BLOCK: Final = 200
# Of all timelines together, before compression: those of cases that are not green first.
TIMELINE_BYTES: Final = 24 << 20
LONGEST_TEXT: Final = 2000
LONGEST_STRIP: Final = 60
_GREEN: Final = frozenset({CaseVerdict.GREEN, CaseVerdict.GREY, CaseVerdict.UNSUPPORTED})
_LETTERS: Final = {
    Outcome.PASSED: "p",
    Outcome.FAILED: "f",
    Outcome.TIMED_OUT: "t",
    Outcome.UNSUPPORTED: "u",
}


def detail_blocks(
    merged: Merged,
    *,
    results: Path | None,
    links: Mapping[tuple[str, str], str],
    comparison: Comparison | None,
    history: tuple[HistoryRun, ...],
) -> Iterator[str]:
    """The details of every case, in the order of the cases and `BLOCK` at a time: JSON, gzip, base64.

    :param results: folder of the run, with the evidence; None where only merged results are at hand
    :param links: where a reader of the page finds a file of evidence: by run and path
    """
    timelines = _timelines(merged, results)
    inputs = {} if comparison is None else {it.case.key: it.inputs for it in comparison.differences}
    for begin in range(0, len(merged.cases), BLOCK):
        block = [
            {
                "attempts": [
                    _attempt(it, timelines.get((case.key, number)), links, number in case.superseded)
                    for number, it in enumerate(case.attempts)
                ],
                "flaky": None if case.result.flaky is None else [case.result.flaky.passed, case.result.flaky.of],
                "differs": case.differs,
                "inputs": [[_line(it.what), it.base, it.head] for it in inputs.get(case.key, ())],
                "history": _strip(case.key, history),
            }
            for case in merged.cases[begin : begin + BLOCK]
        ]
        data = json.dumps(block, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()
        # No time in it: equal results are equal bytes.
        yield base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def _timelines(merged: Merged, results: Path | None) -> dict[tuple[str, int], dict[str, Any]]:
    found: dict[tuple[str, int], dict[str, Any]] = {}
    if results is None:
        return found
    left = TIMELINE_BYTES
    for case in sorted(merged.cases, key=lambda it: it.verdict in _GREEN):
        for number, attempt in enumerate(case.attempts):
            if left <= 0:
                return found
            lines, out = timeline(attempt, results)
            if lines:
                found[case.key, number] = {
                    "lines": [[it.at, it.clock, it.lane, it.stream, it.text] for it in lines],
                    "out": out,
                }
                left -= sum(len(it.text) + 40 for it in lines)
    return found


def _attempt(
    attempt: Attempt, events: Mapping[str, Any] | None, links: Mapping[tuple[str, str], str], superseded: bool
) -> dict[str, Any]:
    reason = attempt.reason
    return {
        "kind": attempt.kind,
        "number": attempt.attempt,
        "run": _line(attempt.run),
        "shard": attempt.shard,
        "superseded": superseded,
        "outcome": attempt.outcome.value,
        "reason": None
        if reason is None
        else {"code": reason.code.value, "text": _text(reason.text), "side": reason.side, "phase": reason.phase},
        "started": attempt.started_at,
        "durations": dict(attempt.durations),
        "metrics": dict(attempt.metrics),
        "negotiated": None
        if attempt.negotiated is None
        else {_line(k): _line(v) for k, v in attempt.negotiated.items()},
        "proof": None if attempt.proof is None else attempt.proof.value,
        "published": [_line(it) for it in attempt.published],
        "warnings": [_text(it) for it in attempt.warnings],
        "roles": {
            role: {
                "version": _line(it.version),
                "digest": it.image_digest,
                "key": it.build_key,
                "exit": it.exit_code,
                "signal": it.signal,
                "oom": it.oom,
            }
            for role, it in attempt.roles.items()
        },
        "engine": _object(attempt.engine),
        "host": _object(attempt.host),
        "limits": _object(attempt.limits),
        "seed": attempt.seed,
        "repro": None if attempt.repro is None else _line(attempt.repro),
        "reused": None if attempt.reused is None else [_line(attempt.reused.run), attempt.reused.attempt],
        "evidence": [
            [file.role, file.stream, _line(file.name or file.path), file.size, links.get((attempt.run, file.path))]
            for file in attempt.evidence
        ],
        "timeline": events,
    }


def _strip(key: str, history: tuple[HistoryRun, ...]) -> dict[str, Any] | None:
    if not history:
        return None
    of_case = history_of(key, history)
    return {
        "strip": "".join(map(_letter, of_case.cells[-LONGEST_STRIP:])),
        "codes": [None if it is None else it.code and it.code.value for it in of_case.cells[-LONGEST_STRIP:]],
        "notGreen": of_case.not_green,
        "of": len(of_case.same_images),
        "flaky": of_case.is_flaky,
        "atLeast": round(of_case.at_least, 3),
    }


def _letter(cell: Cell | None) -> str:
    if cell is None:
        return "."
    return "~" if cell.flaky else _LETTERS[cell.outcome]


def _line(text: str) -> str:
    return clip_middle(printable(text), LONGEST_TEXT)


def _text(text: str) -> str:
    return clip_middle(printable_lines(text), LONGEST_TEXT)


def _object(value: Mapping[str, Any]) -> dict[str, str]:
    """Free-form objects are shown as words."""
    return {_line(name): _line(str(it)) for name, it in value.items() if it is not None}
