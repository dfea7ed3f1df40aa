"""Which datagrams are of connections, judged from made-up traffic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from quic_traffic import SERVER, handshake, initial, one_rtt, packet, sent
from record_strategies import unhurried

from ci.suites.quic.captures.connections import exchanged
from ci.suites.quic.captures.packets import Address, Datagram, PacketType

OUTSIDE = Address("193.167.0.17", 4711)
PREFERRED = Address(SERVER.host, 4444)
SHUT = {"decrypted": False}

BEGINNING = [
    sent("client", initial("c1", dcid="first")),
    sent("server", initial("s1", dcid="c1"), handshake("s1", dcid="c1")),
    sent("client", handshake("c1", dcid="s1"), one_rtt(dcid="s1")),
    sent("server", one_rtt(dcid="c1")),
]
STRANGERS = [
    # Multicast, as tshark takes it for QUIC, and what nobody could.
    sent("server", packet(PacketType.ONE_RTT, **SHUT), target=Address("224.0.0.251", 5353)),
    sent("server"),
    # To the client, but from nowhere it has ever asked.
    sent("server", one_rtt(**SHUT), source=Address(SERVER.host, 5353)),
    sent("server", packet(PacketType.UNKNOWN, scid="x", dcid="y", **SHUT), source=Address(SERVER.host, 5353)),
    # Between the ends of the connection, but not beginning as packets do.
    sent("server", one_rtt(fixed_bit=False, **SHUT)),
    # A connection of somebody else, and one that the server's host begins.
    sent("client", initial("c1", dcid="first"), target=Address("193.167.100.110", 443)),
    sent("server", initial("z1", dcid="z2"), source=Address(SERVER.host, 5000)),
]


def test_what_a_connection_is_made_of() -> None:
    assert exchanged(BEGINNING) == tuple(BEGINNING)
    for more in (
        # What cannot be opened, between its ends; whoever has moved, by the id it uses; by what could be opened.
        sent("server", one_rtt(**SHUT)),
        sent("client", one_rtt(dcid="s1", **SHUT), source=OUTSIDE),
        sent("client", one_rtt(dcid="s1", fixed_bit=False, **SHUT), source=OUTSIDE),
        sent("client", one_rtt(dcid="announced"), target=PREFERRED),
        sent("server", packet(PacketType.VERSION_NEGOTIATION, scid="first", dcid="c1", version=0, **SHUT)),
    ):
        assert exchanged([*BEGINNING, more])[-1] == more
    # Where the client has been seen, the server's answer needs no id.
    moved = [
        sent("client", one_rtt(dcid="s1", **SHUT), source=OUTSIDE),
        sent("server", one_rtt(**SHUT), target=OUTSIDE),
    ]
    assert exchanged([*BEGINNING, *moved])[-2:] == tuple(moved)


def test_early_data_may_overtake_the_initial() -> None:
    early = sent("client", packet(PacketType.ZERO_RTT, dcid="first", scid="c1", **SHUT))
    assert exchanged([early, *BEGINNING]) == (early, *BEGINNING)


def test_without_an_initial_of_the_client_there_is_no_connection() -> None:
    assert exchanged([sent("server", initial("s1")), sent("server", one_rtt(**SHUT)), *STRANGERS]) == ()


@unhurried
@given(st.data())
def test_strangers_change_nothing(data: st.DataObject) -> None:
    mixed: list[Datagram] = list(BEGINNING)
    for stranger in data.draw(st.lists(st.sampled_from(STRANGERS), max_size=12)):
        mixed.insert(data.draw(st.integers(0, len(mixed))), stranger)
    assert exchanged(mixed) == tuple(BEGINNING)
