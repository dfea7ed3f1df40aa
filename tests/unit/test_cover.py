"""The quick selection shows everything the whole one shows, and is small."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from ci.commands.workspace import Workspace
from ci.model import Case
from ci.plan.cover import covering
from ci.results.plan_file import Plan
from ci.suites.transport.cases import shown_by
from ci.suites.transport.words import Stack

STACKS = [
    *(Stack(transport, secure, muxer) for transport in ("tcp", "ws") for secure in ("noise", "tls") for muxer in "ym"),
    Stack("quic-v1"),
]
VERSIONS = ["go-v1", "js-v1", "py-v1", "rust-v1"]

any_cases = st.lists(
    st.builds(Stack.case, st.sampled_from(STACKS), st.sampled_from(VERSIONS), st.sampled_from(VERSIONS)), unique=True
)


def all_shown(cases: frozenset[Case]) -> set[Hashable]:
    return {fact for case in cases for fact in shown_by(case)}


@given(any_cases)
def test_whatever_all_cases_show_the_cover_shows(cases: list[Case]) -> None:
    chosen = covering(cases, shown_by)
    assert chosen <= set(cases)
    assert all_shown(chosen) == all_shown(frozenset(cases))


@given(any_cases)
def test_the_choice_depends_on_nothing_else(cases: list[Case]) -> None:
    assert covering(cases, shown_by) == covering(list(cases), shown_by)


def test_each_pair_meets_once_per_transport_in_both_directions() -> None:
    cases = [stack.case(dialer, listener) for stack in STACKS for dialer in VERSIONS for listener in VERSIONS]
    chosen = covering(cases, shown_by)
    for transport in ("tcp", "ws", "quic-v1"):
        met = {(it.first, it.second) for it in chosen if Stack.of(it).transport == transport}
        assert met == {(one, other) for one in VERSIONS for other in VERSIONS}
    # 16 pairs on each of 3 transports cannot be had for less; a greedy cover comes close.
    assert 48 <= len(chosen) <= 52


def test_each_version_has_tcp_with_tls_in_both_roles() -> None:
    """Of the matrix of this repository, where the stacks of two versions differ."""
    workspace = Workspace.at(Path(__file__).resolve().parents[2] / "versions.yaml")
    quick = dataclasses.replace(workspace, quick=True)

    def shown(plan: Plan) -> set[Hashable]:
        return {
            fact
            for it in plan.selected
            if Stack.of(it.case).transport == "tcp" and Stack.of(it.case).secure_channel == "tls"
            for fact in ((it.case.first, "dials"), (it.case.second, "listens"))
        }

    assert shown(quick.plan) == shown(workspace.plan)
    assert shown(quick.plan)
    pairs = {(it.case.first, it.case.second) for it in workspace.plan.selected}
    assert {(it.case.first, it.case.second) for it in quick.plan.selected} == pairs


def test_nothing_is_covered_by_nothing() -> None:
    assert covering([], shown_by) == frozenset()
