"""What goes on in a connection, judged from made-up traffic: each rule kept, and each broken."""

# ruff: noqa: S106 -- the tokens of a Retry are no passwords

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quic_traffic import (
    CLIENT,
    CLIENT6,
    SERVER,
    SERVER6,
    connections,
    findings,
    handshake,
    hello,
    initial,
    one_rtt,
    packet,
    sent,
    traces,
)
from record_strategies import unhurried

from ci.suites.quic.captures.packets import (
    AckEcn,
    Address,
    Datagram,
    Ecn,
    Packet,
    PacketType,
)
from ci.suites.quic.testcases import paths
from ci.suites.quic.testcases.base import Finding
from ci.suites.quic.testcases.losses import amplification_limited
from ci.suites.quic.testcases.measurements import goodput, summary
from ci.suites.quic.testcases.paths import new_connection_ids, new_paths_challenged
from ci.suites.quic.testcases.registry import WEBTRANSPORT_CASES
from ci.suites.quic.testcases.transfer import both_update_keys, both_use_ecn

K, M = 1024, 1024 * 1024


# --- keyupdate, ecn ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("client", "server"), [*itertools.product([(0,), (0, 1)], repeat=2)])
def test_keyupdate_wants_new_keys_of_both(client: tuple[int, ...], server: tuple[int, ...]) -> None:
    seen = traces(
        left=[sent("client", one_rtt(key_phase=phase)) for phase in client],
        right=[sent("server", one_rtt(key_phase=phase)) for phase in server],
    )
    finding = both_update_keys(seen)
    assert (finding is None) is (1 in client and 1 in server)
    if finding is not None:
        assert finding.side == ("server" if 1 in client else "client")


COUNTED = one_rtt(ack_ecn=(AckEcn(3, 0, 0),))


@pytest.mark.parametrize("hosts", [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_ecn_wants_marks_and_counts_of_both(hosts: tuple[Address, Address]) -> None:
    client, server = hosts

    def seen(*, client_ecn: int = Ecn.ECT_0, server_ecn: int = Ecn.ECT_1, acks: Packet = COUNTED) -> Finding | None:
        return both_use_ecn(
            traces(
                sent("client", initial(), source=client, target=server),
                sent("client", COUNTED, ecn=client_ecn, source=client, target=server),
                sent("server", acks, ecn=server_ecn, source=server, target=client),
            )
        )

    assert seen() is None
    for wrong, text, side in (
        (seen(client_ecn=Ecn.NOT_ECT), "marked no packet", "client"),
        (seen(server_ecn=Ecn.NOT_ECT), "marked no packet", "server"),
        (seen(server_ecn=Ecn.CE), "itself marked packets CE", "server"),
        (seen(acks=one_rtt()), "never sent an ACK with ECN counts", "server"),
    ):
        assert wrong is not None
        assert text in wrong.text
        assert wrong.side == side


# --- amplificationlimit -----------------------------------------------------------------------------------

VALIDATED = sent("client", initial(), handshake("c1"))


def replay(*datagrams: Datagram) -> Finding | None:
    return amplification_limited(traces(*datagrams))


@pytest.mark.parametrize("size", [1200, 1350])
def test_three_times_is_allowed_and_four_times_is_not(size: int) -> None:
    first = sent("client", initial(), size=size)
    flight = [sent("server", initial("s1"), size=size)] * 3
    assert replay(first, *flight, VALIDATED) is None
    # Short of four times is let pass, as established.
    assert replay(first, *flight, sent("server", handshake(), size=size - 1), VALIDATED) is None
    finding = replay(first, *flight, sent("server", handshake(), size=size), VALIDATED)
    assert finding is not None
    assert finding.side == "server"
    assert f"sent {size} bytes after {3 * size}, although only {size} had come" in finding.text


def test_a_handshake_packet_behind_an_initial_proves_the_address_too() -> None:
    first = sent("client", initial())
    assert replay(first, VALIDATED, *[sent("server", handshake())] * 20) is None


def test_a_token_that_comes_back_proves_the_address() -> None:
    sent_back = sent("server", packet(PacketType.RETRY, retry_token="aa"), size=100)
    flight = [sent("server", handshake())] * 20
    first = sent("client", initial())
    assert replay(first, sent_back, sent("client", initial(token="aa", number=1)), *flight) is None
    # A token of somebody else's making proves nothing.
    assert replay(first, sent_back, sent("client", initial(token="bb", number=1)), *flight) is not None


@pytest.mark.parametrize(
    "strange",
    [
        sent("client", initial(), source=Address("10.0.0.1", 1)),
        sent("client"),
        sent("client", packet(PacketType.UNKNOWN)),
        sent("server", packet(PacketType.VERSION_NEGOTIATION, version=0), size=50),
    ],
)
def test_what_is_strange_fails_nothing_by_being_strange(strange: Datagram) -> None:
    assert replay(sent("client", initial()), strange, VALIDATED) is None


@pytest.mark.parametrize("pieces", [((0, 1100), (1100, 600)), ((1100, 600), (0, 1100))], ids=["in order", "reversed"])
def test_a_client_that_never_comes_through_says_why_if_its_hello_was_too_large(
    pieces: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    finding = replay(sent("client", initial()))
    assert finding == Finding(text="no Handshake packet of the client reached the server")
    large = [hello(piece) for piece in pieces]
    finding = amplification_limited(traces(left=large, right=large[:1]))
    assert finding is not None
    assert "its ClientHello takes two datagrams, and this network drops the second" in finding.text


@unhurried
@given(st.lists(st.tuples(st.sampled_from(["client", "server"]), st.integers(1, 1500)), max_size=30))
def test_the_replay_agrees_with_the_sums(exchange: list[tuple[str, int]]) -> None:
    datagrams = [
        sent("client", initial(), size=size) if who == "client" else sent("server", handshake(), size=size)
        for who, size in exchange
    ]
    received = answered = 0
    too_much = False
    for who, size in exchange:
        received += size if who == "client" else 0
        answered += size if who == "server" else 0
        too_much = too_much or (who == "server" and answered >= 4 * received)
    assert (replay(*datagrams, VALIDATED) is not None) is too_much


# --- paths ------------------------------------------------------------------------------------------------

OTHER = Address("193.167.0.17", 4711)
PREFERRED = Address("193.167.100.100", 4444)


def challenge(data: str = "d1") -> Packet:
    return one_rtt(path_challenges=(data,))


def response(data: str = "d1") -> Datagram:
    return sent("client", one_rtt(path_responses=(data,)))


def test_a_new_path_begins_with_a_challenge_and_each_is_answered() -> None:
    first, again = sent("server", one_rtt()), sent("server", one_rtt(frames=(0x08,)), target=OTHER)
    moved = sent("server", challenge(), target=OTHER)
    assert new_paths_challenged(traces(first, moved, again, response())) is None
    assert new_paths_challenged(traces(first, sent("server", challenge(), source=PREFERRED), response())) is None
    # A server that answers the client's challenge and asks back only when the client has moved.
    probed = sent("server", one_rtt(frames=(0x1B, 0x00), path_responses=("c1",)), target=OTHER)
    assert new_paths_challenged(traces(first, probed, moved, response())) is None
    # A challenge on the old path, given up, is nobody's duty to answer.
    assert new_paths_challenged(traces(first, moved, sent("server", challenge("d2")), response())) is None
    for wrong, text, side in (
        (traces(first, again, moved, response()), "→ 193.167.0.17:4711 has no PATH_CHALLENGE", "server"),
        (
            traces(first, sent("server", initial(), challenge(), target=OTHER), response()),
            "no PATH_CHALLENGE",
            "server",
        ),
        (traces(first, probed, again, moved, response()), "has no PATH_CHALLENGE", "server"),
        (traces(first, probed, response()), "on another path than", "unknown"),
        (traces(first, moved, response("d2")), "the client never answered", "client"),
        (traces(first, response()), "on another path than on 193.167.100.100:443 → 193.167.0.100:50000", "unknown"),
        (traces(response()), "at all", "unknown"),
        (traces(first, sent("server", one_rtt(decrypted=False), target=OTHER)), "does not open", "unknown"),
    ):
        finding = new_paths_challenged(wrong)
        assert finding is not None
        assert text in finding.text
        assert finding.side == side


def test_one_answer_validates_a_path_and_only_what_arrived_obliges() -> None:
    first, moved = sent("server", one_rtt()), sent("server", challenge("d1"), target=OTHER)
    again, answer = sent("server", challenge("d2"), target=OTHER), response("d2")
    later, close = sent("client", one_rtt(frames=(0x02,))), sent("client", one_rtt(frames=(0x1D,)))
    right = [first, moved, again]

    def judged(*left: Datagram) -> Finding | None:
        return new_paths_challenged(traces(left=left, right=right))

    # Two right behind each other, of which the last is answered; the first is lost.
    assert judged(first, moved, again, answer) is None
    assert judged(first, again, answer) is None
    # None of them has arrived; or none before the client closed, or while it had anything else to say.
    assert judged(first, later) is None
    assert judged(first, later, close, moved, again, close) is None
    assert judged(first, later, moved, close) is None
    assert judged(first, moved, sent("server", one_rtt(frames=(0x1C,))), later) is None
    for ignored in (judged(first, moved, later), judged(first, moved, later, close), judged(first, again, later)):
        assert ignored is not None
        assert ignored.side == "client"


def test_after_the_close_no_path_is_new() -> None:
    first, close = sent("server", one_rtt()), sent("client", one_rtt(frames=(0x1D,)), source=OTHER)
    moved, answer = sent("server", challenge(), target=OTHER), response()
    after = sent("server", one_rtt(frames=(0x08,)), target=Address(CLIENT.host, 9))
    closing = sent("server", one_rtt(frames=(0x1C,)), target=Address(CLIENT.host, 9))
    for end in ([close, after], [closing, after]):
        assert new_paths_challenged(traces(left=[first, moved, answer], right=[first, moved, *end])) is None
    assert new_paths_challenged(traces(left=[first, moved, answer], right=[first, moved, after])) is not None


def test_rebind_addr_wants_another_address_and_not_only_another_port() -> None:
    moved = [sent("server", one_rtt()), sent("server", challenge(), target=Address(CLIENT.host, 1)), response()]
    right = [*connections(1), *moved]
    assert findings(paths.REBIND_PORT, traces(left=moved, right=right)) is None
    assert findings(paths.REBIND_ADDRESS, traces(left=moved, right=right)) is not None
    right.append(sent("server", challenge(), target=OTHER))
    assert findings(paths.REBIND_ADDRESS, traces(left=moved, right=right)) is None


@pytest.mark.parametrize(
    ("ids", "passes"),
    [
        # Before the move, then after it.
        ((["odcid", "s1"], ["s2"]), True),
        ((["odcid", "s1"], ["s1"]), False),
        ((["odcid"], ["odcid"]), False),
        # Back on the old path with its old id.
        ((["odcid", "s1"], ["s2"], ["s1"]), True),
        ((["odcid", "s1"], [None, "s2"]), True),
        (([""], [""]), False),
    ],
)
def test_a_client_that_moves_takes_a_fresh_connection_id(ids: tuple[list[str | None], ...], *, passes: bool) -> None:
    targets = itertools.cycle([SERVER, PREFERRED])
    left = [
        sent("client", one_rtt(dcid=dcid), target=target)
        for dcids, target in zip(ids, targets, strict=False)
        for dcid in dcids
    ]
    assert (new_connection_ids(traces(*left)) is None) is passes


# --- measurements -----------------------------------------------------------------------------------------


def served(at: float, *frames: int, kind: PacketType = PacketType.ONE_RTT) -> Datagram:
    return sent("server", packet(kind, frames=frames), at=at)


def test_goodput_is_what_was_fetched_by_the_time_it_took() -> None:
    def rate(*datagrams: Datagram) -> float | Finding:
        return goodput(traces(*datagrams).left, 10 * M)

    flow = [served(0.5, kind=PacketType.HANDSHAKE), served(1.0, 0x1E), served(2.0, 0x0A), served(11.0, 0x0F)]
    assert rate(*flow) == pytest.approx(8 * 10 * M / 10 / 1000)
    # What the server says afterwards is not counted, nor what the client says.
    assert rate(*flow, served(15.0, 0x02), sent("client", one_rtt(), at=20.0)) == rate(*flow)
    # Where frames cannot be read, the last packet is all there is to go by.
    assert rate(served(1.0), served(6.0)) == pytest.approx(8 * 10 * M / 5 / 1000)
    for nothing in ((), (served(1.0, 0x0A),), (served(1.0), served(1.0))):
        assert isinstance(rate(*nothing), Finding)


@unhurried
@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=8))
def test_the_mean_lies_among_the_rates(rates: list[float]) -> None:
    found = summary(rates)
    assert min(rates) * 0.999999 <= found.mean <= max(rates) * 1.000001
    assert 0 <= found.deviation <= (max(rates) - min(rates)) * 1.000001


def test_a_summary_reads_like_the_established_one() -> None:
    assert str(summary([9000, 9100, 9200])) == "9100 (± 100) kbps"
    assert str(summary([9123.4])) == "9123 (± 0) kbps"


# --- webtransport -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sender", "kind"),
    [
        ("transfer-unidirectional-receive", "server", 3),
        ("transfer-unidirectional-send", "client", 2),
        ("transfer-bidirectional-receive", "server", 0),
        ("transfer-bidirectional-send", "client", 1),
    ],
)
def test_files_come_on_the_kind_of_stream_they_were_asked_for(name: str, sender: str, kind: int) -> None:
    test = next(test for test in WEBTRANSPORT_CASES if test.name == name)

    def streams(low_bits: int, count: int = 5, who: str = sender) -> Finding | None:
        ended = [
            sent("client" if who == "client" else "server", one_rtt(finished_streams=(4 * n + low_bits,)))
            for n in range(count)
        ]
        return findings(test, traces(*connections(1), *ended))

    assert streams(kind) is None
    assert streams(kind, count=4) is not None
    for other in {0, 1, 2, 3} - {kind}:
        assert streams(other) is not None
    assert streams(kind, who="client" if sender == "server" else "server") is not None


def test_small_files_come_in_datagrams() -> None:
    for test in WEBTRANSPORT_CASES:
        if "datagram" not in test.name:
            continue
        sender = test.case_files(1).sender
        frames = [sent(sender, one_rtt(frames=(0x31, 0x30)))] * 100
        assert findings(test, traces(*connections(1), *frames)) is None
        assert findings(test, traces(*connections(1), *frames[1:])) is not None
        # Nobody asks for a key log, so what is closed is believed.
        assert findings(test, traces(*connections(1), decrypted=False)) is None
