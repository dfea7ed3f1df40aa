from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.spec.capture import INSTANT_SECONDS, Capture, interleave
from ci.util.text import counted

writes = st.lists(st.binary(max_size=40), max_size=60)
limits = st.integers(0, 64)
# Steps between writes, both shorter and longer than what is joined.
steps = st.lists(st.sampled_from([0.0, INSTANT_SECONDS / 4, INSTANT_SECONDS * 2]), min_size=60, max_size=60)


def captured(limit: int, pieces: list[bytes], pauses: list[float] | None = None) -> Capture:
    capture = Capture(limit)
    at = 0.0
    for number, piece in enumerate(pieces):
        at += pauses[number] if pauses else 1.0
        capture.write(at, piece)
    return capture


@given(limits, writes, steps)
def test_what_is_kept_is_exactly_the_beginning_and_the_end(
    limit: int, pieces: list[bytes], pauses: list[float]
) -> None:
    capture = captured(limit, pieces, pauses)
    everything = b"".join(pieces)

    assert capture.total == len(everything)
    assert capture.dropped == max(0, len(everything) - limit)
    assert capture.truncated == (capture.dropped > 0)
    if capture.truncated:
        gap = f"\n[… {counted(capture.dropped, 'byte')} left out …]\n".encode()
        head, tail = everything[: limit - limit // 2], everything[len(everything) - limit // 2 :]
        assert capture.data() == head + gap + tail
    else:
        assert capture.data() == everything


@given(writes)
def test_not_one_byte_is_lost_up_to_the_limit(pieces: list[bytes]) -> None:
    everything = b"".join(pieces)

    assert captured(len(everything), pieces).data() == everything


@given(limits, writes, steps)
def test_times_never_run_backwards(limit: int, pieces: list[bytes], pauses: list[float]) -> None:
    times = [chunk.at for chunk in captured(limit, pieces, pauses).chunks()]

    assert times == sorted(times)


def test_t18_memory_is_bounded_by_the_limit_however_small_the_writes() -> None:
    limit = 10_000
    capture = Capture(limit)
    for number in range(20 * limit):
        capture.write(number * 1e-6, b"x")

    # One object per write would be ten thousand of them.
    assert len(capture._head) + len(capture._tail) < limit / 50
    assert sum(len(chunk.data) for chunk in (*capture._head, *capture._tail)) < limit + 1024


def test_one_write_may_be_larger_than_the_limit() -> None:
    capture = captured(10, [b"0123456789abcdefghij"])

    assert capture.data() == b"01234\n[\xe2\x80\xa6 10 bytes left out \xe2\x80\xa6]\nfghij"


def test_t19_bytes_that_are_no_text_are_replaced() -> None:
    text = captured(100, [b"caf\xc3", b"\xa9 \xff\xfe"]).text()

    assert text == "café \N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


# --- interleaving -----------------------------------------------------------------------------------------


def test_lines_come_in_the_order_in_which_they_began() -> None:
    dialer, listener = Capture(1000), Capture(1000)
    listener.write(0.5, b"listening\n")
    dialer.write(1.0, b"dial")
    listener.write(1.5, b"connection\n")
    dialer.write(2.0, b"ing\ndone")

    assert interleave({"dialer/stderr": dialer, "listener/stderr": listener}) == (
        "+   0.500 listener/stderr | listening\n"
        "+   1.000 dialer/stderr   | dialing\n"
        "+   1.500 listener/stderr | connection\n"
        "+   2.000 dialer/stderr   | done\n"
    )


def test_nothing_written_is_no_text() -> None:
    assert interleave({}) == ""
    assert interleave({"dialer/stdout": Capture(10)}) == ""


@pytest.mark.parametrize("pieces", [[b"one\r\ntwo\n"], [b"one\r", b"\ntwo\n"], [b"one", b"\r\n", b"two"]])
def test_a_line_end_is_one_wherever_the_chunks_are_cut(pieces: list[bytes]) -> None:
    rows = interleave({"x": captured(100, pieces)}).splitlines()

    assert [row.partition(" | ")[2] for row in rows] == ["one", "two"]


@given(st.lists(st.text(alphabet="ab \t", max_size=8), max_size=12), st.data())
def test_lines_survive_any_chunking(lines: list[str], data: st.DataObject) -> None:
    everything = "".join(f"{line}\n" for line in lines).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(everything)), max_size=8)))
    pieces = [everything[a:b] for a, b in zip([0, *cuts], [*cuts, len(everything)], strict=True)]

    text = interleave({"x": captured(10_000, pieces)})

    assert [row.partition(" | ")[2] for row in text.splitlines()] == lines


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 100)), max_size=30))
def test_interleaving_is_sorted_and_complete(events: list[tuple[str, int]]) -> None:
    streams = {"a": Capture(10_000), "b": Capture(10_000)}
    for name, at in sorted(events, key=lambda event: event[1]):
        streams[name].write(float(at), f"{name}{at}\n".encode())

    rows = interleave(streams).splitlines()

    assert len(rows) == len(events)
    times = [float(match[1]) for row in rows if (match := re.match(r"\+ *([\d.]+) ", row))]
    assert times == sorted(at for _, at in events)
