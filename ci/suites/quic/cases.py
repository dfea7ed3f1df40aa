"""Which cases a suite over a simulated network has: all clients × all servers × all of its test cases.

What an endpoint does not do it says itself, by its exit code (quic-interop contract, section 1.7).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci.model import Case, SuiteWords, Version

__all__ = ["cases", "shown_by", "why_excluded"]


def cases(suite: SuiteWords, versions: Sequence[Version]) -> tuple[Case, ...]:
    """All of them, in the order of the test cases, then of client and server."""
    clients = sorted(version.id for version in versions if version.part != "server")
    servers = sorted(version.id for version in versions if version.part != "client")
    return tuple(
        suite.case(client, server, name) for name in suite.params[0].words for client in clients for server in servers
    )


def shown_by(case: Case) -> Iterable[Hashable]:
    """What a version can do it shows with any peer: that each meets each is worth one case more."""
    yield case.pair
    yield (case.first, "client", case.params)
    yield (case.second, "server", case.params)


def why_excluded(client: Version, server: Version, words: Sequence[str]) -> Iterator[str]:
    """Why these two do not meet in a case of these words."""
    if len(words) != 1:
        yield "a case is of one test case, whose name stands alone in the brackets"
        return
    if client.part == "server":
        yield f"{client.id} is a server only"
    if server.part == "client":
        yield f"{server.id} is a client only"
