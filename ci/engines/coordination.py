"""The place where both sides of a case meet: a Redis of their own, watched without touching what lies there.

A dialer usually waits in BLPOP before the listener pushes, and Redis then hands the value over at once: it is
never visible in the list. So the runner reads Redis's own MONITOR stream, which shows every command whether or
not its value was there to be seen a moment later.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from typing_extensions import Self

from ci.engines.redis_rights import OPTIONAL
from ci.errors import EngineError

if TYPE_CHECKING:
    from ci.spec.attempt import Address, Bridge

__all__ = ["Asked", "CoordinationLost", "Published", "RedisCoordinator", "parse_monitor_line"]

# What a key of Redis holds, as far as it matters here.
Kind: TypeAlias = Literal["list", "string"]

# The client may be `1.2.3.4:5`, `[::1]:5`, `unix:/path` or `lua`: what follows it always begins with a quote.
LINE: Final = re.compile(rb'^[\d.]+ \[\d+ .*?\] (?P<words>".*)$', re.DOTALL)
LONGEST_LINE: Final = 1 << 16
WORD: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPE: Final = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)", re.DOTALL)
ESCAPES: Final = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"a": b"\a", b"b": b"\b"}

# The commands that put a value there, and what is there afterwards.
PUBLISHES: Final[dict[str, Kind]] = {"RPUSH": "list", "LPUSH": "list", "SET": "string"}
# The commands that ask for one, and what they take; those in WAITS do so until there is something.
ASKS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("BLPOP", "BRPOP", "BLMOVE", "LPOP", "RPOP", "LMOVE", "LRANGE", "LINDEX"), "list"),
    "GET": "string",
}
WAITS: Final = frozenset({"BLPOP", "BRPOP", "BLMOVE"})


@dataclass(frozen=True)
class Published:
    """Somebody put values under `key`, by this command of Redis."""

    key: str
    values: tuple[str, ...]
    command: str = "RPUSH"

    @property
    def kind(self) -> Kind:
        """What lies there now: a client that asks for the other kind is refused (`WRONGTYPE`)."""
        return PUBLISHES[self.command]


@dataclass(frozen=True)
class Asked:
    """Somebody asked for what lies under `key`, by this command of Redis."""

    key: str
    command: str = "BLPOP"

    @property
    def kind(self) -> Kind:
        """What the command can be given."""
        return ASKS[self.command]

    @property
    def waits(self) -> bool:
        """Whether the answer may come later: what is published after this still reaches the client that asked."""
        return self.command in WAITS


@dataclass(frozen=True)
class CoordinationLost:
    """Redis went away in the middle of a case."""

    why: str


Observer = Callable[["Published | Asked | CoordinationLost"], None]


def parse_monitor_line(line: bytes) -> tuple[str, ...]:
    """The words of one command as MONITOR prints it; empty where the line is not a command."""
    if len(line) > LONGEST_LINE:
        # Taking megabytes apart would leave the runner behind what happens: of such a value the beginning will do.
        line = line[:LONGEST_LINE].rstrip(b"\\") + b'"'
    match = LINE.match(line)
    if match is None:
        return ()
    return tuple(_unescape(word).decode(errors="replace") for word in WORD.findall(match["words"]))


def _unescape(word: bytes) -> bytes:
    def one(match: re.Match[bytes]) -> bytes:
        escape: bytes = match[1]
        return bytes([int(escape[1:], 16)]) if len(escape) == 3 else ESCAPES.get(escape, escape)

    return ESCAPE.sub(one, word)


class RedisCoordinator:
    """A Redis that belongs to one worker. Use as a context manager; `begin` before each case.

    :param address: where the runner reaches it
    :param username: the runner's own, where cases are somebody else there
    :param patience: seconds Redis may take to answer the first PING
    """

    def __init__(
        self, address: Address, *, username: str | None = None, password: str | None = None, patience: float = 15.0
    ) -> None:
        self._address = address
        self._username = username
        self._connect: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "username": username,
            "password": password,
            # redis-py tries again for seconds by itself: too slow to wait for a start, too late to notice an end.
            "retry": Retry(NoBackoff(), 0),
        }
        self._patience = patience
        self._observer: Observer | None = None
        self._bridge: Bridge | None = None
        self._synced = threading.Event()
        self._token = ""
        self._closed = False
        self._blind: str | None = None

    def __enter__(self) -> Self:
        self._await_ping()
        self._client: Any = redis.Redis(**self._connect, socket_timeout=10, protocol=2)
        connection: Any = redis.Connection  # redis-py leaves its connections untyped
        self._monitor = connection(**self._connect, socket_timeout=None, protocol=2)
        try:
            if self._username is not None:
                for command in OPTIONAL:
                    self._if_known("ACL", "SETUSER", "default", f"+{command}")
            self._monitor.connect()
            self._monitor.send_command("MONITOR")
            self._monitor.read_response()
            self._settings, _ = self._look()
        except redis.RedisError as error:
            self._monitor.disconnect()
            self._client.close()
            raise self._lost(error) from error
        self._thread = threading.Thread(target=self._watch, name=f"redis-{self._address.port}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed = True
        self._observer = None
        # Only shutting the socket down wakes a thread that reads from it.
        self._monitor.disconnect()
        # The thread may be carrying a value over, through the client: that is closed when it has ended.
        self._thread.join(timeout=5)
        self._client.close()

    def begin(self, observer: Observer, *, bridge: Bridge | None = None) -> None:
        """Empty the keyspace and report what happens from here on to `observer`, from another thread.

        :raises EngineError: Redis does not answer
        """
        self._observer = None
        try:
            self._client.flushall()
        except redis.RedisError as error:
            raise self._lost(error) from error
        # Whatever MONITOR still has to say about the case before this one must not be told to this one.
        self.sync()
        self._bridge = bridge
        self._observer = observer

    def sync(self) -> None:
        """Return once everything Redis was asked so far has been reported.

        :raises EngineError: Redis does not answer, or nothing is reported any more
        """
        self._token = secrets.token_hex(8)
        self._synced.clear()
        try:
            self._client.echo(self._token)
        except redis.RedisError as error:
            raise self._lost(error) from error
        if self._blind is None and not self._synced.wait(self._patience):
            raise self._lost("its MONITOR stream is silent")
        if self._blind is not None:
            raise self._lost(self._blind)

    def push(self, key: str, *values: str) -> None:
        """Publish something in a listener's place.

        :raises EngineError: Redis does not answer
        """
        try:
            self._client.rpush(key, *values)
        except redis.RedisError as error:
            raise self._lost(error) from error

    def end(self) -> None:
        """Stop reporting."""
        self._observer = None

    def change(self) -> str | None:
        """What a case has changed that a flush does not undo, in words; None where all is as it was at the start.

        Clients still connected as another user are disconnected: no case is under way.

        :raises EngineError: Redis does not answer
        """
        try:
            now, clients = self._look()
            for client in clients if self._username else ():
                if client["user"] != self._username:
                    self._client.client_kill_filter(_id=client["id"])
        except redis.RedisError as error:
            raise self._lost(error) from error
        changed = [name for name, found in now.items() if found != self._settings[name]]
        return f"its {' and '.join(changed)} are not what they were" if changed else None

    def _look(self) -> tuple[dict[str, object], list[dict[str, str]]]:
        """Everything that one client can set for others, by what it is called; and who is connected.

        In one round trip: it is done between all cases.
        """
        with self._client.pipeline(transaction=False) as asked:
            asked.config_get("*")
            asked.acl_list()
            asked.execute_command("ROLE")
            asked.module_list()
            asked.client_list()
            asked.execute_command("FUNCTION", "LIST")
            *known, functions = asked.execute(raise_on_error=False)
        for answer in known:
            if isinstance(answer, redis.RedisError):
                raise answer
        if isinstance(functions, redis.ResponseError):
            functions = None  # of a server that is too old to know them
        settings, users, role, modules, clients = known
        found = {"settings": settings, "users": users, "role": role[0], "modules": modules, "functions": functions}
        return found, clients

    def _if_known(self, *words: str) -> object:
        """The answer to a command; None from a server that is too old to know it."""
        try:
            return self._client.execute_command(*words)
        except redis.ResponseError:
            return None

    def _await_ping(self) -> None:
        """Wait until PING is answered; some applications connect exactly once (contract, T1)."""
        until = time.monotonic() + self._patience
        while True:
            try:
                with redis.Redis(**self._connect, socket_timeout=1, protocol=2) as client:
                    client.ping()
            except redis.RedisError as error:
                if time.monotonic() > until:
                    raise self._lost(error) from error
                time.sleep(0.02)
            else:
                return

    def _lost(self, error: object) -> EngineError:
        return EngineError(
            "redis-lost",
            f"Redis at {self._address} does not answer: {error}",
            why="its container or process died, or the host is out of memory",
            hint="run the same command again: finished cases are kept",
        )

    def _watch(self) -> None:
        try:
            while not self._closed:
                line = self._monitor.read_response(disable_decoding=True)
                if isinstance(line, bytes):
                    self._read(parse_monitor_line(line))
        except Exception as error:
            # A socket closed by __exit__ surfaces in many ways, depending on where the reader stood; and whatever
            # else it is, a case that nobody watches any more must not wait out its deadline.
            self._blind = str(error) or repr(error)
            self._synced.set()
            # An observer that cannot take even this is told by the next `sync`.
            with contextlib.suppress(Exception):
                self._tell(CoordinationLost(self._blind))

    def _read(self, words: tuple[str, ...]) -> None:
        if len(words) < 2:
            return
        command, key, values = words[0].upper(), words[1], words[2:]
        if command == "ECHO" and key == self._token:
            self._synced.set()
        elif command in PUBLISHES:
            values = values[:1] if command == "SET" else values
            bridge = self._bridge
            if bridge is not None and key == bridge.target:
                return  # our own, already reported when it came to the source
            self._tell(Published(key, values, command))
            if bridge is not None and key == bridge.source and self._observer is not None:
                self._carry(command, bridge.target, values)
        elif command in ASKS:
            # The commands that wait may name several keys, and end with how long.
            for asked in words[1:-1] if command in ("BLPOP", "BRPOP") else (key,):
                self._tell(Asked(asked, command))

    def _carry(self, command: str, target: str, values: tuple[str, ...]) -> None:
        """By the listener's own command: the dialer meets what it would meet without a bridge, mistakes included."""
        try:
            self._client.execute_command(command, target, *values)
        except redis.RedisError as error:
            self._tell(CoordinationLost(str(error)))

    def _tell(self, event: Published | Asked | CoordinationLost) -> None:
        observer = self._observer
        if observer is not None:
            observer(event)
