"""What the two sides of a case may do in the Redis where they meet, and what the runner alone may.

Existing images send no password, so they are Redis's user `default`. A server outlives a case: a peer that may set
something there, or shut it down, decides what becomes of the cases after its own. So that user may do what the
container contract needs, and what client libraries send by themselves when they connect, and nothing else.
"""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["BOUNDS", "OPTIONAL", "RUNNER", "participant_rules", "runner_rules"]

# The name of the user that the runner logs in as.
RUNNER: Final = "runner"

# All of them known to Redis since 6.2: a server does not start with a command that it does not know. Leaving (QUIT),
# introducing oneself and logging in are allowed anyway.
_LISTS: Final = (
    "blmove blpop brpop brpoplpush lindex linsert llen lmove lpop lpos lpush lpushx lrange lrem lset ltrim rpop"
    " rpoplpush rpush rpushx"
)
_STRINGS: Final = "append decr get getdel getex getset incr incrby mget mset psetex set setex setnx strlen"
_KEYS: Final = "dbsize del exists expire expireat keys persist pexpire pttl scan touch ttl type unlink"
_CONNECTIONS: Final = (
    "auth client|getname client|id client|setname command echo hello info ping reset select time"
    " discard exec multi unwatch watch psubscribe publish punsubscribe subscribe unsubscribe"
)
# Sent by libraries that know it, where the server does.
OPTIONAL: Final = ("client|setinfo",)

# A value that is a megabyte long is no address. What is beyond these is refused, and what cannot be
# refused ends with the server's container or process, which has a limit of its own.
BOUNDS: Final = {
    "maxmemory": "64mb",
    "maxmemory-policy": "noeviction",
    "proto-max-bulk-len": "1mb",
    "client-query-buffer-limit": "1mb",
    "maxclients": "256",
}


def participant_rules(password: str | None = None) -> list[str]:
    """What a case's sides may do, as `user default` of a Redis configuration.

    :param password: what they are asked for; None where the server is out of everybody else's reach
    """
    commands = " ".join((_LISTS, _STRINGS, _KEYS, _CONNECTIONS)).split()
    return ["default", "on", _secret(password), "~*", "&*", "-@all", *(f"+{command}" for command in commands)]


def runner_rules(password: str) -> list[str]:
    """The same for the user that the runner logs in as, who may do everything."""
    return [RUNNER, "on", _secret(password), "~*", "&*", "+@all"]


def _secret(password: str | None) -> str:
    """Command lines and containers' settings can be read by others: a long random word is safe as its hash."""
    return "nopass" if password is None else f"#{hashlib.sha256(password.encode()).hexdigest()}"
