"""Prometheus text, for a text file collector or a gateway: how many cases came to what, and each case's own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.results.aggregate import CaseVerdict
from ci.util.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ci.model import Case
    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged

__all__ = ["PROMETHEUS"]


class _Prometheus:
    file_name = "metrics.prom"
    has_page = False

    def render(self, merged: Merged, _: ReportOptions) -> str:
        return "".join(f"{line}\n" for line in _lines(merged))


def _lines(merged: Merged) -> Iterator[str]:
    suite = {"suite": merged.suite.name}
    yield "# HELP interop_cases Planned cases by what was measured."
    yield "# TYPE interop_cases gauge"
    for outcome in Outcome:
        yield _sample("interop_cases", {**suite, "outcome": outcome.value}, merged.counts.of(outcome))
    yield "# HELP interop_verdicts Planned cases by what their results mean, given what was expected."
    yield "# TYPE interop_verdicts gauge"
    verdicts = [case.verdict for case in merged.cases]
    for meaning in CaseVerdict:
        yield _sample("interop_verdicts", {**suite, "verdict": meaning.value}, verdicts.count(meaning))
    yield "# HELP interop_case_passed Whether a case that was run passed."
    yield "# TYPE interop_case_passed gauge"
    ran = [case for case in merged.cases if case.result.outcome.conclusive]
    for case in ran:
        yield _sample("interop_case_passed", _labels(case.case), int(case.result.outcome is Outcome.PASSED))
    yield "# HELP interop_case_metric What a case measured, in the units of its name."
    yield "# TYPE interop_case_metric gauge"
    for case in ran:
        for name, value in sorted(case.result.metrics.items()):
            yield _sample("interop_case_metric", {**_labels(case.case), "metric": name}, value)


def _labels(case: Case) -> Mapping[str, str]:
    words = {param.dimension: word for param, word in zip(case.suite.params, case.params, strict=True) if word}
    return {"suite": case.suite.name, **case.versions, **words}


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{inside}}} {value:g}"


def _escaped(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


PROMETHEUS: Final = _Prometheus()
