"""Verdicts from evidence alone; the rows of the container contract's tolerance table are named in the tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.model import Outcome, ReasonCode, Role, Side, Verdict
from ci.spec.attempt import End, Ending, Evidence, Stream
from ci.spec.capture import Capture
from ci.suites.transport.judge import has_result, judge
from ci.suites.transport.words import TRANSPORT, Stack

Output: TypeAlias = "Mapping[tuple[Role, Stream], str | bytes]"

RECORD = '{"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}\n'
METRICS = {"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}
ADDRESS = "/ip4/172.18.0.3/tcp/4001/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
CASE = Stack("tcp", "noise", "yamux").case("a", "b")
EXITED = End(at=1, exit_code=0)
STOPPED = End(at=9, exit_code=143, stopped=True)


def captured(data: bytes | str, limit: int = 2**21) -> Capture:
    capture = Capture(limit)
    capture.write(0.1, data.encode() if isinstance(data, str) else data)
    return capture


def evidence(
    *,
    dialer: End = EXITED,
    listener: End = STOPPED,
    stdout: str = RECORD,
    output: Output | None = None,
    published: tuple[str, ...] = (ADDRESS,),
    published_by: tuple[str, ...] = ("RPUSH",),
    asked: bool = True,
    received: bool = True,
    ending: Ending = Ending.DIALER_ENDED,
    elapsed: float = 1.0,
) -> Evidence:
    """A case that passed, but for what is given."""
    wrote: Output = {("dialer", "stdout"): stdout, **(output or {})}
    streams: list[Stream] = ["stdout", "stderr"]
    return Evidence(
        ending=ending,
        exits={"dialer": dialer, "listener": listener},
        streams={
            (role, stream): captured(wrote.get((role, stream), b"")) for role in TRANSPORT.roles for stream in streams
        },
        published=published,
        published_by=published_by,
        asked=asked,
        received=received,
        elapsed=elapsed,
    )


def reason_of(verdict: Verdict) -> tuple[Outcome, ReasonCode | None, Side | None]:
    reason = verdict.reason
    return verdict.outcome, reason.code if reason else None, reason.side if reason else None


def text_of(verdict: Verdict) -> str:
    assert verdict.reason is not None
    return verdict.reason.text


# --- passed -----------------------------------------------------------------------------------------------


def test_exit_0_and_a_record_is_what_passing_means() -> None:
    assert judge(CASE, evidence()) == Verdict(outcome=Outcome.PASSED, metrics=METRICS)


@pytest.mark.parametrize("code", [143, 137])
@pytest.mark.parametrize("ending", [Ending.LINGERED, Ending.LISTENER_DIED, Ending.DEADLINE])
def test_t9_t10_stopped_by_the_runner_after_the_record(code: int, ending: Ending) -> None:
    verdict = judge(CASE, evidence(dialer=End(at=9, exit_code=code, stopped=True), ending=ending, elapsed=12.3))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.metrics == METRICS
    assert verdict.warnings == ("the dialer printed its result and was still running when it was stopped after 12.3 s",)


def test_t10_strict_exit() -> None:
    verdict = judge(CASE, evidence(dialer=STOPPED, ending=Ending.LINGERED), strict_exit=True)

    assert reason_of(verdict) == (Outcome.TIMED_OUT, ReasonCode.STOPPING, "dialer")
    assert verdict.metrics == METRICS


def test_t10_strict_exit_does_not_touch_a_dialer_that_exits() -> None:
    assert judge(CASE, evidence(), strict_exit=True).outcome is Outcome.PASSED


def test_t12_a_listener_that_leaves_early_is_worth_a_warning() -> None:
    verdict = judge(CASE, evidence(listener=End(at=0.5, exit_code=0)))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.warnings == ("the listener left by itself with exit code 0",)


def test_a_listener_that_crashes_under_a_dialer_that_passed_is_worth_a_warning() -> None:
    verdict = judge(CASE, evidence(listener=End(at=0.5, exit_code=139)))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.warnings == ("the listener left by itself with exit code 139",)


@pytest.mark.parametrize("code", [0, 1, 127, 137, 139, 143])
def test_t14_the_code_of_a_listener_the_runner_stopped_never_counts(code: int) -> None:
    verdict = judge(CASE, evidence(listener=End(at=9, exit_code=code, stopped=True)))

    assert verdict == Verdict(outcome=Outcome.PASSED, metrics=METRICS)


def test_t6_several_records() -> None:
    verdict = judge(CASE, evidence(stdout=RECORD + RECORD.replace("7.342", "9")))

    assert verdict.metrics == METRICS
    assert verdict.warnings == ("the dialer printed 2 results, the first one counts",)


def test_a_time_longer_than_the_attempt_is_no_latency() -> None:
    verdict = judge(CASE, evidence(stdout=RECORD.replace("7.342", "1e300"), elapsed=2.5))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.metrics == {"pingRTTMilllis": 7.113}
    assert verdict.warnings == (
        "the result says handshakePlusOneRTTMillis 1e+300, longer than the whole attempt (2500 ms): it is not kept",
    )


def test_times_that_contradict_each_other() -> None:
    verdict = judge(CASE, evidence(stdout=RECORD.replace("7.342", "1")))

    assert verdict.outcome is Outcome.PASSED
    assert any("took longer" in warning for warning in verdict.warnings)


def test_t16_defects_of_the_address_are_warnings() -> None:
    verdict = judge(CASE, evidence(published=("/ip4/127.0.0.1/tcp/4001",)))

    assert verdict.outcome is Outcome.PASSED
    assert len(verdict.warnings) == 2
    assert judge(CASE, evidence(published=(ADDRESS.replace("172.18.0.3", "127.0.0.1"),)), shared_loopback=True) == (
        Verdict(outcome=Outcome.PASSED, metrics=METRICS)
    )


def test_t18_what_was_not_kept_is_told() -> None:
    full = evidence()
    flooded = dict(full.streams) | {("listener", "stderr"): captured(b"x" * 100, limit=10)}
    verdict = judge(CASE, Evidence(**{**vars(full), "streams": flooded}))

    assert verdict.warnings == ("the listener wrote 100 bytes to stderr, all kept but 90 in the middle",)


# --- failed -----------------------------------------------------------------------------------------------


def test_t8_exit_0_without_a_record() -> None:
    verdict = judge(CASE, evidence(stdout="all is well\n"))

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.NO_RESULT, "dialer")
    assert text_of(verdict).endswith("; its last line: all is well")


def test_t5_exit_0_with_a_record_that_cannot_be_true() -> None:
    verdict = judge(CASE, evidence(stdout=RECORD.replace("7.342", "NaN")))

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.BAD_RESULT, "dialer")
    assert verdict.metrics == {}


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (1, ReasonCode.DIALER_EXIT, "exited 1"),
        (128, ReasonCode.DIALER_EXIT, "exited 128"),
        (255, ReasonCode.DIALER_EXIT, "exited 255"),
        (134, ReasonCode.SIGNAL, "signal 6 (SIGABRT)"),
        (137, ReasonCode.SIGNAL, "signal 9 (SIGKILL)"),
        (139, ReasonCode.SIGNAL, "signal 11 (SIGSEGV)"),
        (143, ReasonCode.SIGNAL, "signal 15 (SIGTERM)"),
        (159, ReasonCode.SIGNAL, "signal 31 (SIGSYS)"),
    ],
)
def test_t11_a_genuine_exit_after_the_record_fails_and_keeps_it(code: int, reason: ReasonCode, words: str) -> None:
    verdict = judge(CASE, evidence(dialer=End(at=1, exit_code=code)))

    assert reason_of(verdict) == (Outcome.FAILED, reason, "dialer")
    assert f"{words} although it had printed a result" in text_of(verdict)
    assert verdict.metrics == METRICS


@pytest.mark.parametrize(
    ("published", "asked", "when"),
    [
        ((), True, "before the listener published an address"),
        ((), False, "before the listener published an address"),
        ((ADDRESS,), False, "before asking for the address"),
        ((ADDRESS,), True, "while dialing"),
    ],
)
def test_when_the_dialer_failed_is_told(published: tuple[str, ...], asked: bool, when: str) -> None:
    failed = evidence(dialer=End(at=1, exit_code=1), stdout="", published=published, asked=asked)
    verdict = judge(CASE, failed)

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.DIALER_EXIT, "dialer")
    assert text_of(verdict) == f"the dialer exited 1 {when}; it wrote nothing"


BY_SET = "the listener published its address with SET, which leaves no list"


@pytest.mark.parametrize(
    ("end", "code"),
    [(End(at=1, exit_code=1), ReasonCode.NEVER_PUBLISHED), (STOPPED, ReasonCode.BEFORE_PUBLISH)],
)
def test_a_listener_that_publishes_with_set_is_named(end: End, code: ReasonCode) -> None:
    output: Output = {("dialer", "stderr"): "WRONGTYPE\n"}
    ending = Ending.DEADLINE if end is STOPPED else Ending.DIALER_ENDED
    verdict = judge(
        CASE,
        evidence(dialer=end, stdout="", published_by=("SET",), received=False, ending=ending, output=output),
    )

    assert reason_of(verdict)[1:] == (code, "listener")
    assert text_of(verdict).startswith(f"{BY_SET}: the dialer got none ")
    assert text_of(verdict).endswith("its last line: WRONGTYPE")
    assert verdict.warnings == (f"{BY_SET} to wait for; the contract has RPUSH",)


def test_a_listener_that_publishes_with_set_is_told_of_where_it_did_no_harm() -> None:
    verdict = judge(CASE, evidence(published_by=("SET",)))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.warnings == (f"{BY_SET} to wait for; the contract has RPUSH",)


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        (End(at=1, exit_code=1), ReasonCode.DIALER_EXIT, "exited 1 without having been given the address it asked for"),
        (STOPPED, ReasonCode.NOT_CONSUMED, "asked for the address before it was there, and not again within"),
    ],
)
def test_a_dialer_that_was_given_no_address_was_not_dialing(end: End, code: ReasonCode, says: str) -> None:
    ending = Ending.DEADLINE if end is STOPPED else Ending.DIALER_ENDED
    verdict = judge(CASE, evidence(dialer=end, stdout="", received=False, ending=ending))

    assert reason_of(verdict)[1:] == (code, "dialer")
    assert says in text_of(verdict)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (End(at=1, exit_code=137, out_of_memory=True), ReasonCode.OUT_OF_MEMORY),
        (End(at=1, exit_code=1, out_of_memory=True), ReasonCode.OUT_OF_MEMORY),
        (End(at=1, exit_code=139), ReasonCode.SIGNAL),
    ],
)
def test_how_the_dialer_was_ended_is_its_own_whatever_the_listener_did(end: End, code: ReasonCode) -> None:
    verdict = judge(CASE, evidence(dialer=end, stdout="", published_by=("SET",), received=False))

    assert reason_of(verdict)[1:] == (code, "dialer")


@pytest.mark.parametrize(
    "given",
    [
        {"stdout": RECORD, "received": False},
        {"stdout": "", "received": True},
        {"stdout": "", "received": False, "asked": False},
    ],
    ids=["it had a result", "it was given the address", "it never asked"],
)
def test_an_address_as_a_string_explains_only_a_dialer_that_was_given_none(given: dict[str, Any]) -> None:
    verdict = judge(CASE, evidence(dialer=End(at=1, exit_code=1), published_by=("SET",), **given))

    assert reason_of(verdict)[1:] == (ReasonCode.DIALER_EXIT, "dialer")


def test_a_listener_that_dies_with_its_dialer_did_not_die_under_it() -> None:
    end = End(at=1, exit_code=1)
    assert reason_of(judge(CASE, evidence(dialer=end, listener=end, stdout="")))[1:] == (
        ReasonCode.DIALER_EXIT,
        "dialer",
    )


@pytest.mark.parametrize(("ping", "warned"), [("7.342", False), ("7.343", True)])
def test_a_ping_may_take_as_long_as_all_of_it(ping: str, *, warned: bool) -> None:
    assert bool(judge(CASE, evidence(stdout=RECORD.replace("7.113", ping))).warnings) is warned


@pytest.mark.parametrize(
    ("exit_code", "what"),
    [
        (125, "could not be started by the container runtime: exit code 125"),
        (132, "was built for another processor (illegal instruction): exit code 132"),
    ],
)
def test_an_image_that_cannot_run_is_told_apart_from_one_for_another_processor(exit_code: int, what: str) -> None:
    verdict = judge(CASE, evidence(dialer=End(at=1, exit_code=exit_code), stdout=""))
    assert text_of(verdict).startswith(f"the dialer {what}; it wrote nothing")


def test_t13_a_listener_that_fails_before_publishing() -> None:
    verdict = judge(
        CASE,
        evidence(
            dialer=STOPPED,
            listener=End(at=0.2, exit_code=3),
            stdout="",
            published=(),
            ending=Ending.LISTENER_DIED,
            output={("listener", "stderr"): "no muxer\n\x1b[31mgiving up\x1b[0m\n\n"},
        ),
    )

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.LISTENER_EXIT, "listener")
    assert text_of(verdict) == "the listener exited 3 before publishing an address; its last line: giving up"
    assert verdict.warnings == ()


def test_t13_the_listener_is_named_when_the_dialer_fails_after_it() -> None:
    verdict = judge(
        CASE,
        evidence(dialer=End(at=2, exit_code=1), listener=End(at=1, exit_code=139), stdout=""),
    )

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.SIGNAL, "listener")


def test_a_dialer_that_fails_after_its_listener_left_without_complaint_is_named() -> None:
    """Exit 0 blames nobody: that it left is told beside the reason."""
    verdict = judge(CASE, evidence(dialer=End(at=2, exit_code=1), listener=End(at=1, exit_code=0), stdout=""))
    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.DIALER_EXIT, "dialer")
    assert verdict.warnings == ("the listener left by itself with exit code 0",)


def test_the_dialer_is_named_when_the_listener_fails_after_it() -> None:
    verdict = judge(CASE, evidence(dialer=End(at=1, exit_code=1), listener=End(at=1.1, exit_code=1), stdout=""))

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.DIALER_EXIT, "dialer")


@pytest.mark.parametrize(("code", "reason"), [(0, ReasonCode.LISTENER_EXIT), (139, ReasonCode.SIGNAL)])
def test_t12_a_listener_that_left_under_a_dialer_that_came_to_no_end(code: int, reason: ReasonCode) -> None:
    verdict = judge(
        CASE,
        evidence(dialer=STOPPED, listener=End(at=1, exit_code=code), stdout="", ending=Ending.LISTENER_DIED),
    )

    assert reason_of(verdict) == (Outcome.FAILED, reason, "listener")
    assert "while the dialer was busy with it" in text_of(verdict)


def test_t17_a_listener_that_leaves_without_publishing() -> None:
    verdict = judge(
        CASE,
        evidence(
            dialer=STOPPED,
            listener=End(at=1, exit_code=0),
            stdout="",
            published=(),
            ending=Ending.LISTENER_DIED,
        ),
    )

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.NEVER_PUBLISHED, "listener")


@pytest.mark.parametrize("code", [137, 1])
def test_out_of_memory_is_named_whatever_the_exit_code(code: int) -> None:
    end = End(at=1, exit_code=code, out_of_memory=True)

    dialer = judge(CASE, evidence(dialer=end, stdout=""))
    listener = judge(CASE, evidence(dialer=STOPPED, listener=end, stdout="", ending=Ending.LISTENER_DIED))

    assert reason_of(dialer) == (Outcome.FAILED, ReasonCode.OUT_OF_MEMORY, "dialer")
    assert reason_of(listener) == (Outcome.FAILED, ReasonCode.OUT_OF_MEMORY, "listener")


# --- timed out --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("published", "asked", "code", "side"),
    [
        ((), True, ReasonCode.BEFORE_PUBLISH, "listener"),
        ((), False, ReasonCode.BEFORE_PUBLISH, "listener"),
        ((ADDRESS,), False, ReasonCode.NOT_CONSUMED, "dialer"),
        ((ADDRESS,), True, ReasonCode.DIALING, "unknown"),
    ],
)
def test_t15_t17_the_deadline_has_three_reasons(
    published: tuple[str, ...], asked: bool, code: ReasonCode, side: Side
) -> None:
    verdict = judge(
        CASE,
        evidence(dialer=STOPPED, stdout="", published=published, asked=asked, ending=Ending.DEADLINE, elapsed=190.2),
    )

    assert reason_of(verdict) == (Outcome.TIMED_OUT, code, side)
    assert "190 s" in text_of(verdict)


def test_t15_the_last_line_is_quoted() -> None:
    verdict = judge(
        CASE,
        evidence(
            dialer=STOPPED,
            stdout="",
            ending=Ending.DEADLINE,
            output={("dialer", "stderr"): "dialing\ndialing again\n"},
        ),
    )

    assert text_of(verdict).endswith("; its last line: dialing again")


def test_a_listener_that_had_left_is_named_even_at_the_deadline() -> None:
    verdict = judge(
        CASE,
        evidence(dialer=STOPPED, listener=End(at=1, exit_code=1), stdout="", ending=Ending.DEADLINE),
    )

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.LISTENER_EXIT, "listener")


# --- error ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [125, 126, 127, 132])
@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_t20_trouble_with_an_image_is_no_interop_result(role: Role, code: int) -> None:
    end = End(at=0.5, exit_code=code)
    ends: dict[str, Any] = {"dialer": STOPPED, "listener": STOPPED, role: end}
    verdict = judge(CASE, evidence(**ends, stdout="", output={(role, "stderr"): "exec format error\n"}))

    expected = ReasonCode.ILLEGAL_INSTRUCTION if code == 132 else ReasonCode.CONTAINER_START
    assert reason_of(verdict) == (Outcome.ERROR, expected, role)
    assert "exec format error" in text_of(verdict)


# --- the negotiated stack ---------------------------------------------------------------------------------

RIGHT = "negotiated: transport=tcp secureChannel=noise muxer=yamux"


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_what_either_side_reports_is_kept(role: Role) -> None:
    verdict = judge(CASE, evidence(output={(role, "stderr"): f"starting\n\x1b[32m{RIGHT}\x1b[0m\r\nping\n"}))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.negotiated == {"transport": "tcp", "secureChannel": "noise", "muxer": "yamux"}


@pytest.mark.parametrize("role", TRANSPORT.roles)
@pytest.mark.parametrize(("right", "wrong"), [("tcp", "ws"), ("noise", "tls"), ("yamux", "mplex")])
def test_another_stack_than_asked_fails_even_with_a_record(role: Role, right: str, wrong: str) -> None:
    line = RIGHT.replace(right, wrong)
    verdict = judge(CASE, evidence(output={(role, "stderr"): f"{RIGHT}\n{line}\n"}))

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.WRONG_STACK, role)
    assert wrong in text_of(verdict)
    assert right in text_of(verdict)


def test_another_stack_is_the_reason_also_when_the_dialer_gave_up_over_it() -> None:
    verdict = judge(
        CASE,
        evidence(
            dialer=End(at=1, exit_code=1),
            stdout="",
            output={("dialer", "stderr"): RIGHT.replace("noise", "tls")},
        ),
    )

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.WRONG_STACK, "dialer")


def test_a_standalone_transport_has_no_secure_channel() -> None:
    case = Stack("quic-v1").case("a", "b")
    good: Output = {("dialer", "stderr"): "negotiated: transport=quic-v1\n"}
    odd: Output = {("dialer", "stderr"): "negotiated: transport=quic-v1 secureChannel=tls\n"}
    published = (ADDRESS.replace("tcp/4001", "udp/4001/quic-v1"),)

    assert judge(case, evidence(published=published, output=good)).negotiated == {"transport": "quic-v1"}
    assert judge(case, evidence(published=published, output=odd)).outcome is Outcome.FAILED


def test_what_both_sides_report_is_laid_together() -> None:
    output: Output = {
        ("dialer", "stderr"): "negotiated: transport=tcp\n",
        ("listener", "stderr"): "negotiated: secureChannel=noise muxer=yamux\n",
    }

    assert judge(CASE, evidence(output=output)).negotiated == Stack.of(CASE).layers


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_two_sides_that_report_different_stacks_are_both_quoted(role: Role) -> None:
    other: Role = "listener" if role == "dialer" else "dialer"
    output: Output = {(role, "stderr"): RIGHT.replace("yamux", "mplex"), (other, "stderr"): RIGHT}
    verdict = judge(CASE, evidence(output=output))

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.WRONG_STACK, role)
    assert text_of(verdict) == (
        f"the {role} reports a connection with muxer mplex, asked for was yamux; the {other} reports muxer yamux"
    )


@pytest.mark.parametrize("said", ["", RIGHT])
def test_an_address_of_another_transport_is_another_stack_whatever_is_said(said: str) -> None:
    address = ADDRESS.replace("tcp/4001", "tcp/4001/ws")
    verdict = judge(CASE, evidence(published=(address,), output={("dialer", "stderr"): said}))

    assert reason_of(verdict) == (Outcome.FAILED, ReasonCode.WRONG_STACK, "listener")
    assert text_of(verdict) == f"the listener published an address of another transport than tcp: {address}"


@pytest.mark.parametrize("published", [("nonsense",), ("/ip4/10.0.0.7/udp/4001/quic_v1",), (ADDRESS + "/ws", ADDRESS)])
def test_an_address_that_names_no_other_transport_contradicts_nothing(published: tuple[str, ...]) -> None:
    assert judge(CASE, evidence(published=published)).outcome is Outcome.PASSED


def test_images_that_report_nothing_are_believed() -> None:
    verdict = judge(CASE, evidence(output={("dialer", "stderr"): "renegotiated: muxer=mplex\nnegotiated: nothing\n"}))

    assert verdict.outcome is Outcome.PASSED
    assert verdict.negotiated is None


# --- hostile output ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("flood", ["{}\n", "\n", "- - -\n", "negotiated: ", "negotiated: a=b c=", "\x1b[", " \r"])
def test_a_flood_without_words_is_judged_in_linear_time(flood: str) -> None:
    """If looking for the negotiated stack crossed line ends, this would take hours."""
    output: Output = {("dialer", "stderr"): (flood * 2**20)[: 2**20]}

    assert judge(CASE, evidence(output=output)).outcome is Outcome.PASSED


@unhurried
@given(st.text(max_size=3000), st.sampled_from(TRANSPORT.roles))
def test_a_reason_is_one_readable_line_of_at_most_1_kib(words: str, role: Role) -> None:
    ends: dict[str, Any] = {"dialer": STOPPED, "listener": STOPPED, role: End(at=1, exit_code=139)}
    text = text_of(judge(CASE, evidence(**ends, stdout="", output={(role, "stderr"): words})))

    assert len(text.encode()) <= 1024
    assert text.isprintable()


def test_a_claim_of_a_stack_is_cut_too() -> None:
    claim = f"negotiated: transport={'x' * 64} secureChannel={'y' * 64} muxer={'z' * 64}\n"
    verdict = judge(CASE, evidence(output={("dialer", "stderr"): claim + "negotiated: muxer=" + "z" * 5000}))

    assert reason_of(verdict)[1] is ReasonCode.WRONG_STACK
    assert len(text_of(verdict).encode()) <= 1024


@unhurried
@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(0, 255), st.sampled_from(Ending))
def test_no_evidence_is_beyond_judgement(stdout: bytes, stderr: bytes, code: int, ending: Ending) -> None:
    for stopped in (False, True):
        end = End(at=1, exit_code=code, stopped=stopped)
        seen = evidence(
            dialer=end, listener=end, ending=ending,
            output={("dialer", "stdout"): stdout, ("dialer", "stderr"): stderr},
        )  # fmt: skip
        verdict = judge(CASE, seen)

        assert (verdict.outcome is Outcome.PASSED) == (verdict.reason is None)
        assert verdict.outcome is not Outcome.PASSED or verdict.metrics


@pytest.mark.parametrize(
    ("stdout", "expected"), [("", False), (RECORD[:-3], False), (RECORD, True), ("x" + RECORD * 2, True)]
)
def test_settled(stdout: str, expected: bool) -> None:
    assert has_result(stdout) is expected
