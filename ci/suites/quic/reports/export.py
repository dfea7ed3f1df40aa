"""Merged results in the established runner's JSON (quic-interop contract, section 5.2), for programs that read that.

Every planned case is in it exactly once, but for measurements without a value, which that runner leaves out too. Names
are such that its page can select by them. They are sorted and what that format does not know stands in further keys
(`docs/results-format.md`), so it depends on nothing but the merged results.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.model import Outcome
from ci.reports.order import by_code_unit
from ci.reports.page_names import page_names
from ci.suites.quic.reports.auto_unsupported import auto_unsupported, default_exemption
from ci.suites.quic.reports.matrix import rate
from ci.suites.quic.reports.planned_tests import planned_tests
from ci.util.suggest import did_you_mean, shown

if TYPE_CHECKING:
    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged, MergedCase
    from ci.results.records import Attempt
    from ci.suites.quic.testcases.base import TestCase
    from ci.util.json_document import Json

__all__ = ["QUIC_INTEROP_RUNNER", "interop_export"]

# The established words. A case without one has no result: its pair was skipped, or the harness broke.
_RESULTS: Final = {
    Outcome.PASSED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "failed",
    Outcome.UNSUPPORTED: "unsupported",
}
# No test case asks for another version as the first.
_QUIC_VERSION: Final = "0x1"


def interop_export(
    merged: Merged, *, urls: Mapping[str, str], log_dir: str, exempt: Collection[str] | None = None
) -> dict[str, Json]:
    """The document.

    :param urls: of the projects, by version; unknown ones are empty
    :param log_dir: where a reader finds `<server>_<client>/<test case>/`, relative to the page that shows the matrix
    :param exempt: see `auto_unsupported`
    :raises ConfigurationError: the results are of another suite, or hold a test case nobody knows
    """
    exempt = default_exemption(merged) if exempt is None else exempt
    automatic = auto_unsupported(merged, exempt=exempt)
    known = planned_tests(merged)
    tests = [test for test in known if not test.is_measurement]
    measurements = [test for test in known if test.is_measurement]
    clients = sorted({case.first for case in merged.cases}, key=by_code_unit)
    servers = sorted({case.second for case in merged.cases}, key=by_code_unit)
    cells = {(case.first, case.second, case.words[0]): case for case in merged.cases}
    pairs = [(client, server) for client in clients for server in servers]

    names = page_names({*clients, *servers})

    def of(pair: tuple[str, str], what: list[TestCase]) -> list[Json]:
        found = ((test, cells.get((*pair, test.name))) for test in what)
        items = [_item(test, case, automatic) for test, case in found if case is not None]
        return [it for it in items if it["result"] is not None or "details" not in it]

    begin, end = _span(merged)
    return {
        "start_time": begin,
        "end_time": end,
        "log_dir": log_dir,
        "servers": [names[server] for server in servers],
        "clients": [names[client] for client in clients],
        "urls": {name: urls.get(version, "") for version, name in names.items()},
        "tests": {test.abbreviation: {"name": test.name, "desc": test.description} for test in known},
        "quic_version": _QUIC_VERSION,
        "results": [of(pair, tests) for pair in pairs],
        "measurements": [of(pair, measurements) for pair in pairs],
        # From here on what the established format does not know.
        "suite": merged.suite.name,
        "plan": merged.plan,
        "runs": list(dict.fromkeys(shard.run for shard in merged.shards if shard.run is not None)),
        "versions": {name: version for version, name in names.items()},
        "images": _images(merged),
        "noAutoUnsupported": sorted(exempt),
    }


def _item(test: TestCase, case: MergedCase, automatic: frozenset[str]) -> dict[str, Json]:
    measured = _RESULTS.get(case.result.outcome)
    reason = case.result.reason
    tried = [attempt for position, attempt in enumerate(case.attempts) if position not in case.superseded]
    item: dict[str, Json] = {
        "abbr": test.abbreviation,
        "name": test.name,
        "result": "unsupported" if case.key in automatic else measured,
        "raw": measured,
        "outcome": case.result.outcome.value,
        "flaky": case.result.flaky is not None,
        "reason": None if reason is None else {"code": reason.code.value, "text": reason.text, "side": reason.side},
        "attempts": sum(attempt.outcome is not Outcome.NOT_RUN for attempt in tried),
        "seconds": round(sum(attempt.durations.get("total", 0.0) for attempt in tried) / 1000, 3),
        "key": case.key,
    }
    if test.is_measurement:
        item["details"] = rate(case)
        item["metrics"] = dict(case.result.metrics)
    return item


def _span(merged: Merged) -> tuple[float, float]:
    """From the first attempt's start to the last one's end, Unix time; zeros where nothing was tried."""
    moments = [moment for case in merged.cases for attempt in case.attempts for moment in _moments(attempt)]
    return (min(moments), max(moments)) if moments else (0.0, 0.0)


def _moments(attempt: Attempt) -> tuple[float, ...]:
    if attempt.started_at is None:
        return ()
    start = datetime.fromisoformat(attempt.started_at.replace("Z", "+00:00")).timestamp()
    return start, round(start + attempt.durations.get("total", 0.0) / 1000, 3)


def _images(merged: Merged) -> dict[str, Json]:
    """Digests of what really ran, by version; the simulator and its like are versions too. Normally one each."""
    found: dict[str, set[str]] = {}
    for case in merged.cases:
        for attempt in case.attempts:
            for role in attempt.roles.values():
                if role.image_digest is not None:
                    found.setdefault(role.version, set()).add(role.image_digest)
    return {version: sorted(digests) for version, digests in found.items()}


class _QuicInteropRunner:
    """The established runner's `result.json`. See `ci.reports.base.Report`."""

    file_name = "result.json"
    has_page = True

    def render(self, merged: Merged, options: ReportOptions, /) -> str:
        words = options.never_automatic
        exempt = None if words is None else _named(words, merged)
        document = interop_export(merged, urls=options.urls, log_dir=options.log_dir, exempt=exempt)
        return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _named(words: str, merged: Merged) -> frozenset[str]:
    """The versions of this run that a comma-separated list names; `*` and `?` stand for any characters."""
    known = {name for case in merged.cases for name in case.pair}
    found: set[str] = set()
    for word in filter(None, (word.strip() for word in words.split(","))):
        matches = {name for name in known if fnmatchcase(name, word)}
        if not matches:
            raise ConfigurationError(
                "unknown-version",
                f"--no-auto-unsupported names `{shown(word)}`, which is no version of this run"
                f"{did_you_mean(word, known)}",
                hint=f"the versions are {', '.join(sorted(known))}",
            )
        found |= matches
    return frozenset(found)


QUIC_INTEROP_RUNNER: Final = _QuicInteropRunner()
