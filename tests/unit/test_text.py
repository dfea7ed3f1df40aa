from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried

from ci.util.text import byte_length, clip, clip_middle, counted, printable, printable_lines

ANY_TEXT = st.text(st.characters())  # with lone surrogates


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("\x9b2Jgone", "gone"),
        ("a\x00b\x07c", "a b c"),
        ("one\r\ntwo\rthree", "one two three"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800", "\ufffd"),
        ("é 🎧 ok", "é 🎧 ok"),
    ],
)
def test_printable(text: str, left: str) -> None:
    assert printable(text) == left


def test_lines_stay_lines() -> None:
    assert printable_lines("a\r\nb\rc\td") == "a\nb\nc d"


@unhurried
@given(ANY_TEXT)
def test_nothing_printable_controls_a_terminal(text: str) -> None:
    left = printable(text)
    assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in left)
    left.encode("utf-8")
    assert printable(left) == left


@unhurried
@given(st.sampled_from([clip, clip_middle]), ANY_TEXT, st.integers(0, 200))
def test_clipping_keeps_its_promise(clip: Callable[[str, int], str], text: str, limit: int) -> None:
    cut = clip(text, limit)
    assert byte_length(cut) <= max(limit, len("…".encode()))
    assert clip(cut, limit) == cut
    assert (cut == text) == (byte_length(text) <= limit) or text == "…"
    assert cut == text or "…" in cut


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [
        (0, ("case",), "0 cases"),
        (1, ("case",), "1 case"),
        (2, ("case",), "2 cases"),
        (1, ("family", "families"), "1 family"),
        (3, ("family", "families"), "3 families"),
    ],
)
def test_one_is_no_plural(count: int, words: tuple[str, ...], said: str) -> None:
    assert counted(count, *words) == said


def test_clip_counts_what_is_gone() -> None:
    cut = clip("x" * 2000, 1024)
    kept = cut.index("…")
    assert cut == "x" * kept + f"… [{2000 - kept} bytes more]"


def test_clip_middle_keeps_the_beginning_and_the_end() -> None:
    text = "dialing " + "x" * 2000 + ": connection refused"
    cut = clip_middle(text, 800)
    head, tail = cut.split("… [")
    count, tail = tail.split(" bytes left out] …")
    assert text.startswith(head + "x")
    assert tail.endswith("x: connection refused")
    assert len(head) + int(count) + len(tail) == len(text)
