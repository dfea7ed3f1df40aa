"""The line that names what went wrong, from traces that real programs have left (`tests/data/last_log_line`)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.results.signature import signature
from ci.spec.capture import Capture
from ci.spec.last_log_line import MOST, last_line
from ci.util.text import byte_length

TRACES = Path(__file__).parents[1] / "data" / "last_log_line"
PEER = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
NAMED = {
    "go-nil": "panic: runtime error: invalid memory address or nil pointer dereference",
    "go-panic": "panic: no transport for /ip4/172.18.0.2/udp/4001/quic-v1",
    "java-chain": 'Exception in thread "main" java.lang.RuntimeException: the ping failed <- '
    "java.lang.IllegalStateException: cannot dial /ip4/172.18.0.2/tcp/4001 <- "
    "java.net.ConnectException: Connection refused",
    "node-agg": "AggregateError: All promises were rejected <- Error: tcp: connect ECONNREFUSED <- "
    "Error: ws: the handshake timed out",
    "node-e": "Error: All multiaddr dials failed <- Error: connect ECONNREFUSED 127.0.0.1:1",
    "py-chain": "RuntimeError: unable to connect to the peer, all addresses failed <- "
    "OpenConnectionError: Failed to open TCP stream: /ip4/127.0.0.1/tcp/1 <- "
    "ConnectionRefusedError: [Errno 111] Connection refused",
    "py-during": "ValueError: the settings hold no muxer <- KeyError: 'muxer'",
    "py-group": f"RuntimeError: cannot open a stream to {PEER} <- "
    "ConnectionResetError: [Errno 104] Connection reset by peer",
    "py-groups": "ValueError: no muxer in common; TimeoutError: the handshake took too long",
    "rust-assert": "thread 'main' (7345) panicked at q.rs:1:43: "
    "assertion `left == right` failed: the key has another length left: 32 right: 16",
    "rust-note": "thread 'main' (7312) panicked at p.rs:1:107: called `Result::unwrap()` on an `Err` value: "
    '"data channel opening took longer than 10 seconds"',
}
NAMED["rust-panic"] = NAMED["rust-note"].replace("7312", "1836")


def captured(text: str | bytes) -> Capture:
    capture = Capture()
    capture.write(0.0, text.encode() if isinstance(text, str) else text)
    return capture


def trace(name: str) -> str:
    return (TRACES / f"{name}.txt").read_text(encoding="utf-8")


def test_every_trace_is_here() -> None:
    assert sorted(path.stem for path in TRACES.iterdir()) == sorted(NAMED)


@pytest.mark.parametrize("before", ["", "starting\nError: an earlier one\n    at all\nTraceback of another day\n"])
@pytest.mark.parametrize("name", NAMED)
def test_a_trace_is_named_by_what_it_is_about(name: str, before: str) -> None:
    assert last_line(captured(before + trace(name))) == NAMED[name]


def test_the_last_of_several_traces_counts() -> None:
    assert last_line(captured(trace("py-chain") + trace("py-during"))) == NAMED["py-during"]
    assert last_line(captured(trace("py-group") + trace("py-groups"))) == NAMED["py-groups"]


@pytest.mark.parametrize("name", NAMED)
def test_what_is_said_after_a_trace_is_the_last_line(name: str) -> None:
    assert last_line(captured(trace(name) + "giving up\n")) == "giving up"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("dialing\n\x1b[31mno way\x1b[0m\n\n", "no way"),
        ("no way\n+------------------\n  }\n", "no way"),
        ("-----\n", "-----"),
        ("a\x00b", "a\N{REPLACEMENT CHARACTER}b"),
        ("listening at noon\n    at noon\n", "at noon"),
        ("panic: is what we do not\nall is well\n", "all is well"),
        ("\n \n", ""),
    ],
)
def test_other_ends(text: str, line: str) -> None:
    assert last_line(captured(text)) == line


def test_the_second_stream_speaks_where_the_first_is_silent() -> None:
    assert last_line(captured("\n"), captured("from stdout\n")) == "from stdout"


def test_the_cause_at_the_end_of_a_long_line_is_kept() -> None:
    said = ", ".join(f"/ip4/172.18.0.{n}/tcp/4001: i/o timeout" for n in range(60))
    line = last_line(captured(f"dialing: {said}: no good addresses"))

    assert byte_length(line) <= MOST
    assert line.startswith("dialing: /ip4/172.18.0.0/tcp/4001")
    assert " bytes left out] …" in line
    assert line.endswith("no good addresses")


def test_two_troubles_in_groups_have_two_signatures_and_each_has_one() -> None:
    other = trace("py-group").replace(PEER, "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp").replace("104", "32")
    signatures = [signature(last_line(captured(text))) for text in (trace("py-group"), other, trace("py-groups"))]

    assert signatures[0] == signatures[1] != signatures[2]


pieces = st.sampled_from(
    [*(line for name in NAMED for line in trace(name).splitlines(keepends=True)), "\n", "  | ", "{", "at ", "thread '"]
)


@given(st.lists(pieces, max_size=30).map("".join) | st.text(max_size=200))
def test_whatever_is_written_gives_one_bounded_printable_line(text: str) -> None:
    line = last_line(captured(text.encode("utf-8", "surrogatepass")))

    assert byte_length(line) <= MOST
    assert line.isprintable()


@pytest.mark.parametrize("flood", ["}\n", " at a\n", "  | x\n", "Caused by: x\n", "x: y\n", "x" * 99, "Traceback ("])
def test_a_flood_is_read_to_its_end(flood: str) -> None:
    assert last_line(captured(flood * (2_000_000 // len(flood)) + "\nthe end\n")) == "the end"
