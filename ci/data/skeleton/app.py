"""The container contract (docs/image-contracts.md), kept on behalf of the two functions in ping.py.

Reads the variables of either generation and refuses what it does not know, meets the other side in Redis, bounds
everything by one clock, answers SIGTERM, prints the result. Nothing here knows about the library under test.
"""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TextIO

import redis

# Transports that bring their own security and streams: they get neither a secure channel nor a muxer.
STANDALONE = ("quic", "quic-v1", "webtransport", "webrtc", "webrtc-direct")
DEFAULT_TIMEOUT = "180"
# What the library may take to close its connection once the result is out; the result stands either way.
FAREWELL_SECONDS = 1.0


# --- what the two functions are given ---------------------------------------------------------------------


@dataclass(frozen=True)
class Stack:
    """What a connection is made of; the last two only where the transport does not bring its own."""

    transport: str
    secure_channel: str | None = None
    muxer: str | None = None

    def __str__(self) -> str:
        if self.transport in STANDALONE:
            return f"transport={self.transport}"
        return f"transport={self.transport} secureChannel={self.secure_channel} muxer={self.muxer}"


@dataclass(frozen=True)
class Task:
    """What both roles are asked to do: offer this stack and no other."""

    stack: Stack
    debug: bool

    def negotiated(self, transport: str, secure_channel: str | None = None, muxer: str | None = None) -> None:
        """Say what a connection was negotiated to be; the words come from the connection, not from `stack`."""
        found = Stack(transport, secure_channel, muxer)
        if found != self.stack:
            leave(1, f"asked for {self.stack}, negotiated {found}")
        log(f"negotiated: {found}")


@dataclass(frozen=True)
class Listening(Task):
    """The task of listen().

    `ip` is what to bind, `reachable_ip` what the dialer can reach: the two differ when `ip` is 0.0.0.0.
    """

    ip: str
    reachable_ip: str
    store: redis.Redis
    key: str

    def publish(self, address: str) -> None:
        """Hand the dialer the one multiaddr it can reach, which ends in /p2p/<own peer id>."""
        parts = address.strip().split("/")
        if parts[0] or len(parts) < 6 or parts[-2] != "p2p" or "0.0.0.0" in parts:  # noqa: S104
            leave(1, f"publish() was given {address!r}, not /ip4/{self.reachable_ip}/…/p2p/<own peer id>")
        # What an earlier listener left there must not reach the dialer.
        with self.store.pipeline(transaction=True) as transaction:
            transaction.delete(self.key)
            transaction.rpush(self.key, address.strip())
            transaction.execute()
        log(f"published {address.strip()}")


@dataclass(frozen=True)
class Dialing(Task):
    """The task of dial()."""

    address: str
    unified: bool
    output: TextIO
    reported: threading.Event

    def report(self, *, handshake_plus_one_rtt: float, ping_rtt: float) -> None:
        """Print the result, once; the process ends when dial() returns, and soon in any case.

        :param handshake_plus_one_rtt: seconds from before dialing until the ping was answered
        :param ping_rtt: seconds of that ping alone
        """
        if not 0 < ping_rtt <= handshake_plus_one_rtt < math.inf:
            leave(1, f"report() was given impossible times: {handshake_plus_one_rtt} s in all, {ping_rtt} s the ping")
        print(record(self.unified, handshake_plus_one_rtt * 1000, ping_rtt * 1000), file=self.output, flush=True)
        self.reported.set()
        start_timer(FAREWELL_SECONDS, 0)


def not_written(function: Callable[..., None]) -> Callable[..., None]:
    """Mark a function of the skeleton; delete the mark when the function is written."""
    vars(function)["not_written"] = True
    return function


# --- the variables ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    unified: bool
    stack: Stack
    role: str
    ip: str
    redis_host: str
    redis_port: int
    redis_password: str | None
    key: str
    timeout: float
    debug: bool


def read_settings(
    environment: Mapping[str, str],
    transports: Sequence[str],
    secure_channels: Sequence[str],
    muxers: Sequence[str],
) -> Settings:
    """Read the variables of whichever generation is there.

    :raises ValueError: with one line that says what is wrong with them
    """
    # One generation never sends an empty variable, the other may: both mean that it does not apply.
    given = {name: value.strip() for name, value in environment.items() if value.strip()}
    test_key = given.get("TEST_KEY")
    names = ("transport", "security", "muxer", "is_dialer", "ip", "redis_addr")
    limits = ["TEST_TIMEOUT_SECS"]
    if test_key:
        names = ("TRANSPORT", "SECURE_CHANNEL", "MUXER", "IS_DIALER", "LISTENER_IP", "REDIS_ADDR")
    else:
        limits = ["test_timeout_seconds", "test_timeout_secs", *limits]
    transport, secure_channel, muxer, is_dialer, ip, redis_addr = map(given.get, names)
    if transport is None:
        raise ValueError("neither TEST_KEY and TRANSPORT nor transport is set: not started by a test")

    stack = Stack(one_of(transports, names[0], transport))
    if transport not in STANDALONE:
        channel = one_of(secure_channels, names[1], secure_channel)
        stack = Stack(transport, channel, one_of(muxers, names[2], muxer))
    host, port = host_and_port(names[5], redis_addr or ("" if test_key else "redis:6379"))
    return Settings(
        unified=bool(test_key),
        stack=stack,
        role="dialer" if one_of(("true", "false"), names[3], is_dialer) == "true" else "listener",
        ip=ip or "0.0.0.0",  # noqa: S104
        redis_host=host,
        redis_port=port,
        redis_password=given.get("REDIS_PASSWORD"),
        key=f"{test_key}_listener_multiaddr" if test_key else "listenerAddr",
        timeout=seconds(next((given[name] for name in limits if name in given), DEFAULT_TIMEOUT)),
        debug=given.get("DEBUG") == "true",
    )


def one_of(known: Sequence[str], name: str, value: str | None) -> str:
    if value is None or value not in known:
        found = "not set" if value is None else repr(value)
        raise ValueError(f"{name} is {found}, this version takes {', '.join(known)}")
    return value


def host_and_port(name: str, value: str) -> tuple[str, int]:
    host, _, port = value.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        raise ValueError(f"{name} is {value!r}, not host:port")
    return host, int(port)


def seconds(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 < number <= threading.TIMEOUT_MAX:
        raise ValueError(f"the time limit is {value!r}, not a positive number of seconds")
    return number


def record(unified: bool, handshake_plus_one_rtt: float, ping_rtt: float) -> str:
    """Write the dialer's result in the form of the generation; both times in milliseconds."""
    if unified:
        return (
            f"latency:\n  handshake_plus_one_rtt: {handshake_plus_one_rtt:.3f}\n  ping_rtt: {ping_rtt:.3f}\n  unit: ms"
        )
    # The second name is misspelt in the contract itself.
    return json.dumps(
        {"handshakePlusOneRTTMillis": round(handshake_plus_one_rtt, 3), "pingRTTMilllis": round(ping_rtt, 3)}
    )


# --- Redis ------------------------------------------------------------------------------------------------


def connect_store(settings: Settings) -> redis.Redis:
    """Connect Redis, which may still be starting; only the clock ends the attempts."""
    log(f"connecting Redis at {settings.redis_host}:{settings.redis_port}")
    store = redis.Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        password=settings.redis_password,
        decode_responses=True,
        socket_timeout=None,
    )
    while True:
        with suppress(redis.ConnectionError):
            store.ping()
            return store
        time.sleep(0.1)


def pop_address(store: redis.Redis, key: str) -> str:
    """Wait for the listener's address, without an end of its own: there is one clock for everything."""
    log(f"waiting for an address under {key}")
    while True:
        reply = store.blpop([key])
        if reply:
            address = str(reply[1]).strip()
            if not address.startswith("/"):
                raise ValueError(f"the listener published {address!r}, which is no multiaddr")
            return address


def reachable_ip(settings: Settings) -> str:
    """Tell which of this host's addresses the other side can reach: the one on the network of Redis."""
    if settings.ip != "0.0.0.0":  # noqa: S104
        return settings.ip
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        # Nothing is sent: connecting a datagram socket only chooses its local address.
        probe.connect((settings.redis_host, settings.redis_port))
        return str(probe.getsockname()[0])


# --- a life -----------------------------------------------------------------------------------------------


# Held while a line is written, and by the thread that ends the process until it has ended: the reason is the last line.
LINES = threading.RLock()


def log(line: str) -> None:
    with LINES:
        print(line, file=sys.stderr, flush=True)


def leave(code: int, reason: str = "") -> NoReturn:
    """End the process here and now: nothing the library still holds or does can keep it."""
    # Somebody may hold it who cannot write, so nobody waits for it long.
    LINES.acquire(timeout=1)
    if reason:
        print(reason, file=sys.stderr, flush=True)
    os._exit(code)


def start_timer(after: float, code: int, reason: str = "") -> None:
    """End the process in so many seconds, from a thread, whatever the main one is waiting for."""
    timer = threading.Timer(after, leave, (code, reason))
    timer.daemon = True
    timer.start()


def running_for() -> float:
    """Tell for how many seconds this process has run: importing a large library takes part of the time limit too."""
    stat = Path("/proc/self/stat")
    if not stat.exists():  # not Linux, so not in a container either
        return 0.0
    # The program's name, in parentheses, may hold anything; start time is the twentieth field behind it.
    started = int(stat.read_text().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)


def claim_stdout() -> TextIO:
    """Keep standard output for the result: what libraries and children write there goes to standard error."""
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return output


def describe(error: BaseException) -> str:
    """Put an exception on one line; a group is opened."""
    inner = getattr(error, "exceptions", None)
    if isinstance(inner, (list, tuple)) and inner:
        return "; ".join(map(describe, inner))
    return f"{type(error).__name__}: {error}".replace("\n", " ")


def main(
    listen: Callable[[Listening], None],
    dial: Callable[[Dialing], None],
    *,
    transports: Sequence[str],
    secure_channels: Sequence[str],
    muxers: Sequence[str],
) -> NoReturn:
    """Play the role that the environment asks for."""
    try:
        settings = read_settings(os.environ, transports, secure_channels, muxers)
    except ValueError as error:
        leave(1, str(error))
    role = settings.role
    function = dial if role == "dialer" else listen
    if hasattr(function, "not_written"):
        leave(1, f"{function.__name__}() is not written yet: write it in ping.py, then delete its @not_written")

    start_timer(max(0.0, settings.timeout - running_for()), 1, f"{role} timed out after {settings.timeout:g} s")
    # Only a listener is done when it is told to stop.
    signal.signal(signal.SIGTERM, lambda *_: leave(0 if role == "listener" else 128 + signal.SIGTERM))
    output = claim_stdout()
    reported = threading.Event()
    try:
        store = connect_store(settings)
        if role == "listener":
            ip = reachable_ip(settings)
            listen(Listening(settings.stack, settings.debug, settings.ip, ip, store, settings.key))
        else:
            address = pop_address(store, settings.key)
            log(f"dialing {address}")
            dial(Dialing(settings.stack, settings.debug, address, settings.unified, output, reported))
    except BaseException as error:
        if not reported.is_set():
            traceback.print_exc()
            leave(1, f"{role} failed: {describe(error)}")
    if reported.is_set():
        leave(0)
    leave(1, "dial() returned without report()" if role == "dialer" else "listen() returned, it has to stay")
