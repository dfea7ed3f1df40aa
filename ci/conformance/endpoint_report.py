"""What `check-image` found out about an endpoint over a simulated network, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from ci.conformance.report import closing, result_data, result_lines
from ci.spec.attempt import MIB
from ci.util.text import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ci.conformance.endpoint import EndpointBehaviour, EndpointReport, Meeting

__all__ = ["endpoint_data", "render_endpoint"]

CONTRACT: Final = "quic-interop contract"


def render_endpoint(report: EndpointReport) -> str:
    """The whole report, the closing line last. What images say of themselves is in it, made harmless."""
    return printable_lines("\n".join(_lines(report))) + "\n"


def _lines(report: EndpointReport) -> Iterator[str]:
    image = report.image
    yield f"{image.reference} ({image.digest[:19]}, {image.architecture}, {image.size / MIB:.0f} MiB)"
    yield f"suite {report.suite}; counterparts: {', '.join(report.peers)}"
    seen = {behaviour.role: behaviour for behaviour in report.behaviours}
    for role, results in report.results.items():
        yield ""
        if role is None:
            yield "the image itself"
        else:
            yield f"as {role}"
            yield from _claims(seen[role])
        for result in results:
            yield from result_lines(result, CONTRACT)
    yield ""
    yield closing(report.all_results)


def _claims(seen: EndpointBehaviour) -> Iterator[str]:
    for taken, title in ((True, "claims"), (False, "refuses")):
        names = [name for name, it in seen.claims.items() if it is taken]
        if names:
            yield f"  {title}: {', '.join(names)}"


def endpoint_data(report: EndpointReport) -> dict[str, Any]:
    """The report as what JSON can hold."""
    return {
        "image": asdict(report.image),
        "suite": report.suite,
        "peers": list(report.peers),
        "passed": report.passed,
        "roles": [
            {
                "role": seen.role,
                "claims": dict(seen.claims),
                "meetings": {name: _meeting(meeting) for name, meeting in seen.meetings.items()},
            }
            for seen in report.behaviours
        ],
        "checks": [
            result_data(result) | {"role": role} for role, results in report.results.items() for result in results
        ],
    }


def _meeting(meeting: Meeting) -> dict[str, Any]:
    reason = meeting.verdict.reason
    return {
        "peer": meeting.peer,
        "outcome": str(meeting.verdict.outcome),
        "reason": None if reason is None else reason.text,
        "exitCode": None if meeting.end is None else meeting.end.exit_code,
        "strays": list(meeting.strays),
        "notWith": [{"peer": it.peer, "outcome": str(it.verdict.outcome)} for it in meeting.others],
    }
