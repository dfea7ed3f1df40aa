"""Recorded weights: the file, and what cases without a record are given."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci.errors import ConfigurationError
from ci.plan.weights import DEFAULT_SECONDS, estimate, load_weights
from ci.suites.transport.words import Stack

FAMILIES = {"go-v1": "go", "go-v2": "go", "js-v1": "js", "py-v1": "py"}
TCP = Stack("tcp", "noise", "yamux")
QUIC = Stack("quic-v1")


def test_the_committed_file_can_be_read() -> None:
    for path in (Path(__file__).parents[2] / "ci" / "data" / "weights").iterdir():
        load_weights(path)


def test_rounds_to_tenths(tmp_path: Path) -> None:
    file = tmp_path / "weights.json"
    file.write_text('{"a x b (quic-v1)": 1.26, "b x a (quic-v1)": 3}', encoding="utf-8")
    assert load_weights(file) == {"a x b (quic-v1)": 1.3, "b x a (quic-v1)": 3.0}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Expecting value"),
        (b"[]", "one JSON object"),
        (b'{"a": 1, "a": 2}', "`a` is there twice"),
        (b'{"a": "1"}', "no sensible number"),
        (b'{"a": true}', "no sensible number"),
        (b'{"a": null}', "no sensible number"),
        (b'{"a": -0.1}', "no sensible number"),
        (b'{"a": NaN}', "no sensible number"),
        (b'{"a": 1e999}', "no sensible number"),
        (b'{"a": 1' + b"0" * 400 + b"}", "no sensible number"),
        (b'{"a": 90000}', "no sensible number"),
        (b"\xff", "utf-8"),
        (b'{"a":' * 100_000, "weights"),
    ],
)
def test_refuses(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "weights.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_weights(file)
    assert caught.value.reference == "bad-weights"
    assert said in caught.value.message


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load_weights(tmp_path / "weights.json")


def test_the_narrowest_class_with_records_decides() -> None:
    recorded = [
        (TCP.case("go-v1", "js-v1"), 1.0),
        (TCP.case("js-v1", "go-v1"), 2.0),
        (TCP.case("go-v1", "go-v1"), 6.0),
        (QUIC.case("go-v1", "go-v1"), 20.0),
    ]
    asked = [
        (TCP.case("js-v1", "go-v2"), 1.5),  # same families in either role: 1.0 and 2.0
        (TCP.case("go-v2", "go-v1"), 6.0),
        (TCP.case("py-v1", "go-v2"), 2.0),  # same transport: 1.0, 2.0 and 6.0
        (QUIC.case("py-v1", "js-v1"), 20.0),
        (Stack("webtransport").case("py-v1", "py-v1"), 4.0),  # all: 1.0, 2.0, 6.0 and 20.0
    ]
    cases = [case for case, _ in recorded + asked]
    weights = {case.name: seconds for case, seconds in recorded}
    assert estimate(cases, FAMILIES, weights) == tuple(seconds for _, seconds in recorded + asked)


def test_without_records_all_weigh_the_same() -> None:
    cases = [TCP.case("go-v1", "js-v1"), QUIC.case("go-v1", "js-v1")]
    assert estimate(cases, FAMILIES, {"gone x gone (tcp)": 9.0}) == (DEFAULT_SECONDS, DEFAULT_SECONDS)
