"""The quick selection shows everything the whole one shows, and is small."""

from __future__ import annotations

from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from ci.cover import covering, shown_by
from ci.model import Case, Stack

STACKS = [
    *(Stack(transport, secure, muxer) for transport in ("tcp", "ws") for secure in ("noise", "tls") for muxer in "ym"),
    Stack("quic-v1"),
]
VERSIONS = ["go-v1", "js-v1", "py-v1", "rust-v1"]

any_cases = st.lists(
    st.builds(Case, st.sampled_from(VERSIONS), st.sampled_from(VERSIONS), st.sampled_from(STACKS)), unique=True
)


def all_shown(cases: frozenset[Case]) -> set[Hashable]:
    return {fact for case in cases for fact in shown_by(case)}


@given(any_cases)
def test_whatever_all_cases_show_the_cover_shows(cases: list[Case]) -> None:
    chosen = covering(cases)
    assert chosen <= set(cases)
    assert all_shown(chosen) == all_shown(frozenset(cases))


@given(any_cases)
def test_the_choice_depends_on_nothing_else(cases: list[Case]) -> None:
    assert covering(cases) == covering(list(cases))


def test_each_pair_meets_once_per_transport_in_one_direction_at_least() -> None:
    cases = [Case(dialer, listener, stack) for stack in STACKS for dialer in VERSIONS for listener in VERSIONS]
    chosen = covering(cases)
    for transport in ("tcp", "ws", "quic-v1"):
        met = {frozenset((it.dialer, it.listener)) for it in chosen if it.stack.transport == transport}
        assert met == {frozenset((one, other)) for one in VERSIONS for other in VERSIONS}
    # 10 pairs on each of 3 transports cannot be had for less; a greedy cover comes close.
    assert 30 <= len(chosen) <= 36


def test_nothing_is_covered_by_nothing() -> None:
    assert covering([]) == frozenset()
