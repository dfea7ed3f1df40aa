"""The transport matrix against the numbers of published dashboards, and its rules by property."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config.catalogue import load
from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, TRANSPORTS, Case, PublishedImage, Transport, Version
from ci.suites.registry import known_suites
from ci.suites.transport.cases import cases, stacks
from ci.suites.transport.words import Stack

DATA = Path(__file__).parent.parent / "data"

# Table → (side of the square, cells that run, white cells)
TABLES_2025 = {
    "quic-v1": (13, 169, 0),
    "webrtc-direct": (12, 120, 24),
    "webtransport": (8, 48, 16),
    "tcp, noise, yamux": (15, 225, 0),
    "tcp, noise, mplex": (8, 64, 0),
    "ws, tls, yamux": (11, 121, 0),
    "ws, noise, yamux": (14, 168, 28),
    "ws, noise, mplex": (8, 48, 16),
    "ws, tls, mplex": (5, 25, 0),
    "tcp, tls, yamux": (11, 121, 0),
    "tcp, tls, mplex": (5, 25, 0),
    "wss, tls, yamux": (6, 36, 0),
    "wss, noise, yamux": (6, 36, 0),
    "tcp, plaintext, yamux": (1, 1, 0),
    "tcp, plaintext, mplex": (1, 1, 0),
}
TABLES_2026 = {
    "tcp, noise, yamux": (15, 225, 0),
    "ws, noise, yamux": (15, 195, 30),
    "quic-v1": (11, 121, 0),
    "tcp, noise, mplex": (11, 121, 0),
    "ws, noise, mplex": (12, 120, 24),
    "webrtc-direct": (15, 105, 120),
    "tcp, tls, yamux": (9, 81, 0),
    "ws, tls, yamux": (9, 81, 0),
    "wss, noise, yamux": (13, 52, 117),
    "webrtc": (6, 36, 0),
    "tcp, tls, mplex": (6, 36, 0),
    "ws, tls, mplex": (6, 36, 0),
    "webtransport": (9, 27, 54),
    "wss, tls, yamux": (4, 16, 0),
    "wss, noise, mplex": (10, 10, 90),
    "wss, tls, mplex": (1, 1, 0),
}


def tables(matrix: Sequence[Case]) -> dict[str, tuple[int, int, int]]:
    found: dict[str, tuple[int, int, int]] = {}
    for stack in {Stack.of(case) for case in matrix}:
        cells = [case for case in matrix if Stack.of(case) == stack]
        side = len({version for case in cells for version in (case.first, case.second)})
        found[str(stack)] = (side, len(cells), side * side - len(cells))
    return found


@pytest.mark.parametrize(
    ("file", "count", "total", "expected"),
    [
        pytest.param("versions-2025.yaml", 18, 1208, TABLES_2025, id="2025"),
        pytest.param("versions-2026.yaml", 24, 1263, TABLES_2026, id="2026"),
    ],
)
def test_published_tables(file: str, count: int, total: int, expected: dict[str, tuple[int, int, int]]) -> None:
    matrix = cases(load(DATA / file, known_suites()).versions[:count])
    assert len(matrix) == total
    assert tables(matrix) == expected


def test_all_27_declared_versions_give_1676_cases() -> None:
    versions = load(DATA / "versions-2025.yaml", known_suites()).versions
    assert len(versions) == 27
    assert len(cases(versions)) == 1676


def test_order_is_standalone_first_then_stack_dialer_listener() -> None:
    matrix = cases(load(DATA / "versions-2026.yaml", known_suites()).versions)
    assert [str(stack) for stack in dict.fromkeys(Stack.of(case) for case in matrix)] == [
        "quic-v1",
        "webrtc",
        "webrtc-direct",
        "webtransport",
        *sorted(
            str(Stack.of(case)) for case in {Stack.of(case): case for case in matrix}.values() if Stack.of(case).muxer
        ),
    ]
    quic = [(case.first, case.second) for case in matrix if str(Stack.of(case)) == "quic-v1"]
    assert quic == sorted(quic)


def test_dial_only_self_pair_does_not_exist() -> None:
    browser = Version(
        id="b",
        family="b",
        source=PublishedImage(reference="b:1"),
        transports=(Transport(name="webrtc-direct", dial_only=True), Transport(name="webrtc")),
    )
    assert [case.name for case in cases([browser])] == ["b x b (webrtc)"]


def test_repeated_words_give_each_case_once() -> None:
    version = Version(
        id="v",
        family="v",
        source=PublishedImage(reference="v:1"),
        transports=(Transport(name="tcp"), Transport(name="tcp")),
        secure_channels=("noise", "noise"),
        muxers=("yamux", "yamux"),
    )
    assert [case.name for case in cases([version])] == ["v x v (tcp, noise, yamux)"]


@st.composite
def version_lists(draw: st.DrawFn) -> list[Version]:
    ids = draw(st.lists(st.sampled_from([f"impl-v{n}" for n in range(12)]), unique=True, max_size=5))
    return [
        Version(
            id=identifier,
            family="impl",
            source=PublishedImage(reference="impl:1"),
            transports=tuple(
                Transport(name=name, dial_only=draw(st.booleans()))
                for name in draw(st.lists(st.sampled_from(TRANSPORTS), unique=True, max_size=4))
            ),
            secure_channels=tuple(draw(st.lists(st.sampled_from(SECURE_CHANNELS), unique=True))),
            muxers=tuple(draw(st.lists(st.sampled_from(MUXERS), unique=True))),
        )
        for identifier in ids
    ]


@given(version_lists())
def test_exactly_the_possible_combinations(versions: list[Version]) -> None:
    found = {(case.first, case.second, Stack.of(case)) for case in cases(versions)}
    every = {stack for version in versions for stack in stacks(version)}
    for dialer in versions:
        for listener in versions:
            for stack in every:
                possible = dialer.dials(stack.transport) and listener.listens(stack.transport)
                if stack.transport not in STANDALONE:
                    possible = possible and all(
                        stack.secure_channel in side.secure_channels and stack.muxer in side.muxers
                        for side in (dialer, listener)
                    )
                assert ((dialer.id, listener.id, stack) in found) == possible


@given(version_lists())
def test_both_directions_exist_where_both_sides_listen(versions: list[Version]) -> None:
    by_id = {version.id: version for version in versions}
    found = set(cases(versions))
    for case in found:
        if by_id[case.first].listens(Stack.of(case).transport):
            assert Stack.of(case).case(case.second, case.first) in found


@given(version_lists(), st.randoms(use_true_random=False))
def test_names_and_keys_are_unique_and_order_of_rows_is_nothing(versions: list[Version], random: object) -> None:
    matrix = cases(versions)
    assert len({case.name for case in matrix}) == len({case.key for case in matrix}) == len(matrix)
    shuffled = sorted(versions, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert cases(shuffled) == matrix
