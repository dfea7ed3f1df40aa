"""Verdicts from evidence alone: what decides before what, and what people are told."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest
from quic_traffic import CAPTURES, connections, handshake, one_rtt, sent

from ci.errors import EngineError
from ci.model import Outcome, ReasonCode, Side, Verdict
from ci.spec.attempt import End
from ci.spec.sandbox import OpenSandbox
from ci.suites.quic.captures.files import UnreadableCaptureError
from ci.suites.quic.captures.key_logs import key_logs
from ci.suites.quic.captures.packets import Datagram, Trace
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.exchange import Ending, Exchange, Participant
from ci.suites.quic.judge import ReadTrace, judge
from ci.suites.quic.materials.case_files import CaseFiles, prepare
from ci.suites.quic.materials.received import PROTOCOL_FILE, wrong_files
from ci.suites.quic.testcases.base import KIB, Beside, TestCase
from ci.suites.quic.testcases.handshake import HANDSHAKE, IPV6
from ci.suites.quic.testcases.registry import QUIC_MEASUREMENTS, WEBTRANSPORT_CASES
from ci.suites.quic.testcases.transfer import ECN, KEY_UPDATE

SEED = 11
GOOD_LOG = "CLIENT_RANDOM 0 0\nSERVER_HANDSHAKE_TRAFFIC_SECRET 00 11\n"
ENDED, STOPPED = End(at=3, exit_code=0), End(at=5, exit_code=143, stopped=True)
ENDS: Mapping[Participant, End] = {"client": ENDED, "server": STOPPED, "simulator": STOPPED}

Stage = Callable[..., Exchange]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Makes an exchange in which everything went well, but for what is given."""

    def make(
        test: TestCase = HANDSHAKE,
        *,
        ending: Ending = Ending.CLIENT_ENDED,
        received: bool = True,
        key_log: str | None = GOOD_LOG,
        words: Mapping[Participant, str] | None = None,
        elapsed: float = 3.0,
        **ends: End | None,
    ) -> Exchange:
        case_files = test.case_files(SEED)
        prepare(case_files, tmp_path)
        for name in ("client", "server", "sim"):
            (tmp_path / name).mkdir()
        if key_log is not None:
            (tmp_path / "client" / "keys.log").write_text(key_log)
        if received:
            receive(case_files, tmp_path)
        exits: dict[Participant, End | None] = {**ENDS, **ends}  # type: ignore[dict-item]  # keywords are participants here
        return Exchange(
            ending=ending,
            exits={participant: end for participant, end in exits.items() if end is not None},
            last_log_line=words or {},
            elapsed=elapsed,
            folder=tmp_path,
        )

    return make


def receive(case_files: CaseFiles, folder: Path) -> None:
    for file in case_files.files:
        path = folder / f"{case_files.receiver}_downloads" / file.name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(file.content(case_files.seed))


def reader(*datagrams: Datagram) -> ReadTrace:
    def read(capture: Path, key_logs: Sequence[Path], *, whole: bool) -> Trace:
        del capture, whole
        return Trace(datagrams, decrypted=bool(key_logs))

    return read


def unreadable(capture: Path, key_logs: Sequence[Path], *, whole: bool) -> Trace:
    del key_logs, whole
    raise UnreadableCaptureError(capture, "cut short")


def never(capture: Path, key_logs: Sequence[Path], *, whole: bool) -> Trace:
    del capture, key_logs, whole
    pytest.fail("the traffic was looked at")


def verdict(exchange: Exchange, test: TestCase = HANDSHAKE, *traffic: Datagram) -> Verdict:
    return judge(test, test.case_files(SEED), exchange, read=reader(*(traffic or connections(1))))


def early(exchange: Exchange, test: TestCase = HANDSHAKE) -> tuple[Outcome, ReasonCode, Side, str]:
    """A verdict for which nobody looks at the traffic."""
    found = judge(test, test.case_files(SEED), exchange, read=never)
    assert found.reason is not None
    return found.outcome, found.reason.code, found.reason.side, found.reason.text


# --- passed -----------------------------------------------------------------------------------------------


def test_files_and_traffic_are_what_passing_means(stage: Stage) -> None:
    agreed = sent("server", handshake(alpn=("hq-interop",)))
    assert verdict(stage(), HANDSHAKE, *connections(1), agreed) == Verdict(
        outcome=Outcome.PASSED, negotiated={"version": "0x1", "alpn": "hq-interop"}
    )


def test_a_server_that_leaves_first_and_well_leaves_it_to_what_arrived(stage: Stage) -> None:
    left = stage(ending=Ending.SERVER_ENDED, server=ENDED, client=STOPPED)
    assert verdict(left).outcome is Outcome.PASSED


def test_a_passed_case_without_a_key_log_says_so(stage: Stage) -> None:
    passed = verdict(stage(key_log=None))
    assert passed.outcome is Outcome.PASSED
    assert passed.warnings == ("no valid key log: what is protected was not looked at",)


def test_what_the_server_does_after_the_client_is_done_does_not_decide(stage: Stage) -> None:
    assert verdict(stage(server=End(at=4, exit_code=1))).outcome is Outcome.PASSED


def test_a_measurement_has_a_rate(stage: Stage) -> None:
    test = dataclasses.replace(QUIC_MEASUREMENTS[0], sizes=(10 * KIB,))
    flow = [sent("server", one_rtt(frames=(0x0A,)), at=at) for at in (1.0, 3.0)]
    passed = verdict(stage(test), test, *connections(1), *flow)
    assert passed.metrics == {"kbps": pytest.approx(8 * 10 * KIB / 2 / 1000)}


def test_a_measurement_of_no_time_fails(stage: Stage) -> None:
    test = dataclasses.replace(QUIC_MEASUREMENTS[0], sizes=(10 * KIB,))
    failed = verdict(stage(test), test)
    assert failed.reason is not None
    assert (failed.outcome, failed.reason.code) == (Outcome.FAILED, ReasonCode.WRONG_TRAFFIC)


# --- before anything is looked at -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "server", "side", "text"),
    [
        (STOPPED, STOPPED, "both", "client and server still running; the client wrote nothing; the last line of the"),
        (STOPPED, ENDED, "client", "client still running; the client wrote nothing"),
        (ENDED, STOPPED, "server", "server still running; the last line of the server: listening"),
    ],
)
def test_the_deadline_says_who_was_still_running(stage: Stage, client: End, server: End, side: Side, text: str) -> None:
    late = stage(ending=Ending.DEADLINE, client=client, server=server, elapsed=60.2, words={"server": "listening\n"})
    outcome, code, found_side, told = early(late)
    assert (outcome, code, found_side) == (Outcome.TIMED_OUT, ReasonCode.EXCHANGING, side)
    assert told.startswith(f"not done after 60 s (60 s allowed), {text}")


@pytest.mark.parametrize(
    ("client", "server", "side"),
    [
        (End(at=1, exit_code=127), STOPPED, "client"),
        (STOPPED, End(at=1, exit_code=127), "server"),
        (End(at=1, exit_code=127), End(at=1, exit_code=127), "both"),
    ],
)
def test_127_is_unsupported_and_whose(stage: Stage, client: End, server: End, side: Side) -> None:
    ending = Ending.SERVER_ENDED if side == "server" else Ending.CLIENT_ENDED
    outcome, code, found_side, text = early(stage(ECN, ending=ending, client=client, server=server), ECN)
    assert (outcome, code, found_side) == (Outcome.UNSUPPORTED, ReasonCode.EXIT_127, side)
    assert "(ecn)" in text


def test_127_of_a_program_that_was_stopped_says_nothing(stage: Stage) -> None:
    assert verdict(stage(server=End(at=4, exit_code=127, stopped=True))).outcome is Outcome.PASSED


def test_127_comes_before_a_simulator_that_breaks(stage: Stage) -> None:
    broken = End(at=2, exit_code=1)
    outcome, *_ = early(stage(client=End(at=1, exit_code=127), simulator=broken))
    assert outcome is Outcome.UNSUPPORTED


def test_a_simulator_that_ends_early_is_an_error(stage: Stage) -> None:
    died = stage(
        ending=Ending.SIMULATOR_ENDED,
        client=STOPPED,
        simulator=End(at=2, exit_code=139),
        words={"simulator": "assert failed"},
    )
    outcome, code, side, text = early(died)
    assert (outcome, code, side) == (Outcome.ERROR, ReasonCode.SIMULATOR, "harness")
    assert text == (
        "the simulator was killed by signal 11 (SIGSEGV) before the exchange was over;"
        " the last line of the simulator: assert failed"
    )


def test_a_server_that_never_answers_the_simulator_is_no_fault_of_the_simulator(stage: Stage) -> None:
    silent = stage(ending=Ending.SIMULATOR_ENDED, client=STOPPED, simulator=End(at=10.0, exit_code=1))
    outcome, code, side, text = early(silent)
    assert (outcome, code, side) == (Outcome.TIMED_OUT, ReasonCode.BEFORE_PUBLISH, "server")
    assert text == "the server answered no QUIC packet within 10 s; the server wrote nothing"


@pytest.mark.parametrize(
    ("captured", "end"),
    [
        ("left", End(at=10.4, exit_code=1)),  # the server had answered, and something else broke
        ("right", End(at=10.4, exit_code=1)),
        (None, End(at=9.9, exit_code=1)),
        (None, End(at=10.4, exit_code=0)),
    ],
)
@pytest.mark.parametrize("ending", [Ending.SIMULATOR_ENDED, Ending.CLIENT_ENDED])
def test_any_other_end_of_the_simulator_is_its_own_fault(
    stage: Stage, captured: Beside | None, end: End, ending: Ending
) -> None:
    broken = stage(ending=ending, client=STOPPED, simulator=end)
    if captured is not None:
        broken.capture(captured).write_bytes(b"")
    outcome, code, side, _ = early(broken)
    assert (outcome, code, side) == (Outcome.ERROR, ReasonCode.SIMULATOR, "harness")


def test_a_simulator_that_is_gone_without_an_end_of_its_own_is_an_error_too(stage: Stage) -> None:
    outcome, code, _, text = early(stage(ending=Ending.SIMULATOR_ENDED, client=STOPPED, simulator=STOPPED))
    assert (outcome, code) == (Outcome.ERROR, ReasonCode.SIMULATOR)
    assert text == "the simulator ended before the exchange was over"


def test_with_the_key_log_it_needs_a_case_is_judged(stage: Stage) -> None:
    failed = verdict(stage(KEY_UPDATE), KEY_UPDATE)
    assert failed.reason is not None
    assert (failed.outcome, failed.reason.code) == (Outcome.FAILED, ReasonCode.WRONG_TRAFFIC)


@pytest.mark.parametrize("received", [False, True])
def test_of_files_that_are_missing_a_server_that_left_first_is_named(stage: Stage, *, received: bool) -> None:
    left = stage(ending=Ending.SERVER_ENDED, server=ENDED, client=STOPPED, received=received)
    failed = verdict(left, HANDSHAKE, *connections(2))
    assert failed.reason is not None
    assert failed.reason.code is (ReasonCode.WRONG_TRAFFIC if received else ReasonCode.WRONG_FILES)
    assert (failed.reason.side == "server") is not received
    assert failed.reason.text.endswith("; the server had left first") is not received


def test_of_files_that_are_missing_after_the_clients_own_end_nobody_else_is_named(stage: Stage) -> None:
    failed = verdict(stage(received=False))
    assert failed.reason is not None
    assert failed.reason.code is ReasonCode.WRONG_FILES
    assert "left first" not in failed.reason.text


def test_a_client_of_whose_end_nothing_is_known_is_gone(stage: Stage) -> None:
    assert early(stage(client=None))[1:] == (
        ReasonCode.CLIENT_EXIT,
        "client",
        "the client is gone; the client wrote nothing",
    )


def test_nothing_is_said_of_what_the_server_chose_where_nothing_is_seen_of_it(stage: Stage) -> None:
    assert verdict(stage()).negotiated is None


def test_a_flow_without_its_competitor_is_not_what_was_to_be_measured(stage: Stage) -> None:
    test = dataclasses.replace(QUIC_MEASUREMENTS[1], sizes=(KIB,))
    outcome, code, _, text = early(stage(test, iperf_server=End(at=1, exit_code=1)), test)
    assert (outcome, code) == (Outcome.ERROR, ReasonCode.SIMULATOR)
    assert text.startswith("iperf_server exited 1")


@pytest.mark.parametrize(
    ("exit_code", "code"),
    [(125, ReasonCode.CONTAINER_START), (126, ReasonCode.CONTAINER_START), (132, ReasonCode.ILLEGAL_INSTRUCTION)],
)
def test_an_image_that_cannot_run_says_nothing_about_interoperability(
    stage: Stage, exit_code: int, code: ReasonCode
) -> None:
    outcome, found, side, _ = early(stage(client=End(at=1, exit_code=exit_code)))
    assert (outcome, found, side) == (Outcome.ERROR, code, "client")


@pytest.mark.parametrize(
    ("side", "end", "code", "text"),
    [
        ("client", End(at=1, exit_code=1), ReasonCode.CLIENT_EXIT, "the client exited 1; the last line of the client"),
        ("server", End(at=1, exit_code=2), ReasonCode.SERVER_EXIT, "the server exited 2; the last line of the server"),
        ("client", End(at=1, exit_code=139), ReasonCode.CLIENT_EXIT, "the client was killed by signal 11 (SIGSEGV)"),
        ("server", End(at=1, exit_code=137, out_of_memory=True), ReasonCode.OUT_OF_MEMORY, "the server ran out of"),
    ],
)
def test_who_ends_badly_fails(stage: Stage, side: Participant, end: End, code: ReasonCode, text: str) -> None:
    ending = Ending.CLIENT_ENDED if side == "client" else Ending.SERVER_ENDED
    ends = {"client": STOPPED, "server": STOPPED, side: end}
    exchange = stage(ending=ending, words={side: "\x1b[31moh dear" + "!" * 5000}, **ends)
    outcome, found, found_side, told = early(exchange)
    assert (outcome, found, found_side) == (Outcome.FAILED, code, side)
    assert told.startswith(text)
    assert told.isprintable()
    assert len(told) <= 1024


@pytest.mark.parametrize("key_log", [None, "", "CLIENT_RANDOM 00 11\n", "# SERVER_HANDSHAKE_TRAFFIC_SECRET\n"])
def test_no_key_log_is_unsupported_where_one_is_needed(stage: Stage, key_log: str | None) -> None:
    # Whatever else is wrong.
    outcome, code, side, _ = early(stage(KEY_UPDATE, key_log=key_log, received=False), KEY_UPDATE)
    assert (outcome, code, side) == (Outcome.UNSUPPORTED, ReasonCode.NO_KEY_LOG, "both")


# --- key logs, captures -----------------------------------------------------------------------------------


def test_the_clients_key_log_comes_first_and_what_is_no_good_not_at_all(stage: Stage) -> None:
    folder = stage(key_log=GOOD_LOG).folder
    client, server = (folder / side / "keys.log" for side in ("client", "server"))
    assert key_logs(folder) == [client]
    server.write_text(GOOD_LOG)
    assert key_logs(folder) == [client, server]
    client.write_text("CLIENT_RANDOM 00 11\n")
    assert key_logs(folder) == [server]
    client.unlink()
    client.mkdir()
    assert key_logs(folder) == [server]


def test_a_capture_that_cannot_be_read_is_an_error(stage: Stage) -> None:
    found = judge(HANDSHAKE, HANDSHAKE.case_files(SEED), stage(), read=unreadable)
    assert found.reason is not None
    assert (found.outcome, found.reason.code) == (Outcome.ERROR, ReasonCode.CAPTURE_UNREADABLE)
    assert found.reason.text.startswith("the capture trace_node_right.pcap cannot be read: cut short; ")


def test_a_reader_that_is_not_through_is_this_cases_error(stage: Stage) -> None:
    def late(capture: Path, key_logs: Sequence[Path], *, whole: bool) -> Trace:
        del key_logs, whole
        raise EngineError("tshark-late", f"tshark was not through the capture {capture.name} after 300 s")

    found = judge(HANDSHAKE, HANDSHAKE.case_files(SEED), stage(), read=late)
    assert found.reason is not None
    assert (found.outcome, found.reason.code, found.reason.side) == (Outcome.ERROR, ReasonCode.TSHARK_LATE, "harness")
    assert found.reason.text == "tshark was not through the capture trace_node_right.pcap after 300 s"


def test_without_a_reader_nothing_can_be_judged(stage: Stage) -> None:
    def missing(capture: Path, key_logs: Sequence[Path], *, whole: bool) -> Trace:
        del capture, key_logs, whole
        raise EngineError("engine-lost", "the Docker engine failed")

    with pytest.raises(EngineError):
        judge(HANDSHAKE, HANDSHAKE.case_files(SEED), stage(), read=missing)


def test_wrong_files_are_told_even_if_the_capture_cannot_be_read(stage: Stage) -> None:
    found = judge(HANDSHAKE, HANDSHAKE.case_files(SEED), stage(received=False), read=unreadable)
    assert found.reason is not None
    assert (found.outcome, found.reason.code) == (Outcome.FAILED, ReasonCode.WRONG_FILES)


def test_wrong_traffic_fails(stage: Stage) -> None:
    found = verdict(stage(), HANDSHAKE, *connections(2))
    assert found.reason is not None
    assert (found.outcome, found.reason.code, found.reason.side) == (Outcome.FAILED, ReasonCode.WRONG_TRAFFIC, "client")


def test_captures_are_read_from_where_the_simulator_leaves_them(stage: Stage, open_sandbox: OpenSandbox) -> None:
    read = partial(read_trace, open_sandbox=open_sandbox)
    exchange = stage()
    for side in ("left", "right"):
        exchange.capture(side).write_bytes((CAPTURES / "handshake" / f"{side}.pcap.gz").read_bytes())
    (exchange.folder / "client" / "keys.log").write_bytes((CAPTURES / "handshake" / "keys.log").read_bytes())
    assert judge(HANDSHAKE, HANDSHAKE.case_files(SEED), exchange, read=read) == Verdict(
        outcome=Outcome.PASSED, negotiated={"version": "0x1", "alpn": "hq-interop"}
    )
    exchange.capture("left").write_bytes(b"\x0a\x0d\x0d\x0a")
    found = judge(HANDSHAKE, HANDSHAKE.case_files(SEED), exchange, read=read)
    assert found.outcome is Outcome.ERROR


# --- files ------------------------------------------------------------------------------------------------


def file_trouble(exchange: Exchange, test: TestCase = IPV6) -> str | None:
    finding = wrong_files(test.case_files(SEED), exchange.folder)
    return None if finding is None else finding.text


def test_every_way_in_which_files_can_be_wrong(stage: Stage) -> None:
    exchange = stage(IPV6)
    first, second = IPV6.case_files(SEED).files
    folder = exchange.folder / "client_downloads"
    assert file_trouble(exchange) is None

    (folder / "qlog").mkdir()
    (folder / "qlog" / "anything").write_text("folders are looked past")
    assert file_trouble(exchange) is None

    (folder / ".part").write_text("")
    assert file_trouble(exchange) == "the client has files nobody asked for: .part"
    (folder / ".part").unlink()

    content = bytearray(first.content(SEED))
    content[1234] ^= 1
    (folder / first.name).write_bytes(content)
    assert file_trouble(exchange) == f"the client's file {first.name} is not what was sent, from byte 1234 on"
    (folder / first.name).write_bytes(content[:-1])
    assert file_trouble(exchange) == f"the client's file {first.name} has 5119 bytes, not 5120"
    (folder / first.name).unlink()
    assert file_trouble(exchange) == f"the client lacks 1 of 2 files: {first.name}"
    (folder / second.name).unlink()
    assert file_trouble(exchange) == f"the client lacks 2 of 2 files: {first.name}, {second.name}"


def test_a_link_to_the_right_content_is_nothing_received(stage: Stage) -> None:
    exchange = stage(IPV6)
    first, _ = IPV6.case_files(SEED).files
    path = exchange.folder / "client_downloads" / first.name
    path.unlink()
    path.symlink_to(exchange.folder / "server_www" / first.name)
    assert file_trouble(exchange) == f"the client lacks 1 of 2 files: {first.name}"


def test_files_missing_after_the_server_left_are_the_servers_doing(stage: Stage) -> None:
    gone = stage(IPV6, ending=Ending.SERVER_ENDED, server=ENDED, client=STOPPED, received=False)
    outcome, code, side, text = early(gone, IPV6)
    assert (outcome, code, side) == (Outcome.FAILED, ReasonCode.WRONG_FILES, "server")
    assert text.endswith("; the server had left first")


def test_webtransport_files_are_looked_for_at_their_receiver(stage: Stage) -> None:
    send = next(test for test in WEBTRANSPORT_CASES if test.name == "transfer-datagram-send")
    exchange = stage(send)
    assert file_trouble(exchange, send) is None
    file = send.case_files(SEED).files[0]
    (exchange.folder / "server_downloads" / file.name).unlink()
    assert file_trouble(exchange, send) == f"the server lacks 1 of 200 files: {file.name.partition('/')[2]}"


def test_both_sides_of_a_webtransport_handshake_write_what_they_agreed_on(stage: Stage) -> None:
    test = WEBTRANSPORT_CASES[0]
    exchange = stage(test)
    protocol = test.case_files(SEED).protocol
    assert protocol is not None
    client, server = (exchange.folder / f"{side}_downloads" / PROTOCOL_FILE for side in ("client", "server"))

    assert file_trouble(exchange, test) == "the client wrote no negotiated_protocol.txt"
    client.write_text(f" {protocol}\n")
    assert file_trouble(exchange, test) == "the server wrote no negotiated_protocol.txt"
    server.write_text("something else")
    assert file_trouble(exchange, test) == f"the server says they agreed on 'something else', it should be {protocol!r}"
    server.write_bytes(b"\xff" * 10_000_000)
    assert len(file_trouble(exchange, test) or "") < 2000
    server.write_text(protocol)
    assert file_trouble(exchange, test) is None
