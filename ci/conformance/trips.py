"""What is asked of every ping an image did with itself (docs/image-contracts.md, sections 1.2, 1.3 and 1.9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from ci.conformance.base import Answer, Behaviour
from ci.model import Contract
from ci.suites.transport.address import address_defects
from ci.suites.transport.ping_record import UNIT, PingRecord, find_records
from ci.suites.transport.stack import reports
from ci.util.text import clip, counted, strip_ansi

if TYPE_CHECKING:
    from ci.conformance.base import RoundTrip
    from ci.spec.attempt import Evidence

__all__ = [
    "PROMPT_SECONDS",
    "clean_stdout",
    "each_trip",
    "leaves_promptly",
    "one_address",
    "one_result",
    "plausible_times",
    "reports_stack",
    "result_form",
    "verdict",
]

PROMPT_SECONDS: Final = 2.0

CLASSIC_RECORD: Final = re.compile(r'\{[^\n]*"handshakePlusOneRTTMillis"[^\n]*"pingRTTMilllis"[^\n]*\}')
UNIFIED_RECORD: Final = re.compile(
    r"latency:\r?\n  handshake_plus_one_rtt: [^\r\n]+\r?\n  ping_rtt: [^\r\n]+(?:\r?\n  unit: ms)?\s*"
)
NOTHING_WORKED: Final = Answer(skipped=True, note="no stack was accepted by both roles")


def each_trip(
    question: Callable[[Behaviour, RoundTrip], Iterator[str]], *, passed_only: bool = True
) -> Callable[[Behaviour], Answer]:
    """Ask about every stack; where it did not work there is nothing more to be asked."""

    def ask(seen: Behaviour) -> Answer:
        trips = [trip for trip in seen.trips if trip.passed or not passed_only]
        if not trips:
            return Answer(skipped=True, note="no ping worked") if seen.trips else NOTHING_WORKED
        return Answer(wrong=tuple(f"{trip.stack}: {what}" for trip in trips for what in question(seen, trip)))

    return ask


def verdict(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    if not trip.passed:
        yield trip.verdict.reason.text if trip.verdict.reason is not None else str(trip.verdict.outcome)


def _records(evidence: Evidence) -> tuple[str, tuple[PingRecord, ...]]:
    text = strip_ansi(evidence.streams["dialer", "stdout"].text())
    return text, find_records(text)


def one_result(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    count = len(_records(trip.evidence)[1])
    if count != 1:
        yield f"the dialer printed {count} results"


def result_form(seen: Behaviour, trip: RoundTrip) -> Iterator[str]:
    written = _records(trip.evidence)[1][0].text
    right = CLASSIC_RECORD if seen.contract is Contract.CLASSIC else UNIFIED_RECORD
    if not right.fullmatch(written):
        wanted = "one line of JSON" if seen.contract is Contract.CLASSIC else "YAML indented by two spaces"
        yield f"the result is not {wanted} with the contract's keys: {written.strip()!r}"


def plausible_times(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    record = _records(trip.evidence)[1][0]
    both, ping = record.handshake_plus_one_rtt, record.ping_rtt
    if record.unit != UNIT:
        yield f"the times are said to be in {record.unit!r}, not in {UNIT}"
    if ping <= 0:
        yield f"the ping is said to have taken {ping} ms"
    if both < ping:
        yield f"handshake and ping together ({both} ms) took less than the ping alone ({ping} ms)"
    if both > trip.evidence.elapsed * 1000:
        yield f"handshake and ping are said to have taken {both} ms, the whole case {trip.evidence.elapsed:.2f} s"


def clean_stdout(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    text, records = _records(trip.evidence)
    for record in reversed(records):
        text = text[: record.at] + text[record.at + len(record.text) :]
    noise = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if noise:
        yield f"the dialer wrote {counted(len(noise), 'more line')} to stdout, the first: {clip(noise[0], 120)!r}"
    said = strip_ansi(trip.evidence.streams["listener", "stdout"].text()).strip()
    if said and not trip.peer:
        yield f"the listener wrote to stdout: {clip(said.splitlines()[0], 120)!r}"


def leaves_promptly(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    chunks = trip.evidence.streams["dialer", "stdout"].chunks()
    end = trip.evidence.own_end("dialer")
    if end is None:
        yield "the dialer printed its result and had to be stopped"
    elif end.at - chunks[-1].at > PROMPT_SECONDS:
        yield f"the dialer stayed for {end.at - chunks[-1].at:.1f} s after its last output"


def one_address(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    if trip.peer:
        return
    published = trip.evidence.published
    yield from address_defects(published, trip.stack.transport)
    parts = published[0].strip().split("/") if published else []
    if "p2p" in parts[:-1] and parts[-2] != "p2p":
        yield f"the published address does not end in /p2p/<peer id>: {published[0]!r}"


def reports_stack(_: Behaviour, trip: RoundTrip) -> Iterator[str]:
    for (role, stream), capture in trip.evidence.streams.items():
        if stream == "stdout" or (role == "listener" and trip.peer):
            continue
        if not reports(capture):
            yield f"the {role} wrote no `negotiated: …` line to stderr"
