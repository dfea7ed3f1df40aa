"""How a connection begins, judged from made-up traffic: each rule kept, and each broken."""

# ruff: noqa: S106 -- the tokens of a Retry are no passwords

from __future__ import annotations

import pytest
from quic_traffic import (
    CLIENT6,
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

from ci.suites.quic.captures.packets import (
    VERSION_1,
    VERSION_2,
    Datagram,
    Ecn,
    Packet,
    PacketType,
)
from ci.suites.quic.testcases import handshake as beginnings
from ci.suites.quic.testcases import losses, resumption, transfer
from ci.suites.quic.testcases.base import Finding
from ci.suites.quic.testcases.checks import handshakes, only_version_1

# --- handshakes and versions ------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [1, 2, 50])
def test_handshakes_are_counted_to_the_last(wanted: int) -> None:
    check = handshakes(wanted)

    assert check(traces(*connections(wanted))) is None
    # The same connection id once more is the same handshake once more.
    assert check(traces(*connections(wanted), *connections(wanted))) is None
    for other in (wanted - 1, wanted + 1):
        assert check(traces(*connections(other))) is not None


def test_one_handshake_too_many_is_the_clients_or_the_servers() -> None:
    again = handshakes(50)(traces(*connections(51)))
    assert again == Finding(
        text="51 handshakes where there must be 50: the client made 51 attempts, the server answered with 51"
        " connection ids",
        side="client",
    )
    changed = handshakes(1)(traces(*connections(1, ids_each=2)))
    assert changed is not None
    assert changed.side == "server"


def test_silence_is_told_apart_by_how_far_the_first_packet_came() -> None:
    asked = [sent("client", initial())]
    for seen, text, side in (
        (traces(), "never sent an Initial", "client"),
        (traces(left=asked, right=[]), "no Initial of the client reached the server", "unknown"),
        (traces(*asked), "which never sent one", "server"),
    ):
        for check in (handshakes(1), only_version_1):
            finding = check(seen)
            assert finding is not None
            assert text in finding.text
            assert finding.side == side


def test_every_coalesced_packet_counts() -> None:
    hidden = sent("server", handshake("s1"), initial("s2"))
    assert handshakes(2)(traces(*connections(1), hidden)) is None


def test_other_versions_are_no_version_1() -> None:
    assert only_version_1(traces(sent("server", initial()))) is None
    both = traces(sent("server", initial()), sent("server", initial(version=VERSION_2)))
    assert only_version_1(both) == Finding(
        text="the server's Initials are of version 0x1, 0x6b3343cf, not of 0x1", side="server"
    )


# --- longrtt, chacha20, multiplexing, retry ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent_by_client", "passes"),
    [
        ([hello((0, 300)), hello((0, 300), number=1)], True),
        ([hello((0, 300))], False),
        # One large ClientHello in two datagrams, its pieces in any order, is sent once …
        ([hello((0, 300), (900, 200)), hello((300, 600))], False),
        # … and twice if any of it is.
        ([hello((0, 300), (900, 200)), hello((300, 600)), hello((300, 600), number=2)], True),
        # What follows a Retry is sent again by rule.
        ([hello((0, 300)), hello((0, 300), token="aa", number=1)], False),
        ([hello((0, 300)), *[hello((0, 300), token="aa", number=n) for n in (1, 2)]], True),
        ([], False),
    ],
)
def test_longrtt_wants_the_client_hello_twice(sent_by_client: list[Datagram], *, passes: bool) -> None:
    seen = traces(left=sent_by_client, right=connections(1))
    assert (findings(beginnings.LONG_RTT, seen) is None) is passes


def test_longrtt_tolerates_a_retry() -> None:
    retry = sent("server", packet(PacketType.RETRY, retry_token="aa"))
    seen = traces(left=[hello((0, 300)), hello((0, 300)), retry], right=connections(1))
    assert findings(beginnings.LONG_RTT, seen) is None
    assert findings(beginnings.HANDSHAKE, seen) is not None


@pytest.mark.parametrize(
    ("suites", "passes"),
    [
        ((0x1303,), True),
        # GREASE and the renegotiation signal stand in the list, but are no suites.
        ((0x1A1A, 0x1303, 0x00FF), True),
        # The first one only is not enough to look at.
        ((0x1303, 0x1301), False),
        ((0x1301, 0x1303), False),
        ((0x1A2A, 0x1303), False),
        ((), False),
    ],
)
def test_chacha20_looks_at_every_suite_offered(suites: tuple[int, ...], *, passes: bool) -> None:
    seen = traces(sent("client", initial(cipher_suites=suites)), sent("server", initial("s1")))
    assert (findings(beginnings.CHACHA20, seen) is None) is passes


@pytest.mark.parametrize(
    ("limits", "passes"), [((1000,), True), ((100, 1000), True), ((1001,), False), ((100, 2000), False), ((), False)]
)
def test_multiplexing_wants_a_limit_and_a_modest_one(limits: tuple[int, ...], *, passes: bool) -> None:
    packets = [sent("server", handshake(max_streams_bidi=(limit,))) for limit in limits]
    seen = traces(*connections(1), *packets, sent("server", handshake()))
    assert (findings(beginnings.MULTIPLEXING, seen) is None) is passes


def test_what_nobody_can_read_is_told_as_that() -> None:
    closed = packet(PacketType.HANDSHAKE, decrypted=False, scid="s1")
    shut = one_rtt(decrypted=False, key_phase=None)
    marked = [sent("client", shut, ecn=Ecn.ECT_0), sent("server", shut, ecn=Ecn.ECT_0)]
    first = connections(1)
    for test, seen in (
        (beginnings.MULTIPLEXING, traces(*first, sent("server", closed))),
        (losses.AMPLIFICATION_LIMIT, traces(*first, sent("server", closed))),
        (transfer.KEY_UPDATE, traces(*first, sent("client", shut), sent("server", shut))),
        (transfer.ECN, traces(*first, *marked)),
    ):
        finding = findings(test, seen)
        assert finding is not None
        assert "key log does not open" in finding.text


def retried(*client: Packet, tokens: tuple[str, ...] = ("aa",)) -> Finding | None:
    retries = [sent("server", packet(PacketType.RETRY, retry_token=token)) for token in tokens]
    left = [sent("client", initial()), *retries, *(sent("client", one) for one in client)]
    return findings(beginnings.RETRY, traces(left=left, right=connections(1)))


def test_retry_wants_the_token_back_and_larger_numbers() -> None:
    assert retried(initial(token="aa", number=1)) is None
    assert retried(initial(token="bb", number=1), tokens=("aa", "bb")) is None
    # An old token, from a connection before, first: allowed, but not enough.
    assert retried(initial(token="old", number=1), initial(token="aa", number=2)) is None
    for wrong, text in (
        (retried(tokens=()), "never sent a Retry"),
        (retried(initial(token="aa", number=1), tokens=("",)), "without a token"),
        (retried(initial(token="bb", number=1)), "no Initial of the client has the token"),
        (retried(), "no Initial of the client has the token"),
        (retried(initial(token="aa", number=0)), "has packet number 0, one before the Retry had 0"),
    ):
        assert wrong is not None
        assert text in wrong.text


# --- resumption, zerortt ----------------------------------------------------------------------------------


def two_handshakes(*packets: Packet) -> Finding | None:
    left = [sent("server", one) for one in packets]
    return findings(resumption.RESUMPTION, traces(left=left, right=connections(2)))


def test_resumption_wants_one_certificate_in_the_first_of_two_handshakes() -> None:
    shown = {"certificates_length": (463,)}
    assert two_handshakes(handshake("s1"), handshake("s1", **shown), handshake("s2")) is None
    for wrong, text in (
        (two_handshakes(handshake("s1", **shown), handshake("s2", **shown)), "is a full one"),
        (two_handshakes(handshake("s1"), handshake("s2")), "no certificate in the first"),
        (two_handshakes(handshake("s1", **shown)), "of 1 connection "),
        (two_handshakes(*(handshake(f"s{n}", **shown) for n in range(3))), "of 3 connections"),
        # A full handshake that cannot be read shows no certificate either.
        (two_handshakes(handshake("s1", **shown), handshake("s2", decrypted=False)), "the second connection"),
    ):
        assert wrong is not None
        assert text in wrong.text


@pytest.mark.parametrize(("early", "late", "passes"), [(10_000, 5_000, True), (10_000, 5_001, False), (0, 100, False)])
def test_zerortt_weighs_early_against_late(early: int, late: int, *, passes: bool) -> None:
    requests = {"frames": (0x0B,)}
    packets = [one_rtt(payload_length=late // 2, **requests), one_rtt(payload_length=late - late // 2, decrypted=False)]
    if early:
        packets.insert(0, packet(PacketType.ZERO_RTT, payload_length=early))
    # What has no data on a stream does not count, nor what nobody can read before that.
    shut, probe = one_rtt(payload_length=9_000, decrypted=False), one_rtt(payload_length=9_000, frames=(0x01, 0x00))
    seen = traces(left=[sent("client", one) for one in (shut, probe, *packets, probe)], right=connections(2))
    assert (findings(resumption.ZERO_RTT, seen) is None) is passes


def test_zerortt_is_not_shown_by_asking_for_everything_before() -> None:
    asked = one_rtt(payload_length=9_000, frames=(0x0B,))
    early = packet(PacketType.ZERO_RTT, payload_length=100)
    seen = traces(left=[sent("client", one) for one in (asked, early)], right=connections(2))
    assert findings(resumption.ZERO_RTT, seen) is not None


# --- http3, ipv6, v2 --------------------------------------------------------------------------------------


def test_http3_must_be_agreed_on_where_that_can_be_read() -> None:
    def agreed(*names: str) -> Finding | None:
        return findings(beginnings.HTTP3, traces(*connections(1), sent("server", handshake(alpn=names))))

    assert agreed("h3") is None
    assert agreed() is None
    assert agreed("hq-interop") is not None


def test_ipv6_is_taken_whatever_its_spelling() -> None:
    asked = sent("client", initial(), source=CLIENT6, target=SERVER6)
    answered = sent("server", initial("s1"), source=SERVER6, target=CLIENT6)
    assert (asked.sender, answered.sender) == ("client", "server")
    assert findings(beginnings.IPV6, traces(asked, answered)) is None
    assert findings(beginnings.IPV6, traces(asked, answered, sent("server", one_rtt()))) is not None


def test_v2_wants_1_first_and_2_from_then_on() -> None:
    def seen(
        client_initials: tuple[int, ...] = (VERSION_1, VERSION_2),
        server_initials: tuple[int, ...] = (VERSION_2,),
        client_handshakes: tuple[int, ...] = (VERSION_2,),
        server_handshakes: tuple[int, ...] = (VERSION_2,),
    ) -> Finding | None:
        return findings(
            beginnings.V2,
            traces(
                *(sent("client", initial(version=v)) for v in client_initials),
                *(sent("server", initial(version=v)) for v in server_initials),
                *(sent("client", handshake(version=v)) for v in client_handshakes),
                *(sent("server", handshake(version=v)) for v in server_handshakes),
            ),
        )

    assert seen() is None
    for wrong, side in (
        (seen(client_initials=(VERSION_2,)), "client"),
        (seen(server_initials=(VERSION_1,)), "server"),
        (seen(client_handshakes=(VERSION_1, VERSION_2)), "client"),
        (seen(client_handshakes=()), "client"),
        (seen(server_handshakes=(VERSION_1,)), "server"),
    ):
        assert wrong is not None
        assert wrong.side == side
