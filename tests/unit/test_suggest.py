"""Near matches, and text made fit for messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ci.util.suggest import did_you_mean, near_matches, shown

WORDS = ("quic", "quic-v1", "webrtc", "webrtc-direct", "tcp")


def test_only_matches_about_as_near_as_the_nearest() -> None:
    assert near_matches("quicv1", WORDS) == ("quic-v1",)
    assert near_matches("webrct", WORDS) == ("webrtc",)
    assert near_matches("TCP", WORDS) == ("tcp",)
    assert near_matches("rust-v0.57", ["rust-v0.53", "rust-v0.54", "go-v0.57"]) == (
        "rust-v0.54",
        "rust-v0.53",
    )


def test_nothing_near_says_nothing() -> None:
    assert did_you_mean("zebra", WORDS) == ""
    assert did_you_mean("", WORDS) == ""
    assert did_you_mean("quicv1", ()) == ""


def test_tail_of_a_message() -> None:
    assert did_you_mean("quicv1", WORDS) == ": did you mean `quic-v1`?"
    assert did_you_mean("go-v3", ["go-v1", "go-v2"]).count(" or ") == 1


@given(st.text(alphabet=st.characters()))
def test_shown_text_is_fit_to_print(text: str) -> None:
    said = shown(text)
    assert said.isprintable()
    said.encode()


def test_shown_text_ends() -> None:
    assert shown("a" * 300) == "a" * 200 + "…"
    assert shown("a\x1b[31m\n\ud800é") == "a\\x1b[31m\\n\\ud800é"
