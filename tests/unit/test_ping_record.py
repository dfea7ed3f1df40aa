"""Rows T3–T7 of the container contract's tolerance table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.suites.transport import ping_record
from ci.suites.transport.ping_record import (
    MOST_ATTEMPTS,
    MOST_BRACES,
    credible_metrics,
    find_records,
    mentions_record,
)
from ci.util.text import strip_ansi

RECORD = '{"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}'
YAML = "latency:\n  handshake_plus_one_rtt: 7.342\n  ping_rtt: 7.113\n  unit: ms\n"

milliseconds = st.floats(0, 1e9) | st.integers(0, 10**12)
indents = st.text(alphabet=" \t", min_size=1, max_size=8)


def times(text: str) -> list[tuple[float, float]]:
    return [(record.handshake_plus_one_rtt, record.ping_rtt) for record in find_records(text)]


# --- JSON -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "\n> peer@1.0.0 test\n> mocha\n\n{}\n  1 passing (2s)\n",
        "\x1b[32m  ok\x1b[0m \x1b[1;36m{}\x1b[0m",
        "\x1b]0;title\x07{}",
        "\x1b(B\x1b[m{}\x1b(B",
        "\r 50 %\r100 %\r{}\r\n",
        "2024-01-01T00:00:00Z INFO dialer: result {} done",
        '{{"level": "info", "fields": {{"a": {{}}}}}}\n{}',
        "{{{{{{ oops\n{}",
        "{} }}}} {{ oops",
        '{{"handshakePlusOneRTTMillis": 1}} {{"pingRTTMilllis": 1}} {}',
        '{{"handshakePlusOneRTTMillis": "soon", "pingRTTMilllis": 1}} {}',
        '["handshakePlusOneRTTMillis"] {}',
        "\N{REPLACEMENT CHARACTER}\x00\x01{}\x00",
    ],
)
def test_t3_t5_found_among_noise(around: str) -> None:
    assert times(around.format(RECORD)) == [(7.342, 7.113)]


def test_t3_colour_inside_the_record() -> None:
    assert times(RECORD.replace(" ", " \x1b[33m")) == [(7.342, 7.113)]


def test_t4_split_over_lines() -> None:
    assert times(RECORD.replace(" ", "\r\n\t ")) == [(7.342, 7.113)]


def test_t5_wrapped_in_an_object_that_is_not_finished() -> None:
    assert times('{"level": "info", "result": ' + RECORD) == [(7.342, 7.113)]


def test_t5_with_objects_of_its_own() -> None:
    wrapped = '{"a": {"b": {}}, "handshakePlusOneRTTMillis": 2, "c": {"d": [{}]}, "pingRTTMilllis": 1}'

    assert times(wrapped) == [(2, 1)]


def test_t5_after_many_mentions_that_are_no_records() -> None:
    assert times('"handshakePlusOneRTTMillis"?\n' * 1000 + RECORD) == [(7.342, 7.113)]


@pytest.mark.parametrize(
    "value",
    [
        "NaN", "Infinity", "-Infinity", "-1", "-0.001", "true", "false", "null", '"7.3"', "[7]", "{}",
        "1e400", "1" + "0" * 400, "1" * 5000, "7.", ".5", "0x10", "1_000", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["7.342", "7.113"])
def test_t5_a_time_is_a_finite_number_that_is_not_negative(field: str, value: str) -> None:
    assert times(RECORD.replace(field, value)) == []


def test_t6_several_records_in_order() -> None:
    other = RECORD.replace("7.342", "9")

    assert times(f"{RECORD}\n{other}{RECORD}") == [(7.342, 7.113), (9, 7.113), (7.342, 7.113)]


def test_t6_one_of_each_form_in_order_of_appearance() -> None:
    assert [record.at for record in find_records(YAML + RECORD)] == [0, len(YAML)]
    assert [record.at for record in find_records(RECORD + "\n" + YAML)] == [0, len(RECORD) + 1]


@given(milliseconds, milliseconds, st.sampled_from(["pingRTTMilllis", "pingRTTMillis"]), st.booleans(), st.booleans())
def test_t7_any_number_either_spelling_any_order(
    handshake: float, ping: float, spelling: str, turned: bool, spread: bool
) -> None:
    fields = {"handshakePlusOneRTTMillis": handshake, spelling: ping, "extra": {"muxer": "yamux"}}
    if turned:
        fields = dict(reversed(fields.items()))

    assert times(json.dumps(fields, indent=2 if spread else None)) == [(float(handshake), float(ping))]


def test_the_metrics_are_spelt_as_the_contract_spells_them() -> None:
    [record] = find_records(RECORD.replace("lll", "ll"))

    assert record.metrics == {"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 7.113}


@given(st.text(max_size=60), st.text(max_size=60))
def test_noise_without_braces_never_hides_a_record(before: str, after: str) -> None:
    keep = str.maketrans("", "", '{}"\x1b')

    assert times(before.translate(keep) + RECORD + after.translate(keep)) == [(7.342, 7.113)]


# --- YAML -------------------------------------------------------------------------------------------------


@given(indents, indents, st.sampled_from(["\n", "\r\n"]), milliseconds, milliseconds)
def test_t7_yaml_at_any_indentation(outer: str, inner: str, end: str, handshake: float, ping: float) -> None:
    lines = [f"{outer}latency:", f"{inner}handshake_plus_one_rtt: {handshake!r}", f"{inner}ping_rtt: {ping!r}"]

    assert times(end.join(["# Measurements", *lines, f"{inner}unit: ms", ""])) == [(float(handshake), float(ping))]


@pytest.mark.parametrize(
    "text",
    [
        YAML,
        YAML.rstrip("\n"),
        "# Measurements from dialer\n" + YAML,
        YAML.replace("  ping", "# between\n  # and indented\n  ping"),
        YAML.replace("7.113", "'7.113'  # ms"),
        YAML.replace("latency:", "latency:   # of the dialer"),
        YAML.replace("\n", "\r\n"),
        "\x1b[32m" + YAML.replace(": 7", ": \x1b[33m7") + "\x1b[0m",
        "npm banner\n\n" + YAML + "done: true\n",
        "\n".join(reversed(YAML.splitlines()[1:3])).join(["latency:\n", "\n"]),
        YAML.replace("  ping", "\n  ping"),
        YAML.replace("latency:\n", "latency:\n\n \t\n"),
        YAML.replace("  ping", "2026-11-26 04:00:00 [info] swarm: identify done\n  ping"),
        YAML.replace("  ping", "INFO: latency: is known\n    at layer {a: 1}\n\n  ping"),
    ],
)
def test_t7_yaml_forms(text: str) -> None:
    assert times(text) == [(7.342, 7.113)]


@pytest.mark.parametrize(
    "text",
    [
        "latency:\n",
        "latency:\n  ping_rtt: 7.113\n",
        "latency: 7\n  handshake_plus_one_rtt: 7.342\n  ping_rtt: 7.113\n",
        "latencies:\n  handshake_plus_one_rtt: 7.342\n  ping_rtt: 7.113\n",
        "latency:\nhandshake_plus_one_rtt: 7.342\nping_rtt: 7.113\n",
        *(YAML.replace("7.113", word) for word in ("nan", ".nan", "inf", "-1", "true", "~", "soon")),
    ],
)
def test_t7_yaml_that_is_no_record(text: str) -> None:
    assert times(text) == []


@pytest.mark.parametrize("indent", ["", "    "])
def test_t6_yaml_records_are_told_apart(indent: str) -> None:
    first = "".join(f"{indent}{line}\n" for line in YAML.splitlines())

    assert times(first + first.replace("7.342", "9")) == [(7.342, 7.113), (9, 7.113)]


lines_between = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x1b"), max_size=30))


@given(lines_between, lines_between)
def test_t7_whatever_stands_between_the_lines(before: list[str], between: list[str]) -> None:
    noise = ["\n".join(line for text in texts for line in text.splitlines()) for texts in (before, between)]
    text = YAML.replace("  hand", f"{noise[0]}\n  hand").replace("  ping", f"{noise[1]}\n  ping")

    assert times(text) == [(7.342, 7.113)]


def test_t7_a_number_at_the_edge_of_what_is_looked_at_is_whole_or_not_there() -> None:
    for filler in range(3900, 4100):
        text = "latency:\n  handshake_plus_one_rtt: 7.342\n" + "x" * filler + "\n  ping_rtt: 7.113\n" + "y" * 200

        assert times(text) in ([], [(7.342, 7.113)])


# --- what of it can be true ------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["us", "s", "seconds", "'s'"])
def test_times_in_another_unit_are_no_milliseconds(unit: str) -> None:
    [record] = find_records(YAML.replace("unit: ms", f"unit: {unit}"))
    kept, (warning,) = credible_metrics(record, seconds=60)

    assert kept == {}
    assert warning == f"the result is in {unit.strip(chr(39))!r}, not in ms: its times are not kept"


def test_milliseconds_are_kept_with_or_without_the_word() -> None:
    for text in (YAML, YAML.replace("  unit: ms\n", ""), YAML.replace("ms", "'ms'"), RECORD):
        [record] = find_records(text)

        assert credible_metrics(record, seconds=60) == (record.metrics, ())


@pytest.mark.parametrize("value", ["1e300", "60001"])
def test_a_time_longer_than_the_attempt_is_none(value: str) -> None:
    [record] = find_records(RECORD.replace("7.342", value))
    kept, (warning,) = credible_metrics(record, seconds=60)

    assert kept == {"pingRTTMilllis": 7.113}
    assert warning.startswith("the result says handshakePlusOneRTTMillis ")
    assert warning.endswith("longer than the whole attempt (60000 ms): it is not kept")


# --- hostile output ---------------------------------------------------------------------------------------


@contextmanager
def calls_of(*functions: Callable[..., object]) -> Iterator[list[CodeType]]:
    """Counts calls: a bound on work holds on a slow machine too, a bound on time does not."""
    codes = {function.__code__ for function in functions}
    seen: list[CodeType] = []

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in codes:
            seen.append(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield seen
    finally:
        sys.setprofile(before)


KEY = '"handshakePlusOneRTTMillis"'


@pytest.mark.parametrize(
    ("flood", "most"),
    [
        ("{" * 1_000_000, 0),
        ("{" * 1_000_000 + KEY, MOST_BRACES),
        (("{" * 100 + KEY) * 10_000, MOST_ATTEMPTS),
        (('{"a":' * 50 + KEY) * 5_000, MOST_ATTEMPTS),
        (("{" + KEY) * 50_000, MOST_ATTEMPTS),
        ("[" * 5_000 + "{" + KEY + ":" + "[" * 5_000, MOST_BRACES),
        (KEY * 50_000, 0),
        ('{"x": {' * 2_000 + RECORD, 1),
    ],
    ids=["braces", "braces-then-key", "braces-and-keys", "nested", "keys-with-brace", "deep-lists", "keys", "open"],
)
def test_t5_work_on_a_flood_is_bounded(flood: str, most: int) -> None:
    with calls_of(ping_record._decode) as decoded:
        find_records(flood)

    assert len(decoded) <= most


@pytest.mark.parametrize(
    "flood",
    ["latency:\n" * 100_000, "  " * 500_000, "\n" * 500_000, "latency:" + " " * 500_000, "\x1b[" * 300_000,
     "\x1b]" * 300_000, "\x1b[" + "0" * 500_000, "latency:\n" + "  a:\n" * 200_000, "latency:\n" + " #\n" * 200_000],
)  # fmt: skip
def test_floods_that_would_take_for_ever_if_looking_were_not_linear(flood: str) -> None:
    assert find_records(flood) == ()
    assert times(flood + "\n" + YAML)[-1:] == [(7.342, 7.113)]


fragments = st.sampled_from(
    ["{", "}", '"', ":", ",", "[", "\\", "\n", " ", "1", "-", "NaN", "\x1b[", KEY, '"pingRTTMilllis"', RECORD,
     "latency:\n", "  ping_rtt: ", "  handshake_plus_one_rtt: "]
)  # fmt: skip


@given(st.text(max_size=200) | st.lists(fragments, max_size=60).map("".join))
def test_garbage_never_raises_and_never_gives_an_impossible_record(text: str) -> None:
    for record in find_records(text):
        assert 0 <= record.handshake_plus_one_rtt < float("inf")
        assert 0 <= record.ping_rtt < float("inf")


@given(st.binary(max_size=300))
def test_binary_garbage_never_raises(data: bytes) -> None:
    assert isinstance(find_records(data.decode(errors="replace")), tuple)


# --- the rest ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [(RECORD, True), (RECORD.replace("7.342", "NaN"), True), (YAML, True), ("", False), ("ok {}", False)],
)
def test_mentions_record(text: str, expected: bool) -> None:
    assert mentions_record(text) is expected


def test_strip_ansi_leaves_text_alone() -> None:
    assert strip_ansi("\x1b[1;31mred\x1b[0m [0m plain \x1b]8;;http://x\x1b\\link") == "red [0m plain link"
