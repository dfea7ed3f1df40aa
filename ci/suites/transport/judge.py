"""The verdict of a transport case, from the evidence alone (contract, section 1.8; the rows T1–T23 are named).

The dialer decides: it passed when it exited 0 and printed a record of its ping. Everything else here is about
telling apart the ways in which that can fail to happen, so that a red cell says whose fault it is.
"""

from __future__ import annotations

from typing import Final

from ci.model import Case, Outcome, Reason, ReasonCode, Role, Side, Verdict
from ci.spec.attempt import End, Ending, Evidence
from ci.spec.last_log_line import last_line
from ci.suites.transport.address import address_defects
from ci.suites.transport.ping_record import PingRecord, credible_metrics, find_records, mentions_record
from ci.suites.transport.stack import judge_stack
from ci.suites.transport.words import TRANSPORT, Stack
from ci.util.text import counted

__all__ = ["has_result", "judge"]

# Container runtime, entrypoint or image trouble, and code built for another processor (T20): these say nothing
# about whether two implementations talk to each other.
NOT_AN_INTEROP_RESULT: Final = {
    125: ReasonCode.CONTAINER_START,
    126: ReasonCode.CONTAINER_START,
    127: ReasonCode.CONTAINER_START,
    132: ReasonCode.ILLEGAL_INSTRUCTION,
}

AS_A_STRING: Final = "the listener published its address with SET, which leaves no list"


def has_result(stdout: str) -> bool:
    """Whether the dialer has printed its result, though it may still be running."""
    return bool(find_records(stdout))


def judge(case: Case, evidence: Evidence, *, shared_loopback: bool = False, strict_exit: bool = False) -> Verdict:
    """Judge one attempt.

    :param strict_exit: fail a dialer that does not exit by itself after its result (T10), instead of warning
    """
    records = find_records(evidence.streams["dialer", "stdout"].text())
    record = records[0] if records else None
    negotiated, contradiction = judge_stack(case, evidence)
    metrics, doubts = credible_metrics(record, seconds=evidence.elapsed) if record else ({}, ())
    warnings = [*doubts, *_warnings(case, evidence, records, shared_loopback=shared_loopback)]

    reason = _broken_image(evidence) or contradiction
    if reason is None:
        reason, more = _failure(evidence, record, strict_exit=strict_exit)
        warnings += more
    return Verdict(
        outcome=Outcome.PASSED if reason is None else _outcome(reason),
        reason=reason,
        metrics=metrics,
        negotiated=negotiated,
        warnings=tuple(warnings),
    )


def _outcome(reason: Reason) -> Outcome:
    if reason.code in NOT_AN_INTEROP_RESULT.values():
        return Outcome.ERROR
    if reason.code in (
        ReasonCode.BEFORE_PUBLISH,
        ReasonCode.NOT_CONSUMED,
        ReasonCode.DIALING,
        ReasonCode.STOPPING,
    ):
        return Outcome.TIMED_OUT
    return Outcome.FAILED


def _failure(evidence: Evidence, record: PingRecord | None, *, strict_exit: bool) -> tuple[Reason | None, list[str]]:
    """Why the attempt did not pass, or None; and what is worth a warning if it did."""
    dialer = evidence.own_end("dialer")
    listener = evidence.own_end("listener")

    if dialer is not None:
        return _dialer_ended(evidence, dialer, listener, record), []
    if record is not None:  # T9, T10: the result is there, the runner had to stop the dialer
        warning = (
            f"the dialer printed its result and was still running when it was stopped after {evidence.elapsed:.1f} s"
        )
        if strict_exit:
            return Reason(code=ReasonCode.STOPPING, text=warning, side="dialer"), []
        return None, [warning]
    if listener is not None:
        return _listener_died(evidence, listener), []
    return _deadline_passed(evidence), []


def _dialer_ended(evidence: Evidence, dialer: End, listener: End | None, record: PingRecord | None) -> Reason | None:
    if dialer.exit_code == 0:
        return None if record is not None else _no_result(evidence)
    # A dialer fails when its listener has died under it: then the listener is the one to name.
    if listener is not None and listener.exit_code != 0 and listener.at < dialer.at:
        return _ended_badly(evidence, "listener", listener, "while the dialer was busy with it")
    chose_to_end = not dialer.out_of_memory and dialer.signal is None
    if record is None and chose_to_end and _refused(evidence):
        words = f"the dialer got none and exited {dialer.exit_code}{_last_log_line(evidence, 'dialer')}"
        return Reason(code=ReasonCode.NEVER_PUBLISHED, text=f"{AS_A_STRING}: {words}", side="listener")
    return _ended_badly(evidence, "dialer", dialer, _how_far_the_dialer_came(evidence, record))


def _how_far_the_dialer_came(evidence: Evidence, record: PingRecord | None) -> str:
    if record is not None:  # T11
        return "although it had printed a result"
    if not evidence.published:
        return "before the listener published an address"
    if not evidence.asked:
        return "before asking for the address"
    return "while dialing" if evidence.received else "without having been given the address it asked for"


def _no_result(evidence: Evidence) -> Reason:
    """T8: exit 0 is not enough. A result that cannot be true is told apart from none at all."""
    code, what = ReasonCode.NO_RESULT, "printed no result"
    if mentions_record(evidence.streams["dialer", "stdout"].text()):
        code, what = ReasonCode.BAD_RESULT, "printed no result with two finite, non-negative times"
    return Reason(code=code, text=f"the dialer exited 0 and {what}{_last_log_line(evidence, 'dialer')}", side="dialer")


def _as_a_string(evidence: Evidence) -> bool:
    return "SET" in evidence.published_by


def _refused(evidence: Evidence) -> bool:
    """Whether Redis had nothing for the dialer because the address was no list."""
    return _as_a_string(evidence) and evidence.asked and not evidence.received


def _listener_died(evidence: Evidence, listener: End) -> Reason:
    if evidence.published:
        return _ended_badly(evidence, "listener", listener, "while the dialer was busy with it")
    if listener.exit_code == 0:
        return Reason(
            code=ReasonCode.NEVER_PUBLISHED,
            text=f"the listener exited 0 without publishing an address{_last_log_line(evidence, 'listener')}",
            side="listener",
        )
    return _ended_badly(evidence, "listener", listener, "before publishing an address")


def _ended_badly(evidence: Evidence, role: Role, end: End, when: str) -> Reason:
    if end.out_of_memory:
        code = ReasonCode.OUT_OF_MEMORY
    elif end.signal is not None:
        code = ReasonCode.SIGNAL
    else:
        code = ReasonCode.DIALER_EXIT if role == "dialer" else ReasonCode.LISTENER_EXIT
    return Reason(code=code, text=f"the {role} {end.how} {when}{_last_log_line(evidence, role)}", side=role)


def _deadline_passed(evidence: Evidence) -> Reason:
    waited = f"within {evidence.elapsed:.0f} s"
    if not evidence.published:
        words = _last_log_line(evidence, "listener")
        return Reason(
            code=ReasonCode.BEFORE_PUBLISH,
            text=f"the listener published no address {waited}{words}",
            side="listener",
        )
    words = _last_log_line(evidence, "dialer")
    if not evidence.asked:
        return Reason(
            code=ReasonCode.NOT_CONSUMED,
            text=f"the address was published, the dialer did not ask for it {waited}{words}",
            side="dialer",
        )
    if not evidence.received:
        if _refused(evidence):
            text = f"{AS_A_STRING}: the dialer got none {waited}{words}"
            return Reason(code=ReasonCode.BEFORE_PUBLISH, text=text, side="listener")
        text = f"the dialer asked for the address before it was there, and not again {waited}{words}"
        return Reason(code=ReasonCode.NOT_CONSUMED, text=text, side="dialer")
    return Reason(
        code=ReasonCode.DIALING,
        text=f"the dialer had the address and neither connected nor gave up {waited}{words}",
        side="unknown",
    )


def _broken_image(evidence: Evidence) -> Reason | None:
    for role in TRANSPORT.roles:
        end = evidence.own_end(role)
        if end is not None and end.exit_code in NOT_AN_INTEROP_RESULT:
            code = NOT_AN_INTEROP_RESULT[end.exit_code]
            what = (
                "was built for another processor (illegal instruction)"
                if code is ReasonCode.ILLEGAL_INSTRUCTION
                else "could not be started by the container runtime"
            )
            words = _last_log_line(evidence, role)
            return Reason(code=code, text=f"the {role} {what}: exit code {end.exit_code}{words}", side=role)
    return None


# --- words ------------------------------------------------------------------------------------------------


def _warnings(
    case: Case, evidence: Evidence, records: tuple[PingRecord, ...], *, shared_loopback: bool
) -> tuple[str, ...]:
    found = list(address_defects(evidence.published, Stack.of(case).transport, loopback_expected=shared_loopback))
    if _as_a_string(evidence):
        found.append(f"{AS_A_STRING} to wait for; the contract has RPUSH")
    if len(records) > 1:
        found.append(f"the dialer printed {len(records)} results, the first one counts")
    if records and records[0].handshake_plus_one_rtt < records[0].ping_rtt:
        found.append("the result says that the ping alone took longer than handshake and ping together")
    listener = evidence.own_end("listener")
    if listener is not None and evidence.ending is not Ending.LISTENER_DIED:
        found.append(f"the listener left by itself with exit code {listener.exit_code}")
    for (role, stream), capture in evidence.streams.items():
        if capture.truncated:
            wrote = f"the {role} wrote {counted(capture.total, 'byte')} to {stream}"
            found.append(f"{wrote}, all kept but {capture.dropped} in the middle")
    return tuple(found)


def _last_log_line(evidence: Evidence, side: Side) -> str:
    """The last line that role wrote to stderr, else to stdout, cut to a length fit for a sentence."""
    role: Role = "listener" if side == "listener" else "dialer"
    words = last_line(evidence.streams[role, "stderr"], evidence.streams[role, "stdout"])
    return f"; its last line: {words}" if words else "; it wrote nothing"
