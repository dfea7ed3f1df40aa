"""The transport suite's promises, on every engine, with peers that do what peers have been seen doing.

Rows T1–T21 of the container contract's tolerance table (docs/image-contracts.md) are named in the ids. T22 (results
survive an interrupted run) and T23 (retries) are the runner's and are tested with it; the shapes of T5, T7 and T16
that need no engine are in tests/unit.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import redis
from fake_peers import STACK, PeerImage, Play
from waiting import eventually

from ci.engines.base import Engine
from ci.errors import EngineError
from ci.model import Contract, Outcome, Proof, ReasonCode, Role, proof_of
from ci.runner.inbox import AttemptObserver, Cancelled
from ci.spec.attempt import CLASSIC_REDIS, MIB, AttemptSpec, Ending, Limits, Stream
from ci.suites.transport.words import TRANSPORT, Stack

CLASSIC, UNIFIED = Contract.CLASSIC, Contract.UNIFIED
ADDRESS = "/ip4/10.0.0.7/tcp/4001/p2p/QmListener"
QUIC_ADDRESS = "/ip4/10.0.0.7/udp/4001/quic-v1/p2p/QmListener"
# Of both generations; an image has variables of its own beside them.
VARIABLES = frozenset(
    {"version", "transport", "security", "muxer", "is_dialer", "ip", "redis_addr", "test_timeout_seconds"}
    | {"DEBUG", "IS_DIALER", "REDIS_ADDR", "TEST_KEY", "TRANSPORT", "SECURE_CHANNEL", "MUXER", "LISTENER_IP"}
    | {"TEST_TIMEOUT_SECS", "REDIS_PASSWORD"}
)


# --- both generations of the contract ---------------------------------------------------------------------


@pytest.mark.parametrize("listener", Contract)
@pytest.mark.parametrize("dialer", Contract)
@pytest.mark.parametrize("stack", [STACK, Stack("quic-v1")], ids=str)
def test_good_peers_pass_whatever_their_generation(
    play: Play, dialer: Contract, listener: Contract, stack: Stack
) -> None:
    played = play("good", contracts=(dialer, listener), stack=stack)

    assert played.verdict.outcome is Outcome.PASSED, played.text
    assert played.verdict.metrics == {"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}
    asked = {"transport": stack.transport, "secureChannel": stack.secure_channel, "muxer": stack.muxer}
    assert played.verdict.negotiated == {name: word for name, word in asked.items() if word is not None}
    assert played.evidence.published == ((QUIC_ADDRESS if stack.transport == "quic-v1" else ADDRESS),)
    assert played.evidence.published_by == ("RPUSH",)
    assert played.evidence.asked
    assert played.evidence.received
    assert played.evidence.ending is Ending.DIALER_ENDED


@pytest.mark.parametrize("contract", Contract)
def test_a_peer_is_given_the_variables_of_its_generation_and_no_others(play: Play, contract: Contract) -> None:
    played = play("report", "report", contracts=(contract, contract))

    for role, participant in zip(("listener", "dialer"), played.spec.participants, strict=True):
        given = dict(
            line.removeprefix("env: ").split("=", 1)
            for line in played.output(role, "stderr").splitlines()
            if line.startswith("env: ")
        )
        assert {name: value for name, value in given.items() if name in VARIABLES} == participant.environment


@pytest.mark.parametrize("listener", Contract)
@pytest.mark.parametrize("dialer", Contract)
def test_the_dialer_gets_the_published_address_unchanged(play: Play, dialer: Contract, listener: Contract) -> None:
    """T16: nothing is rewritten, whichever way it travels."""
    played = play("tells", "unreachable", contracts=(dialer, listener))

    assert played.output("dialer", "stderr") == "got: /ip4/0.0.0.0/tcp/4001\n"


@pytest.mark.parametrize("listener", Contract)
@pytest.mark.parametrize("dialer", Contract)
def test_a_listener_that_publishes_with_set_fails_whatever_the_dialers_generation(
    play: Play, dialer: Contract, listener: Contract
) -> None:
    played = play("insists", "publishes-with-set", contracts=(dialer, listener))

    assert played.verdict.outcome is Outcome.FAILED
    assert played.verdict.reason is not None
    assert (played.verdict.reason.code, played.verdict.reason.side) == (ReasonCode.NEVER_PUBLISHED, "listener")
    assert "published its address with SET" in played.text
    assert "WRONGTYPE" in played.text


@pytest.mark.parametrize(("dialer", "proof"), [("good", Proof.PROVED), ("slow", Proof.BELIEVED)])
def test_a_stack_is_proved_by_a_report_and_believed_without_one(play: Play, dialer: str, proof: Proof) -> None:
    played = play(dialer)

    assert played.verdict.outcome is Outcome.PASSED
    assert proof_of(STACK.case("a", "b").named_params, played.verdict.negotiated) is proof


def test_an_address_of_another_transport_does_not_pass_whatever_the_dialer_says(play: Play) -> None:
    played = play("good", "unreachable", stack=Stack("quic-v1"))

    assert played.verdict.outcome is Outcome.FAILED
    assert played.text == "the listener published an address of another transport than quic-v1: /ip4/0.0.0.0/tcp/4001"


# --- how a case can end (T3–T20) --------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Row:
    """What two behaviours together must come to."""

    dialer: str = "good"
    listener: str = "good"
    outcome: Outcome = Outcome.PASSED
    code: ReasonCode | None = None
    side: str | None = None
    says: str = ""  # part of the reason, or of a warning where it passed
    deadline: float = 30.0
    strict_exit: bool = False
    metrics: tuple[str, ...] = ("handshakePlusOneRTTMillis", "pingRTTMilllis")


PASSED_ROWS = {
    "T7-yaml-with-log-lines-in-it": Row(dialer="logs-inside-yaml"),
    "T7-seconds": Row(dialer="seconds", says="its times are not kept", metrics=()),
    "T7-longer-than-the-attempt": Row(
        dialer="for-ever", says="longer than the whole attempt", metrics=("pingRTTMilllis",)
    ),
    "T3-noise-around-the-record": Row(dialer="noisy"),
    "T4-record-in-pieces": Row(dialer="split"),
    "T5-other-objects-around": Row(dialer="other-objects"),
    "T6-two-records": Row(dialer="two-records", says="2 results"),
    "T7-integers-and-right-spelling": Row(dialer="integers"),
    "T7-exponents": Row(dialer="exponents"),
    "T7-yaml-from-a-classic-image": Row(dialer="yaml"),
    "T9-stopped-after-its-record": Row(dialer="stays-untrapped", says="still running"),
    "T9-listener-left-and-the-dialer-was-stopped": Row(
        dialer="stays-untrapped", listener="leaves", says="still running"
    ),
    "T10-stays-after-its-record": Row(dialer="stays", says="still running"),
    "T10-stays-and-ignores-SIGTERM": Row(dialer="stays-for-ever", says="still running"),
    "T12-listener-leaves-before-the-dialer-is-done": Row(
        dialer="slow", listener="leaves", says="left by itself with exit code 0"
    ),
    "T14-listener-does-not-handle-SIGTERM": Row(listener="untrapped"),
    "T16-two-addresses": Row(listener="two-addresses", says="published 2 addresses"),
    "T16-wildcard": Row(listener="unreachable", says="wildcard nobody can dial"),
    "T16-no-peer-id": Row(listener="unreachable", says="lacks /p2p/"),
    "T16-trailing-newline": Row(listener="publishes-a-newline", says="white space"),
    "T19-bytes-that-are-no-text": Row(dialer="binary", listener="binary"),
}

RED_ROWS = {
    "T5-only-impossible-times": Row(
        dialer="bad-record", outcome=Outcome.FAILED, code=ReasonCode.BAD_RESULT, side="dialer"
    ),
    "T8-exit-0-without-a-record": Row(
        dialer="no-record", outcome=Outcome.FAILED, code=ReasonCode.NO_RESULT, side="dialer"
    ),
    "T10-strict": Row(
        dialer="stays", outcome=Outcome.TIMED_OUT, code=ReasonCode.STOPPING, side="dialer", strict_exit=True
    ),
    "T11-exit-1-after-the-record": Row(
        dialer="record-then-exit-1",
        outcome=Outcome.FAILED,
        code=ReasonCode.DIALER_EXIT,
        side="dialer",
        says="exited 1 although it had printed a result",
    ),
    "T11-SIGSEGV-after-the-record": Row(
        dialer="record-then-exit-139",
        outcome=Outcome.FAILED,
        code=ReasonCode.SIGNAL,
        side="dialer",
        says="signal 11 (SIGSEGV)",
    ),
    "T13-listener-exits-before-publishing": Row(
        listener="exit-3", outcome=Outcome.FAILED, code=ReasonCode.LISTENER_EXIT, side="listener", says="giving up"
    ),
    "T13-listener-exits-and-so-does-the-dialer": Row(
        dialer="never-gives-up", listener="exit-3", outcome=Outcome.FAILED, code=ReasonCode.LISTENER_EXIT
    ),
    "T13-listener-crashes-after-publishing": Row(
        dialer="never-gives-up",
        listener="crashes",
        outcome=Outcome.FAILED,
        code=ReasonCode.SIGNAL,
        side="listener",
        says="signal 11 (SIGSEGV) while the dialer was busy",
    ),
    "T12-listener-leaves-and-the-dialer-never-comes-to-an-end": Row(
        dialer="never-gives-up",
        listener="leaves",
        outcome=Outcome.FAILED,
        code=ReasonCode.LISTENER_EXIT,
        side="listener",
    ),
    "T15-dialer-never-gives-up": Row(
        dialer="never-gives-up",
        outcome=Outcome.TIMED_OUT,
        code=ReasonCode.DIALING,
        says="last line: dialing again",
        deadline=3,
    ),
    "T17-not-published": Row(
        listener="silent", outcome=Outcome.TIMED_OUT, code=ReasonCode.BEFORE_PUBLISH, side="listener", deadline=2
    ),
    "T17-listener-leaves-without-publishing": Row(
        listener="publishes-nothing-and-leaves",
        outcome=Outcome.FAILED,
        code=ReasonCode.NEVER_PUBLISHED,
        side="listener",
    ),
    "T17-not-consumed": Row(
        dialer="never-asks", outcome=Outcome.TIMED_OUT, code=ReasonCode.NOT_CONSUMED, side="dialer", deadline=3
    ),
    "dialer-exits-before-asking": Row(
        dialer="exit-2",
        listener="silent",
        outcome=Outcome.FAILED,
        code=ReasonCode.DIALER_EXIT,
        side="dialer",
        says="exited 2 before the listener published an address; its last line: giving up",
    ),
    "negotiated-something-else": Row(
        dialer="wrong-stack", outcome=Outcome.FAILED, code=ReasonCode.WRONG_STACK, says="secureChannel plaintext"
    ),
}


@pytest.mark.parametrize("row", PASSED_ROWS.values(), ids=PASSED_ROWS)
def test_tolerated(play: Play, row: Row) -> None:
    played = play(row.dialer, row.listener, deadline=row.deadline)

    assert played.verdict.outcome is Outcome.PASSED, played.text
    assert played.verdict.reason is None
    assert tuple(played.verdict.metrics) == row.metrics
    if row.says:
        assert row.says in " · ".join(played.verdict.warnings)
    else:
        assert played.verdict.warnings == ()


@pytest.mark.parametrize("row", RED_ROWS.values(), ids=RED_ROWS)
def test_named(play: Play, row: Row) -> None:
    played = play(row.dialer, row.listener, deadline=row.deadline, strict_exit=row.strict_exit)

    assert (played.verdict.outcome, played.code) == (row.outcome, row.code), played.text
    assert row.says in played.text
    if row.side is not None:
        assert played.verdict.reason is not None
        assert played.verdict.reason.side == row.side
    if row.deadline == 30:
        assert played.evidence.elapsed < row.deadline, "it was known long before the deadline"


def test_t11_the_record_is_kept_as_evidence(play: Play) -> None:
    played = play("record-then-exit-1")

    assert played.verdict.metrics["pingRTTMilllis"] == 7.113


def test_t1_peers_meet_a_redis_that_answers(engine: Engine, peer_image: PeerImage) -> None:
    """The fake peers connect exactly once, as some real ones do: the very first case of a slot must serve them."""
    with engine.slot(2) as slot:
        assert Play(slot, peer_image)("good").verdict.outcome is Outcome.PASSED


def test_t2_what_an_earlier_attempt_left_in_redis_is_never_met(play: Play) -> None:
    left = play("never-asks", "two-addresses", deadline=2)
    assert left.evidence.published, "the earlier attempt has to leave something"

    played = play("never-gives-up", "silent", deadline=2)

    assert (played.verdict.outcome, played.code) == (Outcome.TIMED_OUT, ReasonCode.BEFORE_PUBLISH)
    assert played.output("dialer", "stderr") == "", "the dialer must still be waiting for an address"


def test_t13_fails_at_once(play: Play) -> None:
    played = play("good", "exit-3", deadline=60)

    assert played.evidence.ending is Ending.LISTENER_DIED
    end = played.evidence.own_end("listener")
    assert end is not None
    assert played.evidence.elapsed - end.at < 2


def test_t14_a_stubborn_listener_is_killed_and_its_code_does_not_count(play: Play) -> None:
    played = play("good", "stubborn")

    assert played.verdict.outcome is Outcome.PASSED
    assert played.evidence.exits["listener"].exit_code == 137
    assert played.evidence.exits["listener"].stopped


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_t18_a_flood_is_read_to_its_end_and_bounded(play: Play, role: Role) -> None:
    played = play(*(("flood", "good") if role == "dialer" else ("slow", "flood")))

    capture = played.evidence.streams[role, "stdout"]
    assert played.verdict.outcome is Outcome.PASSED, played.text
    assert len(capture.data()) < 2 * MIB + 100
    assert capture.truncated
    assert any("all kept but" in warning for warning in played.verdict.warnings)
    if role == "dialer":
        assert capture.total > 100_000_000
        assert capture.text().startswith("a line of noise")


@pytest.mark.parametrize("code", [125, 126, 127, 132])
@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_t20_trouble_with_an_image_is_an_error(play: Play, role: Role, code: int) -> None:
    played = play(*((f"exit-{code}", "good") if role == "dialer" else ("good", f"exit-{code}")))

    assert played.verdict.outcome is Outcome.ERROR
    assert played.code == ("illegal-instruction" if code == 132 else "container-start")
    assert played.verdict.reason is not None
    assert played.verdict.reason.side == role


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_t21_an_init_is_the_first_process_of_both_sides(play: Play, role: Role) -> None:
    """Without one, a program that does not handle SIGTERM would not feel it (T14) and end by SIGKILL instead."""
    played = play("untrapped", "untrapped", deadline=2)

    assert played.evidence.exits[role].exit_code == 143
    assert played.evidence.exits[role].stopped


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_what_a_side_leaves_running_goes_with_it(play: Play, role: Role) -> None:
    """The orphan holds on to both streams, too: waiting for their end would take for ever."""
    played = play(*(("double-fork", "good") if role == "dialer" else ("good", "double-fork")))

    assert played.verdict.outcome is Outcome.PASSED, played.text
    clients = play.slot.coordinator._client.client_list
    assert eventually(lambda: all(client["name"] != "orphan" for client in clients()))


# --- limits -----------------------------------------------------------------------------------------------


def limited(role: Role, limits: Limits) -> Callable[[AttemptSpec], AttemptSpec]:
    def change(spec: AttemptSpec) -> AttemptSpec:
        if role == "dialer":
            return spec.changed(replace(spec.participant("dialer"), limits=limits))
        return spec.changed(replace(spec.participant("listener"), limits=limits))

    return change


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_eating_memory_is_named(play: Play, role: Role) -> None:
    sides = ("hog", "good") if role == "dialer" else ("good", "hog")
    played = play(*sides, change=limited(role, Limits(memory_bytes=48 * MIB)))

    assert (played.verdict.outcome, played.code) == (Outcome.FAILED, ReasonCode.OUT_OF_MEMORY), played.text
    assert f"the {role} ran out of memory" in played.text


def test_forking_without_end_hits_the_limit_and_hurts_nobody(play: Play) -> None:
    played = play("never-asks", "fork", deadline=2, change=limited("listener", Limits(processes=48)))

    assert (played.verdict.outcome, played.code) == (Outcome.TIMED_OUT, ReasonCode.BEFORE_PUBLISH), played.text
    assert "Resource temporarily unavailable" in played.output("listener", "stderr")
    assert play("good").verdict.outcome is Outcome.PASSED


def test_a_dialer_that_polls_redis_without_end_cannot_outlive_the_deadline(play: Play) -> None:
    played = play("polls", "good", deadline=2)

    assert played.verdict.outcome is Outcome.TIMED_OUT, played.text
    assert played.evidence.elapsed < 4


# --- when it is not the peers' fault ----------------------------------------------------------------------


@pytest.mark.parametrize("dialer", ["stays", "announces"])
def test_redis_lost_in_the_middle_is_an_engine_error(engine: Engine, peer_image: PeerImage, dialer: str) -> None:
    """`stays` is killed while nobody looks at Redis, `announces` while the dialer waits in it and fails with it."""
    with engine.slot(1) as slot:
        play = Play(slot, peer_image)

        def end_redis(_: str) -> bool:
            with contextlib.suppress(redis.ConnectionError):
                slot.coordinator._client.shutdown(nosave=True)
            return False

        with pytest.raises(EngineError) as caught:
            play(dialer, "good" if dialer == "stays" else "silent", has_result=end_redis)

    assert caught.value.reference == "redis-lost"


class Stumbles(AttemptObserver):
    """Cannot cope with what it is shown, as a reader may not be able to with what an engine sends."""

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:  # noqa: ARG002
        raise LookupError("unheard of")


def test_an_error_in_a_reader_is_that_error_and_not_a_wait_for_the_deadline(play: Play) -> None:
    with pytest.raises(LookupError, match="unheard of"):
        play("announces", "silent", observer=Stumbles())
    assert play("good").verdict.outcome is Outcome.PASSED


VANDALISM = """
ACL SETUSER default -rpush -blpop
ACL SETUSER default >secret
CONFIG SET requirepass secret
CONFIG SET maxmemory 1
CONFIG SET maxclients 1
CONFIG GET *
REPLICAOF 127.0.0.1 1
SLAVEOF 127.0.0.1 1
SHUTDOWN NOSAVE
DEBUG SEGFAULT
FLUSHALL
SWAPDB 0 1
CLIENT LIST
CLIENT KILL TYPE normal
CLIENT PAUSE 100000
SCRIPT FLUSH
EVAL while(true)do(nothing)end 0
MODULE LIST
SAVE
MIGRATE 127.0.0.1 6379 key 0 10
SLOWLOG GET
LATENCY RESET
FAILOVER
""".strip()


def test_nobody_changes_redis_for_those_after_it(play: Play) -> None:
    """A dialer that took the right to push from everybody painted others red and stayed green itself."""

    def told(spec: AttemptSpec) -> AttemptSpec:
        dialer = spec.participant("dialer")
        return spec.changed(replace(dialer, environment={**dialer.environment, "VANDALISM": VANDALISM}))

    played = play("vandal", change=told)

    said = played.output("dialer", "stderr").splitlines()
    answers = {command: line for command in VANDALISM.splitlines() for line in said if line.startswith(f"{command}: ")}
    assert set(answers) == set(VANDALISM.splitlines())
    assert [line for line in answers.values() if "NOPERM" not in line and "not allowed" not in line] == []
    assert play("good").verdict.outcome is Outcome.PASSED


def test_what_is_too_much_for_redis_is_refused_and_gone_with_its_case(play: Play) -> None:
    played = play("hoard", "hoard")

    assert "OOM command not allowed" in played.output("dialer", "stderr"), played.text
    assert play("good").verdict.outcome is Outcome.PASSED


@pytest.mark.parametrize(
    "spoil",
    [
        ("CONFIG", "SET", "maxmemory", "1"),
        ("ACL", "SETUSER", "default", "-rpush"),
        ("REPLICAOF", "127.0.0.1", "1"),
        ("SHUTDOWN", "NOSAVE"),
    ],
    ids=lambda words: str(words[0]),
)
def test_a_slot_whose_redis_is_not_what_it_was_gets_another_before_the_next_case(
    engine: Engine, peer_image: PeerImage, spoil: tuple[str, ...]
) -> None:
    with engine.slot(4) as slot:
        play = Play(slot, peer_image)
        first = slot.coordinator
        with contextlib.suppress(redis.ConnectionError):
            first._client.execute_command(*spoil)

        assert play("good").verdict.outcome is Outcome.PASSED
        second = slot.coordinator
        assert second is not first
        assert play("good").verdict.outcome is Outcome.PASSED
        assert slot.coordinator is second


@pytest.mark.parametrize("role", TRANSPORT.roles)
def test_a_side_that_fills_the_disk_is_ended_with_that_reason(play: Play, role: Role) -> None:
    sides = ("litter", "good") if role == "dialer" else ("never-asks", "litter")
    played = play(*sides, change=limited(role, Limits(disk_bytes=200 * MIB)))

    assert (played.verdict.outcome, played.code) == (Outcome.FAILED, ReasonCode.SIGNAL), played.text
    assert "to its disk, 200 MiB are allowed" in played.text


def test_cancelled_in_the_middle(play: Play) -> None:
    cancelled = threading.Event()

    def interrupt(_: str) -> bool:
        cancelled.set()
        return False

    with pytest.raises(Cancelled):
        play("announces", "silent", has_result=interrupt, cancelled=cancelled)
    assert play("good").verdict.outcome is Outcome.PASSED


def test_redis_is_reached_by_the_classic_name(play: Play) -> None:
    """Images of the classic generation are never told where Redis is: the engine has to put it there."""
    if play.slot.surroundings.redis != CLASSIC_REDIS:
        pytest.skip("this engine tells them")
    assert "redis_addr" not in play("good", contracts=(CLASSIC, UNIFIED)).spec.participant("dialer").environment
