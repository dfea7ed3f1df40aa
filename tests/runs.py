"""Runs made for tests: a plan, shards written by the real writer, and merged results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from ci.model import Case, Outcome, Reason, ReasonCode
from ci.results.aggregate import aggregate_attempts
from ci.results.merged import Merged, MergedCase
from ci.results.merged_file import merged_lines
from ci.results.records import Attempt, RunStart, attempt_for, with_proof
from ci.results.shard_file import ResultsWriter
from ci.suites.transport.words import TRANSPORT, Stack

PLAN: Final = "sha256:" + "a" * 64
PASSED: Final = Outcome.PASSED
FAILED: Final = Outcome.FAILED
YAMUX: Final = Stack("tcp", "noise", "yamux")
QUIC: Final = Stack("quic-v1")
RED: Final = Reason(code=ReasonCode.DIALER_EXIT, text="dialer exited 1 after 12 ms", side="dialer")
PLANNED_OUT: Final = Reason(code=ReasonCode.PLANNED_OUT, text="image cannot be pulled", side="harness")


def start(shard: str = "1/1", **fields: Any) -> RunStart:
    return replace(RunStart(run="r1", plan=PLAN, shard=shard, tool_version="0.1.0"), **fields)


def attempt(
    case: Case,
    outcome: Outcome = PASSED,
    reason: Reason | None = None,
    *,
    of: RunStart | None = None,
    **fields: Any,
) -> Attempt:
    if outcome is PASSED and "metrics" not in fields:
        fields["metrics"] = {"handshakePlusOneRTTMillis": 12.5, "pingRTTMilllis": 0.5}
    if outcome is PASSED and "negotiated" not in fields and case.suite.negotiated:
        fields["negotiated"] = Stack.of(case).layers
    if reason is None and outcome in (FAILED, Outcome.TIMED_OUT):
        reason = RED
    return with_proof(replace(attempt_for(of or start(), case, outcome, reason), **fields), case.suite)


def plan_of(cases: Sequence[Case], ignored: Iterable[Case] = (), plan: str = PLAN) -> dict[str, Any]:
    rows = [(case, True) for case in cases] + [(case, False) for case in ignored]
    return {
        "schema": 1,
        "plan": plan,
        "cases": [
            {
                "name": case.name,
                "key": case.key,
                **case.versions,
                **case.named_params,
                "selected": selected,
                "why": "no --select was given",
                "seconds": 1.5,
            }
            for case, selected in rows
        ],
    }


def write_shard(
    folder: Path,
    attempts: Iterable[Attempt],
    *,
    begin: RunStart,
    plan: Mapping[str, Any] | None = None,
    ends: bool = True,
) -> Path:
    attempts = tuple(attempts)
    with ResultsWriter(folder, begin) as writer:
        for one in attempts:
            writer.append(replace(one, run=begin.run, plan=begin.plan, shard=begin.shard))
        if ends:
            cases = len({one.key for one in attempts})
            writer.finish(cases, cases)
    if plan is not None:
        (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    return folder


def bytes_of(merged: Merged) -> bytes:
    """The file that it is written as."""
    return b"".join(merged_lines(merged))


def merged_of(attempts: Mapping[Case, Sequence[Attempt]]) -> Merged:
    """Merged results with the given attempts at each case, in that order."""
    cases = []
    for case, tried in attempts.items():
        result = aggregate_attempts(tried)
        assert result is not None
        cases.append(
            MergedCase(
                case=case,
                result=result,
                attempts=tuple(tried),
            )
        )
    return Merged(plan=PLAN, suite=cases[0].case.suite if cases else TRANSPORT, cases=tuple(cases))
