"""Which cases a suite has."""

from __future__ import annotations

from collections.abc import Sequence

from ci.model import TEST_CASES, Case, Exercise, SuiteName, Version
from ci.suites.transport.cases import cases as transport_cases

__all__ = ["matrix"]


def matrix(suite: SuiteName, versions: Sequence[Version]) -> tuple[Case, ...]:
    """All cases of a suite, in a fixed order that nothing but the versions has a say in.

    Over a simulated network these are all clients × all servers × all test cases of the suite: what an endpoint does
    not do it says itself, by its exit code (quic-interop contract, section 1.7).

    :param versions: those that take part in the suite
    """
    if suite == "transport":
        return transport_cases(versions)
    clients = sorted(version.id for version in versions if version.part != "server")
    servers = sorted(version.id for version in versions if version.part != "client")
    return tuple(
        Case(client, server, Exercise(suite, name))
        for name in TEST_CASES[suite]
        for client in clients
        for server in servers
    )
