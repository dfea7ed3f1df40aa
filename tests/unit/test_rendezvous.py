"""Against a real Redis: what its MONITOR stream says is only worth what Redis really prints."""

from __future__ import annotations

import queue
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis_servers import RedisServer, free_port, redis_process

from ci.engines.coordination import Asked, CoordinationLost, Published, RedisCoordinator, parse_monitor_line
from ci.errors import EngineError
from ci.spec.attempt import Address, Bridge

# A Redis client; redis-py's types of replies fit no caller.
Peer: TypeAlias = Any
Event: TypeAlias = "Published | Asked | CoordinationLost"

needs_process = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server on PATH")


@pytest.fixture
def coordinator(redis_server: RedisServer) -> Iterator[RedisCoordinator]:
    with RedisCoordinator(redis_server.address) as coordinator:
        yield coordinator


@pytest.fixture
def peer(redis_server: RedisServer, coordinator: RedisCoordinator) -> Iterator[Peer]:
    """What the two sides of a case see of Redis."""
    del coordinator  # it waits until Redis answers
    with redis_server.client() as client:
        yield client


class Seen:
    """An observer that can be asked what it was told."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def __call__(self, event: Event) -> None:
        self._events.put(event)

    def next(self) -> Event:
        return self._events.get(timeout=10)

    def all(self, coordinator: RedisCoordinator) -> list[Event]:
        """Everything Redis was asked before now."""
        coordinator.sync()
        events: list[Event] = []
        while not self._events.empty():
            events.append(self._events.get())
        return events


# --- reading MONITOR --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'1339518083.107412 [0 127.0.0.1:60866] "keys" "*"', ("keys", "*")),
        (b'1339518083.107412 [0 [::1]:60866] "rpush" "k" "v"', ("rpush", "k", "v")),
        (b'1339518083.107412 [0 unix:/tmp/redis [1].sock] "get" "k"', ("get", "k")),
        (b'1339518083.107412 [0 lua] "set" "k" "] \\"v"', ("set", "k", '] "v')),
        (b'1.1 [15 127.0.0.1:1] "set" "k" "a\\\\n\\n\\r\\t\\a\\b\\x00\\xff"', ("set", "k", "a\\n\n\r\t\a\b\0\ufffd")),
        (b'1.1 [0 127.0.0.1:1] "ping"', ("ping",)),
        (b'1.1 [0 127.0.0.1:1] ""', ("",)),
        (b"OK", ()),
        (b"", ()),
        (b"1.1 [0 127.0.0.1:1] ", ()),
    ],
)
def test_parse_monitor_line(line: bytes, words: tuple[str, ...]) -> None:
    assert parse_monitor_line(line) == words


@given(st.binary(max_size=200))
def test_parsing_garbage_never_raises(line: bytes) -> None:
    assert isinstance(parse_monitor_line(line), tuple)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.binary(max_size=60) | st.sampled_from([b'"', b"\\", b"\r\n", b'\\x41"] ']), min_size=1, max_size=4))
def test_what_is_pushed_is_what_is_published(coordinator: RedisCoordinator, peer: Peer, values: list[bytes]) -> None:
    seen = Seen()
    coordinator.begin(seen)

    peer.rpush("key", *values)

    assert seen.all(coordinator) == [Published("key", tuple(value.decode(errors="replace") for value in values))]


# --- what is reported -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (("RPUSH", "k", "a", "b"), Published("k", ("a", "b"))),
        (("lpush", "k", "a"), Published("k", ("a",), "LPUSH")),
        (("SET", "k", "a", "EX", "60"), Published("k", ("a",), "SET")),
        (("LPOP", "k"), Asked("k", "LPOP")),
        (("LRANGE", "k", "0", "-1"), Asked("k", "LRANGE")),
        (("GET", "s"), Asked("s", "GET")),
    ],
)
def test_commands(coordinator: RedisCoordinator, peer: Peer, command: tuple[str, ...], event: Event) -> None:
    seen = Seen()
    coordinator.begin(seen)

    peer.execute_command(*command)

    assert seen.all(coordinator) == [event]


@pytest.mark.parametrize("filler", [b"x", b"\\", b'"', b"\xff"])
def test_of_a_value_far_too_long_its_start_is_reported(
    coordinator: RedisCoordinator, peer: Peer, filler: bytes
) -> None:
    seen = Seen()
    coordinator.begin(seen)

    peer.rpush("k", b"start" + filler * 300_000)
    peer.rpush("k", "next")

    first, second = seen.all(coordinator)
    assert isinstance(first, Published)
    assert first.values[0].startswith("start")
    assert second == Published("k", ("next",))


def test_other_commands_are_nobodys_business(coordinator: RedisCoordinator, peer: Peer) -> None:
    seen = Seen()
    coordinator.begin(seen)

    peer.ping()
    peer.delete("k")
    peer.client_id()

    assert seen.all(coordinator) == []


def test_a_value_handed_over_at_once_is_seen_although_it_never_lay_there(
    coordinator: RedisCoordinator, peer: Peer
) -> None:
    seen = Seen()
    coordinator.begin(seen)
    popped: queue.SimpleQueue[object] = queue.SimpleQueue()
    dialer = threading.Thread(target=lambda: popped.put(list(peer.blpop(["k"], timeout=10))))
    dialer.start()
    assert seen.next() == Asked("k")

    peer.rpush("k", "address")

    assert seen.next() == Published("k", ("address",))
    assert popped.get(timeout=10) == [b"k", b"address"]
    dialer.join()


def test_inside_a_transaction(coordinator: RedisCoordinator, peer: Peer) -> None:
    """Some listeners remove a stale value and push theirs in one MULTI."""
    seen = Seen()
    coordinator.begin(seen)

    with peer.pipeline(transaction=True) as pipeline:
        pipeline.delete("k")
        pipeline.rpush("k", "address")
        pipeline.execute()

    assert seen.all(coordinator) == [Published("k", ("address",))]


# --- between cases ----------------------------------------------------------------------------------------


def test_t2_every_case_begins_with_an_empty_keyspace(coordinator: RedisCoordinator, peer: Peer) -> None:
    peer.rpush("k", "stale")
    peer.set("wrong-type", "stale")

    coordinator.begin(Seen())

    assert peer.keys("*") == []


def test_t2_a_case_is_told_nothing_of_the_one_before_it(coordinator: RedisCoordinator, peer: Peer) -> None:
    first, second = Seen(), Seen()
    coordinator.begin(first)
    for number in range(500):
        peer.rpush("k", number)

    coordinator.begin(second)
    peer.rpush("k", "mine")

    assert second.all(coordinator) == [Published("k", ("mine",))]
    assert Published("k", ("mine",)) not in first.all(coordinator)


def test_after_the_end_nothing_is_reported(coordinator: RedisCoordinator, peer: Peer) -> None:
    seen = Seen()
    coordinator.begin(seen)
    coordinator.end()

    peer.rpush("k", "late")

    assert seen.all(coordinator) == []


def test_sync_waits_for_everything_asked_so_far(coordinator: RedisCoordinator, peer: Peer) -> None:
    seen = Seen()
    coordinator.begin(seen)
    for number in range(2000):
        peer.rpush("k", number)

    assert len(seen.all(coordinator)) == 2000


# --- bridging ---------------------------------------------------------------------------------------------

BRIDGE = Bridge(source="listenerAddr", target="1234abcd_listener_multiaddr")


def test_a_bridge_carries_values_over_unchanged(coordinator: RedisCoordinator, peer: Peer) -> None:
    seen = Seen()
    coordinator.begin(seen, bridge=BRIDGE)

    peer.rpush(BRIDGE.source, "/ip4/1.2.3.4/tcp/1\n", 'two "three"')

    assert list(peer.blpop([BRIDGE.target], timeout=10)) == [BRIDGE.target.encode(), b"/ip4/1.2.3.4/tcp/1\n"]
    assert list(peer.blpop([BRIDGE.target], timeout=10)) == [BRIDGE.target.encode(), b'two "three"']
    assert [event for event in seen.all(coordinator) if isinstance(event, Published)] == [
        Published(BRIDGE.source, ("/ip4/1.2.3.4/tcp/1\n", 'two "three"'))
    ]


def test_a_bridge_serves_a_dialer_that_already_waits(coordinator: RedisCoordinator, peer: Peer) -> None:
    seen = Seen()
    coordinator.begin(seen, bridge=BRIDGE)
    popped: queue.SimpleQueue[object] = queue.SimpleQueue()
    dialer = threading.Thread(target=lambda: popped.put(list(peer.blpop([BRIDGE.target], timeout=10))))
    dialer.start()
    assert seen.next() == Asked(BRIDGE.target)

    peer.rpush(BRIDGE.source, "address")

    assert popped.get(timeout=10) == [BRIDGE.target.encode(), b"address"]
    dialer.join()


def test_a_bridge_repairs_nothing(coordinator: RedisCoordinator, peer: Peer) -> None:
    """What a listener publishes with SET is refused to whoever waits for a list, with a bridge as without."""
    seen = Seen()
    coordinator.begin(seen, bridge=BRIDGE)

    peer.set(BRIDGE.source, "address")
    coordinator.sync()

    assert seen.next() == Published(BRIDGE.source, ("address",), "SET")
    assert peer.get(BRIDGE.target) == b"address"
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        peer.blpop([BRIDGE.target], timeout=10)


def test_whoever_waits_for_several_keys_has_asked_for_each(coordinator: RedisCoordinator, peer: Peer) -> None:
    seen = Seen()
    coordinator.begin(seen)
    peer.rpush("second", "address")

    peer.blpop(["first", "second"], timeout=10)

    assert [event for event in seen.all(coordinator) if isinstance(event, Asked)] == [Asked("first"), Asked("second")]


def test_a_bridge_belongs_to_one_case(coordinator: RedisCoordinator, peer: Peer) -> None:
    coordinator.begin(Seen(), bridge=BRIDGE)
    seen = Seen()
    coordinator.begin(seen)

    peer.rpush(BRIDGE.source, "address")
    coordinator.sync()

    assert peer.exists(BRIDGE.target) == 0


# --- when Redis is late or lost ---------------------------------------------------------------------------


def test_redis_killed_in_the_middle_is_reported(redis_server: RedisServer, coordinator: RedisCoordinator) -> None:
    seen = Seen()
    coordinator.begin(seen)

    redis_server.kill()

    assert isinstance(seen.next(), CoordinationLost)


@pytest.mark.parametrize("ask", [RedisCoordinator.sync, lambda it: it.begin(Seen())], ids=["sync", "begin"])
def test_redis_killed_between_cases_is_an_engine_error(
    redis_server: RedisServer, coordinator: RedisCoordinator, ask: Callable[[RedisCoordinator], None]
) -> None:
    seen = Seen()
    coordinator.begin(seen)
    redis_server.kill()
    seen.next()

    with pytest.raises(EngineError) as caught:
        ask(coordinator)

    assert caught.value.reference == "redis-lost"


def test_leaving_the_block_reports_nothing_and_ends_its_thread(redis_server: RedisServer) -> None:
    seen = Seen()
    before = threading.active_count()
    with RedisCoordinator(redis_server.address) as coordinator:
        coordinator.begin(seen)
        assert threading.active_count() == before + 1

    assert threading.active_count() == before
    assert seen._events.empty()


def test_leaving_the_block_waits_for_what_is_being_carried_over(redis_server: RedisServer) -> None:
    """A dialer has its address before the runner has been told that it carried it over."""
    failed: list[Exception] = []

    class Overheard(RedisCoordinator):
        def _carry(self, command: str, target: str, values: tuple[str, ...]) -> None:
            try:
                super()._carry(command, target, values)
            except Exception as error:
                failed.append(error)

    for _ in range(100):
        with redis_server.client() as peer, Overheard(redis_server.address) as coordinator:
            coordinator.begin(Seen(), bridge=BRIDGE)
            peer.rpush(BRIDGE.source, "address")
            peer.blpop([BRIDGE.target], timeout=10)
    assert failed == []


def test_an_observer_that_fails_is_an_engine_error_and_not_the_end_of_a_thread(
    coordinator: RedisCoordinator, peer: Peer
) -> None:
    def fail(_: Event) -> None:
        raise MemoryError("no room for this")

    coordinator.begin(fail)
    peer.rpush("k", "address")

    with pytest.raises(EngineError, match="no room for this") as caught:
        coordinator.sync()
    assert caught.value.reference == "redis-lost"


def test_t1_a_redis_that_never_answers() -> None:
    with (
        pytest.raises(EngineError) as caught,
        RedisCoordinator(Address(host="127.0.0.1", port=free_port()), patience=0.1),
    ):
        pytest.fail("nothing listens there")

    assert caught.value.reference == "redis-lost"


def test_a_question_is_asked_once() -> None:
    """The client library would try again for seconds by itself, and might push twice what is to be carried over."""
    calls = 0
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            nonlocal calls
            while True:
                connection, _ = server.accept()
                with connection:
                    calls += 1
                    if connection.recv(6) == b"enough":
                        return

        callee = threading.Thread(target=hang_up)
        callee.start()
        host, port = server.getsockname()
        with pytest.raises(EngineError), RedisCoordinator(Address(host=host, port=port), patience=0):
            pytest.fail("that is no Redis")
        with socket.create_connection((host, port)) as connection:
            connection.sendall(b"enough")
        callee.join()

    assert calls == 2, "one for the question, one to end this test"


@needs_process
def test_t1_a_redis_that_is_slow_to_start(tmp_path: Path) -> None:
    """Its port refuses at first, then something hangs up on whoever calls, then Redis is there."""
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as early:
        host, port = early.getsockname()

        def start_late() -> None:
            early.accept()[0].close()
            early.close()
            stack.enter_context(redis_process(tmp_path, host=host, port=port))

        starter = threading.Thread(target=start_late)
        starter.start()
        with RedisCoordinator(Address(host=host, port=port)) as coordinator:
            starter.join()
            coordinator.begin(Seen())


@needs_process
def test_clients_that_come_by_ipv6(tmp_path: Path) -> None:
    try:
        port = free_port("::1")
    except OSError:
        pytest.skip("this host has no IPv6 loopback")
    with redis_process(tmp_path, host="::1", port=port) as server, RedisCoordinator(server.address) as coordinator:
        seen = Seen()
        coordinator.begin(seen)
        with server.client() as client:
            client.rpush("k", "address")

        assert seen.all(coordinator) == [Published("k", ("address",))]
