"""The verdict of one run, from what it has left behind.

The order, the first that holds decides: the deadline passed; an endpoint said that it does not do this; the harness
broke; an endpoint failed; no key log where one is needed; the files; the traffic. The established runner asks about
traffic before files in some test cases. Both mean *failed*, and so does either order, but for one thing: here, files
that are wrong are reported even where a capture cannot be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from ci.errors import EngineError
from ci.model import Outcome, Reason, ReasonCode, Side, Verdict
from ci.suites.quic.captures.key_logs import key_logs
from ci.suites.quic.captures.packets import PacketType, Sender, Trace
from ci.suites.quic.exchange import Ending, Exchange, Participant
from ci.suites.quic.materials.case_files import CaseFiles
from ci.suites.quic.materials.received import wrong_files
from ci.suites.quic.testcases.base import Finding, TestCase, Traces
from ci.suites.quic.testcases.checks import listed

__all__ = ["RATE", "ReadTrace", "judge", "judge_ending"]

# The metric of a measurement, in kbit/s.
RATE: Final = "kbps"

NOT_IMPLEMENTED: Final = 127
# Container runtime or image trouble, and code built for another processor: these say nothing about the implementations.
NOT_AN_INTEROP_RESULT: Final = {
    125: ReasonCode.CONTAINER_START,
    126: ReasonCode.CONTAINER_START,
    132: ReasonCode.ILLEGAL_INSTRUCTION,
}
# How long the simulator waits for the server's first answer, and ends if there is none.
SERVER_ANSWER_SECONDS: Final = 10.0
LONGEST_REASON: Final = 1000
LONGEST_LINE: Final = 300

ENDPOINTS: Final[tuple[Sender, ...]] = ("client", "server")


class ReadTrace(Protocol):
    """How a capture is read, given the key logs there are, and whether all of it is needed."""

    def __call__(self, capture: Path, key_logs: Sequence[Path], *, whole: bool) -> Trace: ...


def judge(test: TestCase, case_files: CaseFiles, exchange: Exchange, *, read: ReadTrace) -> Verdict:
    """Judge one run of a test case, or one repetition of a measurement.

    :param case_files: what the run was supplied with, `test.case_files(seed)`
    :raises EngineError: the engine broke
    """
    early = judge_ending(test, exchange)
    if early is not None:
        return early
    secrets = key_logs(exchange.folder)
    if test.needs_key_log and not secrets:
        text = "neither client nor server left a key log with the secrets of a handshake, and this test case needs one"
        return _verdict(Outcome.UNSUPPORTED, ReasonCode.NO_KEY_LOG, text, "both")
    if finding := wrong_files(case_files, exchange.folder):
        return _failed(ReasonCode.WRONG_FILES, finding, exchange)
    traces = Traces(lambda side: read(exchange.capture(side), secrets, whole=side in test.whole))
    try:
        return _judge_traffic(test, case_files, exchange, traces)
    except EngineError as error:
        # Of this capture, and so of this run: those that follow are read as if nothing had been.
        if error.reference not in (ReasonCode.CAPTURE_UNREADABLE, ReasonCode.TSHARK_LATE):
            raise
        text = "; ".join(filter(None, (error.message, error.why)))
        return _verdict(Outcome.ERROR, ReasonCode(error.reference), text, "harness")


def judge_ending(test: TestCase, exchange: Exchange) -> Verdict | None:
    """The verdict, where it follows from how everybody has ended; None where files and traffic decide."""
    return (
        _deadline_passed(test, exchange)
        or _not_implemented(test, exchange)
        or _server_never_answered(exchange)
        or _harness_broke(test, exchange)
        or _ended_badly(exchange)
    )


def _judge_traffic(test: TestCase, case_files: CaseFiles, exchange: Exchange, traces: Traces) -> Verdict:
    for check in test.checks:
        if finding := check(traces):
            return _failed(ReasonCode.WRONG_TRAFFIC, finding, exchange)
    metrics = {}
    if test.metric is not None:
        rate = test.metric(traces.left, sum(file.size for file in case_files.files))
        if isinstance(rate, Finding):
            return _failed(ReasonCode.WRONG_TRAFFIC, rate, exchange)
        metrics[RATE] = rate
    return Verdict(
        outcome=Outcome.PASSED,
        metrics=metrics,
        negotiated=_negotiated(traces.right),
        warnings=() if traces.right.decrypted else ("no valid key log: what is protected was not looked at",),
    )


def _negotiated(right: Trace) -> dict[str, str] | None:
    """What the server chose, for those who read results: version, and application protocol if it can be read."""
    versions = {p.version for p in right.packets("server", PacketType.HANDSHAKE) if p.version is not None}
    protocols = {name for p in right.packets("server", PacketType.HANDSHAKE) for name in p.alpn}
    found = {}
    if versions:
        found["version"] = listed(map(hex, sorted(versions)))
    if protocols:
        found["alpn"] = listed(sorted(protocols))
    return found or None


# --- before the traffic -----------------------------------------------------------------------------------


def _deadline_passed(test: TestCase, exchange: Exchange) -> Verdict | None:
    if exchange.ending is not Ending.DEADLINE:
        return None
    running = [side for side in ENDPOINTS if exchange.own_end(side) is None]
    who: Side = "both" if len(running) == 2 else running[0] if running else "unknown"
    still = f"{' and '.join(running)} still running" if running else "nobody running any more"
    words = "".join(_last_log_line(exchange, side) for side in running)
    text = f"not done after {exchange.elapsed:.0f} s ({test.limit} s allowed), {still}{words}"
    return _verdict(Outcome.TIMED_OUT, ReasonCode.EXCHANGING, text, who)


def _not_implemented(test: TestCase, exchange: Exchange) -> Verdict | None:
    sides = [side for side in ENDPOINTS if _own_code(exchange, side) == NOT_IMPLEMENTED]
    if not sides:
        return None
    told = listed(f"{side} ({test.testcase(side)})" for side in sides)
    who: Side = "both" if len(sides) == 2 else sides[0]
    text = f"the test case is not implemented, says exit code 127 of {told}"
    return _verdict(Outcome.UNSUPPORTED, ReasonCode.EXIT_127, text, who)


def _server_never_answered(exchange: Exchange) -> Verdict | None:
    """The simulator gave up waiting for the server, as it does before it captures anything (contract, section 2.2)."""
    simulator = exchange.own_end("simulator")
    if simulator is None or simulator.exit_code == 0 or simulator.at < SERVER_ANSWER_SECONDS:
        return None
    if exchange.capture("left").exists() or exchange.capture("right").exists():
        return None
    text = (
        f"the server answered no QUIC packet within {SERVER_ANSWER_SECONDS:.0f} s{_last_log_line(exchange, 'server')}"
    )
    return _verdict(Outcome.TIMED_OUT, ReasonCode.BEFORE_PUBLISH, text, "server")


def _harness_broke(test: TestCase, exchange: Exchange) -> Verdict | None:
    simulator = exchange.own_end("simulator")
    if simulator is not None or exchange.ending is Ending.SIMULATOR_ENDED:
        how = simulator.how if simulator else "ended"
        text = f"the simulator {how} before the exchange was over{_last_log_line(exchange, 'simulator')}"
        return _verdict(Outcome.ERROR, ReasonCode.SIMULATOR, text, "harness")
    for participant in test.participants:
        end = exchange.own_end(participant)
        if end is not None:  # without its competitor a flow is measured that nobody asked for
            text = f"{participant} {end.how} before the exchange was over{_last_log_line(exchange, participant)}"
            return _verdict(Outcome.ERROR, ReasonCode.SIMULATOR, text, "harness")
    for side in ENDPOINTS:
        end = exchange.own_end(side)
        if end is not None and end.exit_code in NOT_AN_INTEROP_RESULT:
            code = NOT_AN_INTEROP_RESULT[end.exit_code]
            what = (
                "was built for another processor" if code is ReasonCode.ILLEGAL_INSTRUCTION else "could not be started"
            )
            text = f"the {side} {what}: exit code {end.exit_code}{_last_log_line(exchange, side)}"
            return _verdict(Outcome.ERROR, code, text, side)
    return None


def _ended_badly(exchange: Exchange) -> Verdict | None:
    """The side that ended first decides (contract, section 1.7): what happens to the other one follows from it.

    A server that ended first and well leaves the verdict to what arrived.
    """
    side: Sender = "server" if exchange.ending is Ending.SERVER_ENDED else "client"
    end = exchange.own_end(side)
    if end is not None and end.exit_code == 0:
        return None
    code = ReasonCode.CLIENT_EXIT if side == "client" else ReasonCode.SERVER_EXIT
    if end is not None and end.out_of_memory:
        code = ReasonCode.OUT_OF_MEMORY
    text = f"the {side} {end.how if end else 'is gone'}{_last_log_line(exchange, side)}"
    return _verdict(Outcome.FAILED, code, text, side)


def _own_code(exchange: Exchange, side: Sender) -> int | None:
    end = exchange.own_end(side)
    return None if end is None else end.exit_code


# --- words ------------------------------------------------------------------------------------------------


def _failed(code: ReasonCode, finding: Finding, exchange: Exchange) -> Verdict:
    text, side = finding.text, finding.side
    if code is ReasonCode.WRONG_FILES and exchange.ending is Ending.SERVER_ENDED:
        text, side = f"{text}; the server had left first", "server"
    return _verdict(Outcome.FAILED, code, text, side)


def _verdict(outcome: Outcome, code: ReasonCode, text: str, side: Side) -> Verdict:
    return Verdict(outcome=outcome, reason=Reason(code=code, text=text[:LONGEST_REASON], side=side))


def _last_log_line(exchange: Exchange, participant: Participant) -> str:
    words = exchange.last_log_line.get(participant, "").strip()
    if not words:
        return "" if participant not in ENDPOINTS else f"; the {participant} wrote nothing"
    readable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in words[:LONGEST_LINE])
    return f"; the last line of the {participant}: {readable}"
