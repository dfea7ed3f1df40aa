"""JUnit XML, in the dialect of Maven Surefire that CI systems read: repeated attempts have elements of their own.

Each case is there once. Red as expected, unsupported and left out is *skipped*; what is missing or broke the harness is
an *error*; so failures, errors, skipped and passed cases add up to all that were planned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as Xml

from ci.model import Outcome
from ci.reports.formats.text import in_xml
from ci.results.aggregate import CaseVerdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged, MergedCase
    from ci.results.records import Attempt

__all__ = ["JUNIT"]

_ERRORS: Final = (CaseVerdict.ERROR, CaseVerdict.INCOMPLETE)
_SKIPPED: Final = (CaseVerdict.EXPECTED, CaseVerdict.UNSUPPORTED, CaseVerdict.GREY)


class _JUnit:
    file_name = "junit.xml"
    has_page = False

    def render(self, merged: Merged, options: ReportOptions) -> bytes:
        root = Xml.Element("testsuites", {"name": f"{merged.suite} interoperability", **_counts(merged.cases)})
        by_words: dict[tuple[str, ...], list[MergedCase]] = {}
        for case in merged.cases:
            by_words.setdefault(case.words, []).append(case)
        for words, cases in by_words.items():
            suite = Xml.SubElement(root, "testsuite", {"name": in_xml(", ".join(words)), **_counts(cases)})
            properties = Xml.SubElement(suite, "properties")
            Xml.SubElement(properties, "property", name="reasons", value=in_xml(options.reasons))
            for case in cases:
                _add(suite, case, merged.suite.name)
        Xml.indent(root)
        return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(cases: Sequence[MergedCase]) -> dict[str, str]:
    verdicts = [case.verdict for case in cases]
    return {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(CaseVerdict.UNEXPECTED)),
        "errors": str(sum(it in _ERRORS for it in verdicts)),
        "skipped": str(sum(map(_is_skipped, cases))),
    }


def _is_skipped(case: MergedCase) -> bool:
    return case.verdict in _SKIPPED and case.result.outcome is not Outcome.PASSED


def _add(suite: Xml.Element, case: MergedCase, name: str) -> None:
    attempts = tuple(case.attempts)
    seconds = sum(it.durations.get("total", 0) for it in attempts) / 1000
    test = Xml.SubElement(
        suite,
        "testcase",
        name=in_xml(f"{case.first} x {case.second}"),
        classname=in_xml(".".join([name, *case.words])),
        time=f"{seconds:.3f}",
    )
    reason = case.result.reason
    text = "" if reason is None else reason.text
    kind = case.result.outcome.value if reason is None else reason.code.value
    if case.verdict is CaseVerdict.UNEXPECTED:
        Xml.SubElement(test, "failure", message=in_xml(text), type=kind)
        _repeated(test, "rerunFailure", case.counted[1:])
    elif case.verdict in _ERRORS:
        Xml.SubElement(test, "error", message=in_xml(text), type=kind)
    elif _is_skipped(case):
        known = case.expectation if case.verdict is CaseVerdict.EXPECTED else None
        about = kind if known is None else f"expected, {known.id}: {known.reason or 'no reason given'}"
        Xml.SubElement(test, "skipped", message=in_xml(f"{about}; {text}" if text else about))
    elif case.result.flaky is not None:
        _repeated(test, "flakyFailure", [it for it in case.counted if it.outcome is not Outcome.PASSED])
    if (repro := next((it.repro for it in attempts if it.repro), None)) is not None:
        Xml.SubElement(test, "system-out").text = in_xml(f"again: {repro}")


def _repeated(test: Xml.Element, element: str, attempts: Iterable[Attempt]) -> None:
    for attempt in attempts:
        if attempt.reason is not None:
            Xml.SubElement(test, element, message=in_xml(attempt.reason.text), type=attempt.reason.code.value)


JUNIT: Final = _JUnit()
