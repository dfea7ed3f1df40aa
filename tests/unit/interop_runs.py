"""Runs of the suites over a simulated network, made for tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from runs import PLAN, PLANNED_OUT, attempt, merged_of

from ci.model import Case, Outcome, Reason, ReasonCode
from ci.results.merged import Merged, MergedShard, ShardState
from ci.results.records import Attempt, RoleRecord
from ci.suites.registry import SUITES

REASONS: Final = {
    Outcome.PASSED: None,
    Outcome.FAILED: Reason(code=ReasonCode.WRONG_TRAFFIC, text="no Retry packet", side="server"),
    Outcome.TIMED_OUT: Reason(code=ReasonCode.EXCHANGING, text="not finished after 60 s"),
    Outcome.UNSUPPORTED: Reason(code=ReasonCode.EXIT_127, text="exit code 127 of server", side="server"),
    Outcome.NOT_RUN: PLANNED_OUT,
    Outcome.ERROR: Reason(code=ReasonCode.SIMULATOR, text="the simulator died", side="harness"),
}
NOT_COMPLIANT: Final = Reason(code=ReasonCode.NOT_COMPLIANT, text="c-v1 exits 0 when asked", side="client")


def case(client: str, server: str, test: str, suite: str = "quic") -> Case:
    return SUITES[suite].words.case(client, server, test)


def tried(one: Case, outcome: Outcome, **fields: Any) -> Attempt:
    """An attempt with the reason that goes with its outcome; without metrics, unless given."""
    fields.setdefault("metrics", {})
    return attempt(one, outcome, fields.pop("reason", REASONS[outcome]), **fields)


def run_of(attempts: Mapping[Case, Sequence[Attempt]], **fields: Any) -> Merged:
    merged = merged_of(attempts)
    suite = merged.cases[0].case.suite if merged.cases else SUITES["quic"].words
    return dataclasses.replace(merged, suite=suite, **fields)


def outcomes(cells: Mapping[tuple[str, str, str], Outcome], suite: str = "quic") -> Merged:
    """One attempt per (client, server, test case)."""
    return run_of({one: [tried(one, outcome)] for key, outcome in cells.items() if (one := case(*key, suite))})


def mixed_run() -> Merged:
    """Every sign and mark, a measurement of each kind, versions without a result, shards that are not whole."""
    cells: dict[Case, list[Attempt]] = {}

    def put(client: str, server: str, test: str, outcome: Outcome, **fields: Any) -> None:
        one = case(client, server, test)
        roles = {
            "client": RoleRecord(version=client, family="f", image_digest=f"sha256:{client}"),
            "server": RoleRecord(version=server, family="f", image_digest=f"sha256:{server}"),
            "simulator": RoleRecord(version="simulator", family="simulator", image_digest="sha256:sim"),
        }
        ran = outcome is not Outcome.NOT_RUN
        fields.setdefault("durations", {"total": 1500.0} if ran else {})
        fields.setdefault("started_at", "2026-11-21T10:00:00.000Z" if ran else None)
        cells.setdefault(one, []).append(tried(one, outcome, roles=roles if ran else {}, **fields))

    kbps = {"kbps": 9123.4, "kbpsDeviation": 45.4, "kbps1": 9100.0}
    # a does everything; b has no Retry; s is a server only, and nobody gets version 2 from it.
    put("a-v10", "a-v10", "handshake", Outcome.PASSED)
    put("a-v10", "a-v10", "retry", Outcome.PASSED)
    put("a-v10", "a-v10", "v2", Outcome.PASSED)
    put("a-v10", "a-v10", "goodput", Outcome.PASSED, metrics=kbps)
    put("a-v10", "b-v9", "handshake", Outcome.FAILED)
    put("a-v10", "b-v9", "handshake", Outcome.PASSED, attempt=2, kind="retry", started_at="2026-11-21T10:00:02.500Z")
    put("a-v10", "b-v9", "retry", Outcome.FAILED)
    put("a-v10", "b-v9", "v2", Outcome.ERROR)
    put("a-v10", "b-v9", "goodput", Outcome.FAILED)
    put("a-v10", "s-v1", "handshake", Outcome.TIMED_OUT)
    put("a-v10", "s-v1", "retry", Outcome.UNSUPPORTED)
    put("a-v10", "s-v1", "v2", Outcome.FAILED)
    put("a-v10", "s-v1", "goodput", Outcome.UNSUPPORTED)
    put("b-v9", "a-v10", "handshake", Outcome.PASSED)
    put("b-v9", "a-v10", "retry", Outcome.PASSED)
    put("b-v9", "a-v10", "v2", Outcome.PASSED)
    put("b-v9", "a-v10", "goodput", Outcome.FAILED)
    put("b-v9", "a-v10", "goodput", Outcome.PASSED, metrics=kbps, attempt=2, kind="retry")
    put("b-v9", "b-v9", "handshake", Outcome.PASSED)
    put("b-v9", "b-v9", "retry", Outcome.TIMED_OUT)
    put("b-v9", "b-v9", "v2", Outcome.PASSED)
    put("b-v9", "b-v9", "goodput", Outcome.ERROR)
    put("b-v9", "s-v1", "handshake", Outcome.PASSED)
    put("b-v9", "s-v1", "retry", Outcome.FAILED)
    put("b-v9", "s-v1", "v2", Outcome.UNSUPPORTED)
    for client, server in (("chrome-v1", "a-v10"), ("chrome-v1", "kwik-v1"), ("a-v10", "kwik-v1")):
        put(client, server, "handshake", Outcome.NOT_RUN)
    for server in ("a-v10", "b-v9"):
        put("c-v1", server, "handshake", Outcome.NOT_RUN, reason=NOT_COMPLIANT)
    shards = (
        MergedShard(shard="1/3", state=ShardState.COMPLETE, run="nightly"),
        MergedShard(shard="2/3", state=ShardState.MISSING),
        MergedShard(shard="3/3", state=ShardState.TRUNCATED, run="nightly"),
    )
    merged = run_of(cells, shards=shards)
    assert merged.plan == PLAN
    return merged
