"""The selection language, and what a selection does with each case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci.config.catalogue import load
from ci.errors import ConfigurationError, NothingSelectedError
from ci.plan.selection import Decision, select
from ci.suites.registry import known_suites
from ci.suites.transport.cases import cases
from ci.suites.transport.words import Stack

if TYPE_CHECKING:
    from ci.model import Case

VERSIONS = load(Path(__file__).parent.parent / "data" / "versions-2026.yaml", known_suites()).versions
MATRIX = cases(VERSIONS)
ALIASES = {
    "browsers": ("chromium-*", "firefox-*", "webkit-*"),
    "native": ("not ~browsers",),
    "layered": ("tcp", "ws", "wss"),
    "pair": ("dialer:go and listener:rust",),
}


def decide(*, selects: tuple[str, ...] = (), ignores: tuple[str, ...] = ()) -> tuple[Decision, ...]:
    return select(MATRIX, known_suites(), VERSIONS, ALIASES, selects=selects, ignores=ignores)


def selected(*selects: str, ignores: tuple[str, ...] = ()) -> set[Case]:
    return {decision.case for decision in decide(selects=selects, ignores=ignores) if decision.selected}


def browser(version: str) -> bool:
    return version.startswith(("chromium-", "firefox-", "webkit-"))


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("*", lambda _: True),
        ("go-v0.46", lambda c: "go-v0.46" in (c.first, c.second)),
        ("go-*", lambda c: "go-" in c.first[:3] + c.second[:3]),
        ("go", lambda c: c.first.startswith("go-") or c.second.startswith("go-")),
        ("rust-v0.5[34]", lambda c: not {c.first, c.second}.isdisjoint({"rust-v0.53", "rust-v0.54"})),
        ("quic-v1", lambda c: Stack.of(c).transport == "quic-v1"),
        ("wss", lambda c: Stack.of(c).transport == "wss"),
        ("tls", lambda c: Stack.of(c).secure_channel == "tls"),
        ("mplex", lambda c: Stack.of(c).muxer == "mplex"),
        ("transport:web*", lambda c: Stack.of(c).transport.startswith("web")),
        ("security:n*", lambda c: Stack.of(c).secure_channel == "noise"),
        ("muxer:*", lambda c: Stack.of(c).muxer is not None),
        ("version:js-v?.x", lambda c: c.first.startswith("js-") or c.second.startswith("js-")),
        ("family:js", lambda c: c.first.startswith("js-") or c.second.startswith("js-")),
        ("dialer:go", lambda c: c.first.startswith("go-")),
        ("listener:go-*", lambda c: c.second.startswith("go-")),
        ("dialer:family:js", lambda c: c.first.startswith("js-")),
        ("dialer:version:js-v1.x", lambda c: c.first == "js-v1.x"),
        ("not go", lambda c: not (c.first.startswith("go-") or c.second.startswith("go-"))),
        ("not security:*", lambda c: Stack.of(c).secure_channel is None),
        ("go and rust", lambda c: {c.first[:3], c.second[:3]} == {"go-", "rus"}),
        ("dialer:go  and\tnot tcp", lambda c: c.first.startswith("go-") and Stack.of(c).transport != "tcp"),
        ("go-v0.46 x go-v0.47 (quic-v1)", lambda c: c.name == "go-v0.46 x go-v0.47 (quic-v1)"),
        ("* x go-v0.47 (*)", lambda c: c.second == "go-v0.47"),
        ("*(ws, *, mplex)", lambda c: (Stack.of(c).transport, Stack.of(c).muxer) == ("ws", "mplex")),
        ("name:*mplex)", lambda c: Stack.of(c).muxer == "mplex"),
        ("name:go-* x * (tcp, *)", lambda c: c.first.startswith("go-") and Stack.of(c).transport == "tcp"),
        ("~browsers", lambda c: browser(c.first) or browser(c.second)),
        ("browsers", lambda c: browser(c.first) or browser(c.second)),
        ("~brow*", lambda c: browser(c.first) or browser(c.second)),
        ("native", lambda c: not browser(c.first) and not browser(c.second)),
        ("listener:~native", lambda c: not browser(c.second)),
        ("dialer:browsers and listener:native", lambda c: browser(c.first) and not browser(c.second)),
        ("not layered", lambda c: Stack.of(c).secure_channel is None),
        ("~pair", lambda c: c.first.startswith("go-") and c.second.startswith("rust-")),
    ],
)
def test_language(expression: str, fits: Callable[[Case], bool]) -> None:
    assert selected(expression) == {case for case in MATRIX if fits(case)}


@pytest.mark.parametrize(
    ("expression", "reference", "said"),
    [
        ("", "empty-selection", "means nothing"),
        ("  ", "empty-selection", "means nothing"),
        ("go and", "bad-selection", "stands between two terms"),
        ("and go", "bad-selection", "stands between two terms"),
        ("go and and rust", "bad-selection", "stands between two terms"),
        ("go rust", "bad-selection", "holds no spaces"),
        ("go AND rust", "bad-selection", "holds no spaces"),
        ("go,rust", "bad-selection", "commas join nothing"),
        ("not", "matches-nothing", "`not` matches nothing"),
        ("not not go", "bad-selection", "one `not ` and one pattern"),
        ("dialler:go", "bad-selection", "unknown prefix `dialler:`: did you mean `dialer`?"),
        ("dialer:", "bad-selection", "nothing after the prefix"),
        ("name:", "bad-selection", "nothing after the prefix"),
        ("dialer:transport:tcp", "bad-selection", "a role says something about versions only"),
        ("dialer:~layered", "bad-selection", "`tcp` after `dialer:`: a role says"),
        ("dialer:~pair", "bad-selection", "a role inside a role"),
        ("dialer:tcp", "matches-nothing", "`dialer:tcp` matches nothing"),
        ("w*", "ambiguous-selection", "`w*` fits version and transport"),
        ("t*", "ambiguous-selection", "`t*` fits transport and security"),
        ("rsut", "matches-nothing", "`rsut` matches nothing: did you mean `rust`?"),
        ("quic", "matches-nothing", "`quic` matches nothing: did you mean `--suite quic`?"),
        ("not quic", "matches-nothing", "did you mean `--suite quic`?"),
        ("rsut-*", "matches-nothing", "`rsut-*` matches nothing: did you mean `rust`"),
        ("go-v0.49", "matches-nothing", "did you mean `go-v0.4"),
        ("GO", "matches-nothing", "did you mean `go`?"),
        ("~browser", "matches-nothing", "did you mean `browsers`?"),
        ("~", "matches-nothing", "`~` matches nothing"),
        ("transport:quick", "matches-nothing", "did you mean `quic`"),
        ("transport:quic", "matches-nothing", "`transport:quic`: no version lists quic"),
        ("security:plaintext", "matches-nothing", "no version lists plaintext"),
        (
            "go-v0.46 x go-v0.99 (tcp, noise, yamux)",
            "matches-nothing",
            "`go-v0.99` is not known: did you mean",
        ),
        ("go-v0.46 x go-v0.47 (webrtc)", "matches-nothing", "fits no case of the matrix"),
        ("listener:firefox-* and go", "matches-nothing", "no case"),
        ("go and webrtc", "matches-nothing", "`go and webrtc` fits no case"),
        ("not *", "matches-nothing", "`not *` fits no case"),
        ("not zebra", "matches-nothing", "`zebra` matches nothing"),
        ("\x1b[31m", "matches-nothing", "`\\x1b[31m` matches nothing"),
        ("[z-a]", "matches-nothing", "matches nothing"),
    ],
)
@pytest.mark.parametrize("flag", ["selects", "ignores"])
def test_refuses(flag: str, expression: str, reference: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        decide(**{flag: (expression,)})
    assert caught.value.reference == reference
    assert said in caught.value.message
    assert caught.value.hint


def test_says_why() -> None:
    decisions = decide(selects=("go", "tcp"), ignores=("dialer:rust",))
    why = {decision.case.name: (decision.selected, decision.why) for decision in decisions}
    assert why["go-v0.46 x go-v0.47 (quic-v1)"] == (True, "--select go")
    assert why["go-v0.46 x js-v1.x (tcp, noise, yamux)"] == (True, "--select go")
    assert why["js-v1.x x js-v2.x (tcp, noise, yamux)"] == (True, "--select tcp")
    assert why["js-v1.x x js-v2.x (ws, noise, yamux)"] == (False, "no --select fits")
    assert why["rust-v0.53 x js-v2.x (tcp, noise, yamux)"] == (False, "--ignore dialer:rust")
    assert {decision.why for decision in decide()} == {"everything is selected"}
    assert [decision.case for decision in decisions] == list(MATRIX)


def test_everything_ignored() -> None:
    with pytest.raises(NothingSelectedError) as caught:
        decide(selects=("webrtc",), ignores=("transport:web*",))
    assert caught.value.exit_code == 3
    assert "of 1263 cases 36 are selected and all of these ignored" in caught.value.message


def test_no_cases_at_all() -> None:
    with pytest.raises(NothingSelectedError, match="no case at all"):
        select((), known_suites(), (), {})


def test_aliases_that_multiply_cost_nothing() -> None:
    aliases = {"a0": ("go",)} | {f"a{n}": (f"~a{n - 1} and not tcp", f"~a{n - 1}") for n in range(1, 15)}
    decisions = select(MATRIX, known_suites(), VERSIONS, aliases, selects=("~a14",))
    assert {decision.case for decision in decisions if decision.selected} == selected("go")


def test_aliases_nested_without_end() -> None:
    aliases = {"a0": ("go",)} | {f"a{n}": (f"~a{n - 1}",) for n in range(1, 2000)}
    with pytest.raises(ConfigurationError, match="nested more than 16 deep"):
        select(MATRIX, known_suites(), VERSIONS, aliases, selects=("~a1999",))


EXPRESSIONS = st.sampled_from(
    [
        "go",
        "rust and tcp",
        "not quic-v1",
        "~browsers",
        "dialer:js",
        "tls and mplex",
        "* x c-v0.0.1 (*)",
        "native",
    ]
)
LISTS = st.lists(EXPRESSIONS, max_size=4).map(tuple)


def outcome(selects: tuple[str, ...], ignores: tuple[str, ...]) -> set[Case]:
    try:
        return selected(*selects, ignores=ignores)
    except NothingSelectedError:
        return set()


@settings(max_examples=30)
@given(LISTS, LISTS)
def test_selects_are_joined_by_or_and_ignores_taken_away(selects: tuple[str, ...], ignores: tuple[str, ...]) -> None:
    chosen = set().union(*(selected(text) for text in selects)) if selects else set(MATRIX)
    dropped = set().union(*(selected(text) for text in ignores))
    assert outcome(selects, ignores) == chosen - dropped


@settings(max_examples=30)
@given(LISTS, LISTS)
def test_order_and_repetition_are_nothing(selects: tuple[str, ...], ignores: tuple[str, ...]) -> None:
    assert outcome(selects * 2, ignores) == outcome(selects[::-1], ignores[::-1] * 2)


@settings(max_examples=30)
@given(EXPRESSIONS, EXPRESSIONS)
def test_and_is_intersection_and_not_is_complement(one: str, other: str) -> None:
    both = selected(one) & selected(other)
    if both:
        assert selected(f"{one} and {other}") == both
    rest = outcome((), (one,))
    assert rest == set(MATRIX) - selected(one)
    if " and " not in one and not one.startswith("not "):
        assert selected(f"not {one}") == rest


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [
                "go",
                "tcp",
                "~browsers",
                "*",
                " and ",
                " ",
                "not ",
                "dialer:",
                "name:",
                "[",
                "]",
                " x ",
                "(",
                ")",
                "?",
            ]
        )
        | st.text(max_size=2),
        max_size=6,
    ).map("".join)
)
def test_any_text_is_understood_or_refused(text: str) -> None:
    said = ""
    try:
        decide(selects=(text,))
    except ConfigurationError as error:
        said = str(error)
    assert all(line.isprintable() for line in said.split("\n"))
