"""Row T16 of the container contract's tolerance table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.model import TRANSPORTS
from ci.suites.transport.address import address_defects

ID = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
HASH = "/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g"

GOOD = {
    "tcp": [f"/ip4/172.18.0.3/tcp/4001/p2p/{ID}", f"/ip6/2001:db8::1/tcp/4001/p2p/{ID}",
            f"/dns4/peer/tcp/4001/p2p/{ID}"],
    "ws": [f"/ip4/172.18.0.3/tcp/4001/ws/p2p/{ID}"],
    "wss": [f"/ip4/172.18.0.3/tcp/4001/tls/ws/p2p/{ID}", f"/ip4/172.18.0.3/tcp/4001/wss/p2p/{ID}",
            f"/dns4/peer/tcp/4001/tls/sni/peer/ws/p2p/{ID}"],
    "quic": [f"/ip4/172.18.0.3/udp/4001/quic/p2p/{ID}"],
    "quic-v1": [f"/ip4/172.18.0.3/udp/4001/quic-v1/p2p/{ID}"],
    "webtransport": [f"/ip4/172.18.0.3/udp/4001/quic-v1/webtransport{HASH}{HASH}/p2p/{ID}"],
    "webrtc-direct": [f"/ip4/172.18.0.3/udp/4001/webrtc-direct{HASH}/p2p/{ID}"],
    "webrtc": [f"/ip4/172.18.0.3/tcp/4001/ws/p2p/{ID}/p2p-circuit/webrtc/p2p/{ID}"],
}  # fmt: skip


@pytest.mark.parametrize(("transport", "address"), [(name, it) for name, all_ in GOOD.items() for it in all_])
def test_nothing_to_say_about_a_good_address(transport: str, address: str) -> None:
    assert address_defects((address,), transport) == ()


def test_there_is_a_good_address_for_every_transport() -> None:
    assert set(GOOD) == set(TRANSPORTS)


@pytest.mark.parametrize(
    ("transport", "address"),
    [(name, it) for name in GOOD for other, all_ in GOOD.items() for it in all_ if other != name],
)
def test_an_address_of_another_transport_is_named(transport: str, address: str) -> None:
    """Also /ws where /tls/ws is asked for, the other way round, and either where it is plain tcp."""
    assert address_defects((address,), transport) == (f"the published address does not speak {transport}",)


@pytest.mark.parametrize(
    ("address", "finding"),
    [
        ("/ip4/10.0.0.7/tcp/4001", "the published address lacks /p2p/<peer id>"),
        (f"/ip4/10.0.0.7/tcp/4001/p2p/{ID}/p2p/{ID}", "the published address has more than one /p2p/<peer id>"),
        (f"/ip4/0.0.0.0/tcp/4001/p2p/{ID}", "the published address 0.0.0.0 is a wildcard nobody can dial"),
        (f"/ip6/::/tcp/4001/p2p/{ID}", "the published address :: is a wildcard nobody can dial"),
        (f"/ip4/127.0.0.1/tcp/4001/p2p/{ID}", "the published address 127.0.0.1 is the listener's own loopback"),
        (f"/ip6/::1/tcp/4001/p2p/{ID}", "the published address ::1 is the listener's own loopback"),
        (f"/ip4/169.254.3.4/tcp/4001/p2p/{ID}", "the published address 169.254.3.4 is link-local"),
        (f"/ip6/fe80::1/tcp/4001/p2p/{ID}", "the published address fe80::1 is link-local"),
        (f"/ip4/10.0.0.7/tcp/4001/p2p/{ID}\n", "the published address has white space around it"),
        (f" /ip4/10.0.0.7/tcp/4001/p2p/{ID}", "the published address has white space around it"),
        (f"/ip4/10.0.0.700/tcp/4001/p2p/{ID}", "the published address names no IP address: '10.0.0.700'"),
        ("", "the published address is not a multiaddr: ''"),
        ("10.0.0.7:4001", "the published address is not a multiaddr: '10.0.0.7:4001'"),
        (f"/p2p/{ID}", "the published address does not speak tcp"),
    ],
)
def test_each_defect_has_a_name(address: str, finding: str) -> None:
    assert address_defects((address,), "tcp") == (finding,)


def test_several_addresses_are_named_and_the_first_is_looked_at() -> None:
    findings = address_defects((GOOD["tcp"][0], "/ip4/127.0.0.1/tcp/1"), "tcp")

    assert findings == ("the listener published 2 addresses, one is expected",)


def test_several_defects_are_all_named() -> None:
    assert len(address_defects(("/ip4/0.0.0.0/tcp/1/ws\n", "x"), "quic-v1")) == 5


def test_nothing_published_is_no_defect_of_an_address() -> None:
    assert address_defects((), "tcp") == ()


@pytest.mark.parametrize("host", ["ip4/127.0.0.1", "ip6/::1"])
def test_loopback_is_right_where_both_sides_share_it(host: str) -> None:
    address = f"/{host}/tcp/4001/p2p/{ID}"

    assert address_defects((address,), "tcp", loopback_expected=True) == ()
    assert address_defects((address,), "tcp") != ()


def test_a_relayed_address_names_two_peers() -> None:
    one = f"/ip4/10.0.0.7/tcp/1/ws/p2p/{ID}/p2p-circuit/webrtc"

    assert address_defects((one,), "webrtc") == ("the published address lacks /p2p/<peer id>",)
    assert address_defects((f"{one}/p2p/{ID}/p2p/{ID}",), "webrtc") == (
        "the published address has more than one /p2p/<peer id>",
    )


words = st.sampled_from(["ip4", "ip6", "tcp", "p2p", "", "::1", "0.0.0.0", "fe80::1%eth0", "p2p-circuit", ID, "\n"])  # noqa: S104


@given(
    st.lists(st.text(max_size=30) | st.lists(words, max_size=9).map("/".join), max_size=3),
    st.sampled_from(TRANSPORTS),
)
def test_garbage_never_raises(addresses: list[str], transport: str) -> None:
    for finding in address_defects(tuple(addresses), transport):
        assert "address" in finding
