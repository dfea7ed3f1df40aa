"""The skeleton's own program: which variables it reads, which it refuses, and the result it prints."""

from __future__ import annotations

import re
from collections.abc import Mapping

import app
import ping
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skeleton_variables import CLASSIC, UNIFIED

from ci.model import STANDALONE
from ci.suites.transport.ping_record import find_records


def read(environment: Mapping[str, str]) -> app.Settings:
    return app.read_settings(environment, ("tcp", "quic-v1"), ("noise",), ("yamux",))


def test_the_stub_promises_what_its_row_does() -> None:
    assert (ping.TRANSPORTS, ping.SECURE_CHANNELS, ping.MUXERS) == (("tcp",), ("noise",), ("yamux",))
    assert set(app.STANDALONE) == STANDALONE


def test_both_generations_say_the_same() -> None:
    classic, unified = read(CLASSIC), read(UNIFIED)

    assert classic.stack == unified.stack == app.Stack("tcp", "noise", "yamux")
    assert classic.role == unified.role == "dialer"
    assert (classic.redis_host, classic.redis_port) == (unified.redis_host, unified.redis_port) == ("redis", 6379)
    assert classic.timeout == unified.timeout == 180
    assert (classic.key, unified.key) == ("listenerAddr", "0a0b0c0d_listener_multiaddr")
    assert (classic.unified, unified.unified) == (False, True)


def test_the_newer_generation_decides_where_both_are_there() -> None:
    assert read({**CLASSIC, **UNIFIED, "is_dialer": "false", "transport": "ws"}) == read(UNIFIED)
    assert read({**CLASSIC, **UNIFIED, "TEST_KEY": " "}) == read(CLASSIC)


@pytest.mark.parametrize("name", ["test_timeout_seconds", "test_timeout_secs", "TEST_TIMEOUT_SECS"])
def test_every_spelling_of_the_time_limit_is_read(name: str) -> None:
    assert read({**CLASSIC, name: "7"}).timeout == 7


def test_a_standalone_transport_has_neither_secure_channel_nor_muxer() -> None:
    bare = {"transport": "quic-v1", "security": "", "muxer": "", "is_dialer": "false"}
    assert read(bare).stack == app.Stack("quic-v1")
    assert str(read(bare).stack) == "transport=quic-v1"
    assert read({**bare, "security": "tls", "muxer": "mplex"}).stack == app.Stack("quic-v1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"TRANSPORT": "tpc"}, "TRANSPORT is 'tpc', this version takes tcp, quic-v1"),
        ({"TRANSPORT": ""}, "not started by a test"),
        ({"SECURE_CHANNEL": "tls"}, "SECURE_CHANNEL is 'tls', this version takes noise"),
        ({"MUXER": ""}, "MUXER is not set, this version takes yamux"),
        ({"IS_DIALER": "yes"}, "IS_DIALER is 'yes', this version takes true, false"),
        ({"IS_DIALER": ""}, "IS_DIALER is not set"),
        ({"REDIS_ADDR": ""}, "REDIS_ADDR is '', not host:port"),
        ({"REDIS_ADDR": "redis"}, "REDIS_ADDR is 'redis', not host:port"),
        ({"REDIS_ADDR": "redis:0"}, "REDIS_ADDR is 'redis:0', not host:port"),
        ({"TEST_TIMEOUT_SECS": "soon"}, "the time limit is 'soon'"),
        ({"TEST_TIMEOUT_SECS": "nan"}, "the time limit is 'nan'"),
        ({"TEST_TIMEOUT_SECS": "0"}, "the time limit is '0'"),
        ({"TEST_TIMEOUT_SECS": "1e99"}, "the time limit is '1e99'"),
    ],
)
def test_what_is_not_understood_is_refused(changes: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        read({**UNIFIED, **changes})


@given(st.dictionaries(st.sampled_from([*CLASSIC, *UNIFIED, "test_timeout_secs", "redis_addr"]), st.text(max_size=8)))
def test_no_environment_makes_it_fall_over(environment: dict[str, str]) -> None:
    try:
        settings = read(environment)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017 -- either is right, but not two lines
    else:
        assert settings.stack.transport in ("tcp", "quic-v1")


@given(ping=st.floats(min_value=0.001, max_value=1e6), more=st.floats(min_value=0, max_value=1e6))
def test_results_are_read_back_by_the_runner(ping: float, more: float) -> None:
    for unified in (False, True):
        (found,) = find_records(app.record(unified, ping + more, ping))
        assert found.ping_rtt == pytest.approx(ping, abs=0.001)
        assert found.handshake_plus_one_rtt == pytest.approx(ping + more, abs=0.001)
