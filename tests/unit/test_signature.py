from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.results.signature import VERSION, normalise, signature
from ci.util.text import clip_middle

PEER = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("dial 172.18.0.3:4001 refused after 3 tries", "dial * refused after * tries"),
        (f"/ip4/10.0.0.2/tcp/38121/p2p/{PEER}", "/ip4/*/tcp/*/p2p/*"),
        (f"/ip4/10.0.0.2/udp/4/quic-v1/p2p/{PEER}", "/ip4/*/udp/*/quic-v1/p2p/*"),
        ("peer QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N left", "peer * left"),
        (
            "/ip4/10.0.0.2/udp/4/quic-v1/webtransport/certhash/uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g/certhash/x",
            "/ip4/*/udp/*/quic-v1/webtransport/certhash/*/certhash/*",
        ),
        ("certificate uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g is unknown", "certificate * is unknown"),
        ("timed out after 1m30.5s", "timed out after *"),
        ("waited 180 seconds, then 12 ms", "waited *, then * ms"),
        ("at 0xc000123abc", "at *"),
        ("id 5f2d8c3a91", "id *"),
        ("deadbeef is a word", "deadbeef is a word"),
        ("connect [fe80::1]:4001 failed", "connect * failed"),
        ("from ::1 and 2001:db8::5", "from * and *"),
        ("std::sync::mpsc is a path", "std::sync::mpsc is a path"),
        ("550e8400-e29b-41d4-a716-446655440000", "*"),
        ("killed by signal 11", "killed by signal *"),
        ("rtt -1.5e-3", "rtt *"),
        ("two\nlines  \x1b[1mbold\x1b[0m", "two lines bold"),
        ("go-v0.51 said 3", "go-v0.51 said *"),
    ],
)
def test_what_varies_is_put_out(text: str, left: str) -> None:
    assert normalise(text) == left


def test_the_version_is_in_front() -> None:
    assert signature("exit 1") == f"v{VERSION}:exit *"


@unhurried
@given(st.text())
def test_normalising_does_not_grow_the_text(text: str) -> None:
    assert len(normalise(text)) <= len(text)


@unhurried
@given(st.integers(0, 10**9), st.integers(0, 10**9), st.ip_addresses(v=4), st.ip_addresses(v=4))
def test_runs_that_differ_only_in_numbers_agree(a: int, b: int, here: object, there: object) -> None:
    assert signature(f"dial {here}: {a} of 7 failed in {a}ms") == signature(f"dial {there}: {b} of 9 failed in {b}ms")


@unhurried
@given(st.ip_addresses(v=4), st.ip_addresses(v=4), st.integers(1, 65535))
def test_texts_that_were_cut_at_another_place_agree(here: object, there: object, port: int) -> None:
    def text(host: object) -> str:
        return clip_middle(f"dialing {host}:{port}: " + "the handshake failed and nobody knows why, " * 60, 1024)

    assert signature(text(here)) == signature(text(there))
    assert len(signature(text(here))) < 400
