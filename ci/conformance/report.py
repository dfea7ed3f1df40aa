"""What `check-image` found, as plain lines for people and as data for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ci.conformance.base import Level, Status, count, last_line
from ci.spec.attempt import MIB
from ci.suites.transport.words import TRANSPORT
from ci.util.text import clip_middle, counted, printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ci.conformance.base import Acceptance, Behaviour, Report, Result

__all__ = ["as_data", "closing", "render", "result_data", "result_lines"]

MARKS: Final = {Status.PASSED: "✓", Status.FAILED: "✗", Status.SKIPPED: "–"}
DOCUMENT: Final = "docs/image-contracts.md"


def render(report: Report) -> str:
    """The whole report, the closing line last. What images say of themselves is in it, made harmless."""
    return printable_lines("\n".join(_lines(report))) + "\n"


def _lines(report: Report) -> Iterator[str]:
    image = report.image
    yield f"{image.reference} ({image.digest[:19]}, {image.architecture}, {image.size / MIB:.0f} MiB)"
    for seen in report.behaviours:
        yield ""
        yield f"stacks, {seen.contract} generation"
        yield from _stacks(seen)
    for contract in dict.fromkeys(result.contract for result in report.results):
        yield ""
        yield "the image itself" if contract is None else f"checks, {contract} generation"
        for result in report.results:
            if result.contract is contract:
                yield from result_lines(result)
    yield ""
    yield closing(report.results)


def _stacks(seen: Behaviour) -> Iterator[str]:
    trips = {trip.stack: trip for trip in seen.trips}
    width = max((len(str(it.stack)) for it in seen.acceptance), default=0)
    for it in seen.acceptance:
        roles = [role for role in TRANSPORT.roles if it.accepted(role)]
        trip = trips.get(it.stack)
        if not roles:
            yield f"  – {it.stack!s:<{width}}  not accepted: {_refusal(it)}"
        elif trip is None:
            yield f"  – {it.stack!s:<{width}}  accepted as {roles[0]} only, so not tried: {_refusal(it)}"
        elif trip.passed:
            times = ", ".join(f"{name} {value:.1f}" for name, value in trip.verdict.metrics.items())
            yield f"  ✓ {it.stack!s:<{width}}  {times}{' (with the peer)' if trip.peer else ''}"
        else:
            reason = trip.verdict.reason
            yield f"  ✗ {it.stack!s:<{width}}  {trip.verdict.outcome}: {reason.text if reason else 'no reason given'}"


def _refusal(it: Acceptance) -> str:
    """What the first role that did not take it had to say."""
    for role, trace in it.traces.items():
        if not it.accepted(role):
            ending = "neither accepted nor refused" if trace.end is None else f"exit code {trace.end.exit_code}"
            return f"{role}: {ending}; {clip_middle(last_line(trace), 160)}"
    return ""


def result_lines(result: Result, document: str = DOCUMENT) -> Iterator[str]:
    """What became of one check, and below it what is to be done.

    :param document: whose sections the check names
    """
    note = f" ({result.note})" if result.note else ""
    hint = "" if result.level is Level.MUST else " [should]"
    yield f"  {MARKS[result.status]} {result.code:<22} {result.title}{hint}{note}"
    if result.finding is not None:
        for what in result.finding.what:
            yield f"      {what}"
        yield f"      why it matters: {result.finding.why}"
        yield f"      do this: {result.finding.hint} ({document}, {result.section})"


def closing(results: Sequence[Result]) -> str:
    """The line that sums up."""
    failed, warnings = count(results, Status.FAILED, Level.MUST), count(results, Status.FAILED, Level.SHOULD)
    return (
        f"{counted(len(results), 'check')}: {count(results, Status.PASSED)} passed, {failed} failed, "
        f"{counted(warnings, 'warning')}, {count(results, Status.SKIPPED)} skipped"
    )


def as_data(report: Report) -> dict[str, Any]:
    """The report as what JSON can hold; stacks by their words, never by a name that has to be parsed."""
    return {
        "image": asdict(report.image),
        "passed": report.passed,
        "stacks": [_stack_data(seen, it) for seen in report.behaviours for it in seen.acceptance],
        "checks": [
            result_data(result) | {"contract": None if result.contract is None else str(result.contract)}
            for result in report.results
        ],
    }


def result_data(result: Result) -> dict[str, Any]:
    return {
        "code": result.code,
        "level": str(result.level),
        "title": result.title,
        "section": result.section,
        "status": str(result.status),
        "note": result.note,
        "finding": None if result.finding is None else asdict(result.finding),
    }


def _stack_data(seen: Behaviour, it: Acceptance) -> dict[str, Any]:
    trip = next((trip for trip in seen.trips if trip.stack == it.stack), None)
    reason = None if trip is None else trip.verdict.reason
    return {
        "contract": str(seen.contract),
        "transport": it.stack.transport,
        "secureChannel": it.stack.secure_channel,
        "muxer": it.stack.muxer,
        "listens": it.listens,
        "dials": it.dials,
        "outcome": None if trip is None else str(trip.verdict.outcome),
        "reason": None if reason is None else reason.text,
        "metrics": {} if trip is None else dict(trip.verdict.metrics),
    }
