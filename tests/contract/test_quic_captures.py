"""Every test case against real traffic: a capture in which it must pass, and one in which it must fail."""

from __future__ import annotations

import gzip
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
from quic_traffic import CAPTURES, Captured, findings

from ci.errors import EngineError
from ci.model import Side
from ci.spec.sandbox import OpenSandbox
from ci.suites.quic.captures.files import UnreadableCaptureError
from ci.suites.quic.captures.key_logs import valid_key_log
from ci.suites.quic.captures.packets import VERSION_1, VERSION_2, Address, Ecn, Frame, PacketType
from ci.suites.quic.captures.reading import read_trace
from ci.suites.quic.captures.tshark import dissect, with_secrets
from ci.suites.quic.testcases import handshake, losses, measurements, paths, resumption, transfer
from ci.suites.quic.testcases.base import KIB, TestCase, Traces
from ci.suites.quic.testcases.checks import handshakes
from ci.suites.quic.testcases.registry import QUIC_CASES, WEBTRANSPORT_CASES
from ci.suites.quic.testcases.registry import QUIC_MEASUREMENTS as MEASUREMENTS

SESSIONS = {test.name: test for test in WEBTRANSPORT_CASES}
SENDERS: tuple[tuple[str, Side], ...] = (("transfer-{}-receive", "server"), ("transfer-{}-send", "client"))


def of_ten(test: TestCase) -> TestCase:
    """The recorded captures have ten handshakes instead of fifty."""
    return replace(test, checks=(handshakes(10), *test.checks[1:]))


PASSING: list[tuple[TestCase, str]] = [
    (handshake.HANDSHAKE, "handshake"),
    (transfer.TRANSFER, "handshake"),
    # Its client's last packet ends inside a STREAM frame.
    (handshake.HANDSHAKE, "torn-stream"),
    (handshake.LONG_RTT, "longrtt"),
    (handshake.CHACHA20, "chacha20"),
    (handshake.MULTIPLEXING, "multiplexing"),
    (handshake.MULTIPLEXING, "always-validating"),
    (handshake.RETRY, "retry"),
    (resumption.RESUMPTION, "resumption"),
    (resumption.ZERO_RTT, "zerortt"),
    (resumption.ZERO_RTT, "zerortt-probes"),
    (transfer.KEY_UPDATE, "keyupdate"),
    (transfer.ECN, "ecn"),
    (losses.AMPLIFICATION_LIMIT, "amplificationlimit"),
    (handshake.IPV6, "ipv6"),
    # Beside the connection the server's host sends other datagrams, to the client too.
    (losses.AMPLIFICATION_LIMIT, "chatty-amplificationlimit"),
    (handshake.IPV6, "chatty-ipv6"),
    (paths.REBIND_PORT, "chatty-rebind-port"),
    (handshake.V2, "v2"),
    (paths.REBIND_PORT, "rebind-port"),
    (paths.REBIND_PORT, "lost-challenge"),
    (paths.REBIND_PORT, "late-rebinding"),
    # nginx asks twice on each new path, and is answered once.
    (paths.REBIND_PORT, "two-challenges"),
    (paths.REBIND_PORT, "rebind-addr"),
    (paths.REBIND_ADDRESS, "rebind-addr"),
    # Padding behind packets and another path: what tshark before 4.4 loses its way in.
    (paths.REBIND_ADDRESS, "empty-connection-ids"),
    (paths.CONNECTION_MIGRATION, "connectionmigration"),
    (handshake.HTTP3, "http3"),
    (transfer.BLACKHOLE, "blackhole"),
    (of_ten(losses.HANDSHAKE_LOSS), "handshakeloss"),
    (losses.TRANSFER_LOSS, "transferloss"),
    # What was spoilt has arrived as well: datagrams that nobody can read are in these.
    (of_ten(losses.HANDSHAKE_CORRUPTION), "handshakecorruption"),
    (losses.TRANSFER_CORRUPTION, "transfercorruption"),
    (measurements.GOODPUT, "goodput"),
    (measurements.CROSS_TRAFFIC, "crosstraffic"),
    *((test, f"webtransport-{test.name}") for test in WEBTRANSPORT_CASES),
]

FAILING: list[tuple[TestCase, str, str, Side]] = [
    (handshake.HANDSHAKE, "retry", "the server sent a Retry", "server"),
    (handshake.HANDSHAKE, "resumption", "2 handshakes where there must be 1: the client made 2 attempts", "client"),
    (transfer.TRANSFER, "not-resumed", "2 handshakes where there must be 1", "client"),
    (transfer.TRANSFER, "v2", "the server's Initials are of version 0x6b3343cf, not of 0x1", "server"),
    (handshake.LONG_RTT, "handshake", "the client sent its ClientHello once", "client"),
    # Sent twice, but the second time because of the Retry.
    (handshake.LONG_RTT, "retry", "the client sent its ClientHello once", "client"),
    (handshake.CHACHA20, "handshake", "the client offered the cipher suites 0x1301, 0x1302, 0x1303;", "client"),
    (handshake.MULTIPLEXING, "many-streams", "initial_max_streams_bidi is 2000, at most 1000", "server"),
    (handshake.RETRY, "handshake", "the server never sent a Retry", "server"),
    (handshake.HTTP3, "handshake", "client and server agreed on hq-interop instead of h3", "unknown"),
    (resumption.RESUMPTION, "not-resumed", "the second handshake is a full one", "unknown"),
    (resumption.RESUMPTION, "handshake", "1 handshake where there must be 2", "unknown"),
    (resumption.ZERO_RTT, "resumption", "the client sent no 0-RTT packet", "client"),
    (transfer.KEY_UPDATE, "handshake", "the client never sent a packet of key phase 1", "client"),
    (transfer.ECN, "handshake", "the client marked no packet", "client"),
    (transfer.ECN, "no-ecn-acks", "the client never sent an ACK with ECN counts", "client"),
    (transfer.ECN, "retry", "the server sent a Retry", "server"),
    (losses.AMPLIFICATION_LIMIT, "handshake", "bytes long, its chain of certificates alone is over 9000", "server"),
    (losses.AMPLIFICATION_LIMIT, "amplified", "although only 1200 had come from an address it did not know", "server"),
    (losses.HANDSHAKE_LOSS, "resumption", "2 handshakes where there must be 50", "unknown"),
    (handshake.IPV6, "handshake", "the server sent a packet over IPv4", "unknown"),
    (handshake.V2, "handshake", "the server did not choose version 2", "server"),
    (paths.REBIND_PORT, "handshake", "the server never sent anything on another path", "unknown"),
    (
        paths.REBIND_PORT,
        "no-challenge",
        "the server's first packet on 193.167.100.100:443 → 193.167.0.100:4711 has no PATH_CHALLENGE",
        "server",
    ),
    (paths.REBIND_ADDRESS, "rebind-port", "the server sent to 193.167.0.100 only", "server"),
    (paths.CONNECTION_MIGRATION, "unchallenged-migration", "193.167.0.100:50000 has no PATH_CHALLENGE", "server"),
    # Who begins anew has not survived: neither an outage nor lost or spoilt packets.
    *(
        (test, "not-resumed", "2 handshakes where there must be 1", "client")
        for test in (transfer.BLACKHOLE, losses.TRANSFER_LOSS, losses.TRANSFER_CORRUPTION, *MEASUREMENTS)
    ),
    (losses.HANDSHAKE_LOSS, "handshakeloss", "10 handshakes where there must be 50", "unknown"),
    (losses.HANDSHAKE_CORRUPTION, "handshakecorruption", "10 handshakes where there must be 50", "unknown"),
    (SESSIONS["handshake"], "not-resumed", "2 handshakes where there must be 1", "client"),
    *(
        (SESSIONS[form.format(wanted)], f"webtransport-{form.format(used)}", text, side)
        for form, side in SENDERS
        for wanted, used, text in (
            ("unidirectional", "bidirectional", "unidirectional streams opened by"),
            ("bidirectional", "unidirectional", "bidirectional streams opened by"),
            ("datagram", "unidirectional", "sent 0 DATAGRAM frames, there are 200 files"),
        )
    ),
]


@pytest.mark.parametrize(("test", "name"), PASSING, ids=lambda value: getattr(value, "name", value))
def test_passes(captured: Captured, test: TestCase, name: str) -> None:
    assert findings(test, captured(name)) is None


@pytest.mark.parametrize(("test", "name", "text", "side"), FAILING, ids=lambda value: getattr(value, "name", value))
def test_fails(captured: Captured, test: TestCase, name: str, text: str, side: str) -> None:
    finding = findings(test, captured(name))

    assert finding is not None
    assert text in finding.text
    assert finding.side == side


def test_every_test_case_is_shown_passing_and_failing() -> None:
    everything = {(test.suite, test.name) for test in (*QUIC_CASES, *MEASUREMENTS, *WEBTRANSPORT_CASES)}
    assert {(test.suite, test.name) for test, *_ in PASSING} == everything
    assert {(test.suite, test.name) for test, *_ in FAILING} == everything


@pytest.mark.parametrize(
    ("test", "name"),
    [
        (test, name)
        for test, name in [*PASSING, *((test, name) for test, name, *_ in FAILING)]
        if test.whole != ("left", "right")
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_what_is_not_read_would_not_have_changed_the_verdict(captured: Captured, test: TestCase, name: str) -> None:
    assert findings(test, captured(name, test.whole)) == findings(test, captured(name))


def test_rates_are_measured_in_recorded_captures(captured: Captured) -> None:
    """Over a link of 200 kbit/s, headers and all, alone and beside a TCP flow that takes its share."""
    alone = measurements.goodput(captured("goodput").left, 50 * KIB)
    beside = measurements.goodput(captured("crosstraffic").left, 60 * KIB)

    assert isinstance(alone, float)
    assert isinstance(beside, float)
    assert 170 < alone < 200
    assert beside < 0.9 * alone


# --- what is read -----------------------------------------------------------------------------------------


def test_a_handshake_is_read_to_the_last_field(captured: Captured) -> None:
    first, answer, finish, *_ = captured("handshake").right.datagrams

    assert (first.sender, answer.sender) == ("client", "server")
    assert first.source == Address("193.167.0.100", 50000)
    assert first.target == Address("193.167.100.100", 443)
    assert (first.at, first.size, first.ecn) == (0.0, 1200, Ecn.NOT_ECT)
    assert finish.at == pytest.approx(0.03, abs=1e-3)
    (hello,) = first.packets  # the padding behind it is no packet
    assert hello.type is PacketType.INITIAL
    assert (hello.version, hello.token, hello.number, hello.handshake_types) == (VERSION_1, "", 0, (1,))
    assert hello.cipher_suites == (0x1302, 0x1301, 0x1303)
    assert hello.alpn == ("hq-interop",)
    assert hello.crypto[0].offset == 0
    kinds = [packet.type for packet in answer.packets]
    assert kinds == [PacketType.INITIAL, PacketType.HANDSHAKE, PacketType.ONE_RTT][: len(kinds)]
    server_hello, certificate = answer.packets[:2]
    assert server_hello.dcid == hello.scid
    assert certificate.handshake_types == (8, 11, 15, 20)
    assert certificate.max_streams_bidi == (128,)
    assert certificate.alpn == ("hq-interop",)
    assert len(certificate.certificates_length) == 1
    assert [packet.type for packet in finish.packets] == [
        PacketType.INITIAL,
        PacketType.HANDSHAKE,
        PacketType.ONE_RTT,
    ]
    assert finish.packets[2].finished_streams == (0,)
    assert finish.packets[2].key_phase == 0


def test_version_2_numbers_packet_types_in_its_own_way(captured: Captured) -> None:
    server = [p for p in captured("v2").right.packets("server") if p.version is not None]
    assert [(p.type, p.version) for p in server[:2]] == [
        (PacketType.INITIAL, VERSION_2),
        (PacketType.HANDSHAKE, VERSION_2),
    ]


def test_early_data_is_told_from_late(captured: Captured) -> None:
    left = captured("zerortt").left
    early = sum(p.payload_length for p in left.packets("client", PacketType.ZERO_RTT))
    late = sum(p.payload_length for p in left.packets("client", PacketType.ONE_RTT))
    assert early > 10_000
    assert 0 < late <= 5_000


def test_other_ports_are_read_too(captured: Captured) -> None:
    """Neither the port a NAT made up nor the one the server prefers is a QUIC port to tshark by itself."""
    for name, port in (("rebind-port", 4711), ("connectionmigration", 4444)):
        seen = [d for d in captured(name).right.datagrams if port in (d.source.port, d.target.port)]
        assert seen
        assert all(packet.decrypted for datagram in seen for packet in datagram.packets)


def test_a_client_behind_a_nat_is_still_the_client(captured: Captured) -> None:
    right = captured("rebind-addr").right
    assert {datagram.source.host for datagram in right.sent_by("client")} == {"193.167.0.100", "193.167.0.17"}
    assert {datagram.sender for datagram in right.datagrams} == {"client", "server"}


def test_marks_are_read_from_both_versions_of_ip(captured: Captured) -> None:
    assert {d.ecn for d in captured("no-ecn-acks").left.datagrams} == {Ecn.ECT_0}
    assert {d.ecn for d in captured("ipv6").left.datagrams} == {Ecn.NOT_ECT}
    assert {d.source.host for d in captured("ipv6").left.datagrams} == {
        "fd00:cafe:cafe::100",
        "fd00:cafe:cafe:100::100",
    }


def test_challenges_and_responses_are_read(captured: Captured) -> None:
    seen = captured("rebind-port")
    challenges = {data for p in seen.right.packets("server") for data in p.path_challenges}
    responses = {data for p in seen.left.packets("client") for data in p.path_responses}
    assert challenges
    assert challenges <= responses
    assert any(Frame.PATH_CHALLENGE in p.frames for p in seen.right.packets("server"))


@pytest.mark.parametrize("name", ["retry", "always-validating"])
def test_what_follows_a_retry_is_read(captured: Captured, name: str) -> None:
    for trace in (captured(name).left, captured(name).right):
        closed = {p.type for d in trace.datagrams for p in d.packets if not p.decrypted}
        assert closed == {PacketType.RETRY}
        # What was said before it is still there.
        assert [p.token != "" for p in trace.packets("client", PacketType.INITIAL)][:2] == [False, True]


@pytest.mark.parametrize("name", ["chatty-amplificationlimit", "chatty-ipv6", "chatty-rebind-port"])
def test_only_what_belongs_to_a_connection_is_kept(captured: Captured, open_sandbox: OpenSandbox, name: str) -> None:
    capture = CAPTURES / name / "right.pcap.gz"
    with open_sandbox() as sandbox:
        file, secrets = sandbox.write("capture", capture.read_bytes()), sandbox.write("keys.log", keys(name))
        everything = dissect(sandbox, file, secrets, whole=True, capture=capture)
    others = {d.source.port for d in everything.values() if d.target.port == 5353}

    kept = captured(name).right.datagrams
    assert others == {5353}
    assert not any(5353 in (d.source.port, d.target.port) for d in kept)
    assert len(kept) == sum(5353 not in (d.source.port, d.target.port) for d in everything.values())
    assert all(p.decrypted for d in kept for p in d.packets)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in CAPTURES.glob("*/left.pcap.gz")))
def test_long_headers_are_read_the_same_without_the_rest(captured: Captured, name: str) -> None:
    part, whole = captured(name, ()), captured(name)
    for some, everything in ((part.left, whole.left), (part.right, whole.right)):
        assert some.datagrams == tuple(
            it for it in everything.datagrams if it.packets[0].type is not PacketType.ONE_RTT
        )


def test_a_frame_that_is_cut_off_is_left_out(captured: Captured) -> None:
    """tshark tells the type of the frame, and of which stream it is no more."""
    left = captured("torn-stream").left
    *_, torn, close = left.packets("client")
    assert (torn.decrypted, torn.frames, torn.finished_streams) == (True, (), ())
    assert close.frames == (0x1D,)
    assert all(packet.decrypted for datagram in left.datagrams for packet in datagram.packets)


def test_probes_for_a_larger_mtu_are_no_late_requests(captured: Captured, open_sandbox: OpenSandbox) -> None:
    left = captured("zerortt-probes").left
    everything = sum(p.payload_length for p in left.packets("client", PacketType.ONE_RTT))
    assert everything > resumption.MOST_1_RTT_BYTES
    # Without a key log probes are not told from requests, but those of the first connection do not count.
    closed = read_trace(CAPTURES / "zerortt-probes" / "left.pcap.gz", [], open_sandbox)
    assert resumption.requests_in_0_rtt(Traces(lambda _side: closed)) is None


@pytest.mark.parametrize("spoilt", ["of another connection", "of this one, but wrong", "cut off"])
def test_the_log_of_the_second_side_is_tried(
    captured: Captured, open_sandbox: OpenSandbox, tmp_path: Path, spoilt: str
) -> None:
    folder, first = CAPTURES / "handshake", tmp_path / "keys.log"
    lines = (folder / "keys.log").read_text().splitlines(keepends=True)
    first.write_text(
        {
            "of another connection": (CAPTURES / "longrtt" / "keys.log").read_text(),
            "of this one, but wrong": "".join(line[:-3] + "00\n" for line in lines),
            "cut off": "".join(line for line in lines if "HANDSHAKE" in line),
        }[spoilt]
    )
    seen = read_trace(folder / "left.pcap.gz", [first, folder / "keys.log"], open_sandbox)
    assert seen.datagrams == captured("handshake").left.datagrams


@pytest.mark.parametrize(("between", "end"), [("\t", "\n"), (" ", "\r"), ("  ", "\r\n"), ("\t", "\r")])
def test_a_log_may_be_written_with_tabs_and_any_line_end(
    captured: Captured, open_sandbox: OpenSandbox, tmp_path: Path, between: str, end: str
) -> None:
    folder = CAPTURES / "handshake"
    text = (folder / "keys.log").read_text().replace(" ", between).replace("\n", end)
    (tmp_path / "keys.log").write_bytes(text.encode())

    assert valid_key_log(tmp_path / "keys.log")
    assert (
        read_trace(folder / "left.pcap.gz", [tmp_path / "keys.log"], open_sandbox).datagrams
        == captured("handshake").left.datagrams
    )


def test_without_a_key_log_only_what_is_open_can_be_read(open_sandbox: OpenSandbox) -> None:
    folder = CAPTURES / "handshake"
    trace = read_trace(folder / "left.pcap.gz", [], open_sandbox)

    assert not trace.decrypted
    assert all(packet.decrypted for packet in trace.packets("server", PacketType.INITIAL))
    assert not any(packet.decrypted for packet in trace.packets("server", PacketType.HANDSHAKE, PacketType.ONE_RTT))
    assert all(packet.payload_length for packet in trace.packets("server"))


# --- what cannot be read ----------------------------------------------------------------------------------


def test_a_capture_cut_short_is_an_error_and_not_a_shorter_capture(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    whole = gzip.decompress((CAPTURES / "handshake" / "left.pcap.gz").read_bytes())
    cut = tmp_path / "trace_node_left.pcap"
    newer = with_secrets(CAPTURES / "handshake" / "left.pcap.gz", keys("handshake"), open_sandbox)
    pieces = [b"", *(data[:end] for data in (whole, newer) for end in (1, 4, 8, 12, 20, 40, 999, -1))]
    for piece in pieces:
        cut.write_bytes(piece)
        with pytest.raises(UnreadableCaptureError, match=r"trace_node_left\.pcap cannot be read"):
            read_trace(cut, [], open_sandbox)


def test_no_capture_at_all_and_no_capture_inside(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    with pytest.raises(UnreadableCaptureError, match="No such file"):
        read_trace(tmp_path / "none.pcap", [], open_sandbox)
    (tmp_path / "text.pcap").write_text("hello\n\n")  # which tshark takes for something
    with pytest.raises(UnreadableCaptureError, match="neither pcap nor pcapng"):
        read_trace(tmp_path / "text.pcap", [], open_sandbox)


def test_a_capture_without_packets_is_whole(open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    whole = gzip.decompress((CAPTURES / "handshake" / "left.pcap.gz").read_bytes())
    (tmp_path / "none.pcap").write_bytes(whole[:24])
    assert read_trace(tmp_path / "none.pcap", [], open_sandbox).datagrams == ()


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_a_capture_of_beginnings_is_an_error_and_not_many_failures(
    open_sandbox: OpenSandbox, tmp_path: Path, form: str
) -> None:
    cut = tmp_path / "trace_node_right.pcap"
    with open_sandbox() as sandbox:
        whole = sandbox.write("whole", (CAPTURES / "handshake" / "right.pcap.gz").read_bytes())
        cut.write_bytes(b"".join(sandbox.run(["editcap", "-F", form, "-s", "96", whole, "-"], seconds=60)))
    with pytest.raises(UnreadableCaptureError, match="of packet 1 only 96 of 1242 bytes were captured") as caught:
        read_trace(cut, [], open_sandbox)
    assert "snap length" in caught.value.why


def test_tshark_that_does_not_end_is_ended(open_sandbox: OpenSandbox) -> None:
    """Also in the middle of a line: it is late then, and the capture no worse for it."""
    capture = CAPTURES / "handshake" / "left.pcap.gz"
    with open_sandbox() as sandbox, pytest.raises(EngineError, match=r"not through the capture left\.pcap") as caught:
        dissect(
            sandbox, sandbox.write("capture", capture.read_bytes()), None, whole=True, capture=capture, seconds=0.01
        )
    assert caught.value.reference == "tshark-late"


def test_secrets_go_with_the_capture(captured: Captured, open_sandbox: OpenSandbox, tmp_path: Path) -> None:
    capture = CAPTURES / "handshake" / "left.pcap.gz"
    (tmp_path / "open.pcapng").write_bytes(with_secrets(capture, keys("handshake"), open_sandbox))

    assert read_trace(tmp_path / "open.pcapng", [], open_sandbox).datagrams == captured("handshake").left.datagrams
    (tmp_path / "none").write_text("no capture")
    with pytest.raises(EngineError, match=r"could not put secrets into none: .*isn't a capture file"):
        with_secrets(tmp_path / "none", b"", open_sandbox)


def stored(name: str, side: str = "right") -> bytes:
    return gzip.decompress((CAPTURES / name / f"{side}.pcap.gz").read_bytes())


def keys(name: str) -> bytes:
    return (CAPTURES / name / "keys.log").read_bytes()


def test_captures_can_be_made_again() -> None:
    """The scripts that made them name every folder there is."""
    made = (CAPTURES / "make_captures.py").read_text(encoding="utf-8")
    compile(made, "make_captures.py", "exec")
    recorded = runpy.run_path(str(CAPTURES / "record_captures.py"))["recordings"]()
    for folder in CAPTURES.iterdir():
        if (folder / "left.pcap.gz").exists():
            assert folder.name in recorded or f'"{folder.name}"' in made
