from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import fields, replace
from record_strategies import attempts, records, unhurried

from ci.errors import ConfigurationError
from ci.model import Outcome, Reason, ReasonCode
from ci.results.record_lines import LINE_LIMIT, REASON_LIMIT, from_json, from_line, to_json, to_line
from ci.results.records import (
    Attempt,
    EvidenceFile,
    Record,
    RoleRecord,
    RunStart,
    attempt_for,
    shard_numbers,
    timestamp,
)
from ci.suites.transport.words import Stack
from ci.util.text import byte_length

PLAN = "sha256:" + "0" * 64
START = RunStart(run="r1", plan=PLAN, shard="3/8", tool_version="0.1.0")
CASE = Stack("tcp", "noise", "yamux").case("go-v0.51", "js-v3.3")
ATTEMPT = attempt_for(START, CASE, Outcome.PASSED)


def read_back(record: Record) -> Record:
    return from_line(to_line(record))


@unhurried
@given(records)
def test_a_line_reads_back_as_what_was_written(record: Record) -> None:
    line = to_line(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert len(line) <= LINE_LIMIT
    assert from_line(line) == record


@unhurried
@given(records)
def test_unknown_keys_are_ignored(record: Record) -> None:
    document = to_json(record)
    document["somethingNew"] = {"nested": [1, None]}
    assert from_json(document) == record


@unhurried
@given(attempts)
def test_one_record_has_one_form(attempt: Attempt) -> None:
    assert to_json(from_json(to_json(attempt))) == to_json(attempt)


def test_an_attempt_needs_only_a_run_and_a_case() -> None:
    assert (ATTEMPT.case, ATTEMPT.key, ATTEMPT.params) == (CASE.name, CASE.key, CASE.named_params)
    assert ATTEMPT.reference == f"r1/{CASE.key}/1"
    assert read_back(ATTEMPT) == ATTEMPT


def test_never_attempted_is_a_record_too() -> None:
    reason = Reason(code=ReasonCode.PLANNED_OUT, text="the image cannot be pulled", side="listener")
    never = attempt_for(START, CASE, Outcome.NOT_RUN, reason)
    assert read_back(never) == never
    assert never.started_at is None


@unhurried
@given(records)
def test_every_key_is_always_there(record: Record) -> None:
    """A consumer may index; only the values are null or empty."""
    assert set(to_json(record)) == {"type", *(field.encode_name for field in fields(record))}


# --- what does not fit ------------------------------------------------------------------------------------


def test_a_long_reason_is_cut_with_a_mark() -> None:
    reason = Reason(code=ReasonCode.DIALER_EXIT, text="é" * 5000)
    back = read_back(replace(ATTEMPT, reason=reason))
    assert isinstance(back, Attempt)
    assert back.reason is not None
    assert byte_length(back.reason.text) <= REASON_LIMIT
    assert "bytes left out]" in back.reason.text
    assert read_back(back) == back


@pytest.mark.parametrize(
    "huge",
    [
        {"warnings": ("\x00" * 9000,) * 40},
        {"published": tuple("/ip4/1.2.3.4/tcp/1" * 50 for _ in range(400))},
        {"warnings": tuple(f"warning {n}" for n in range(9000))},
        {"host": {"cpu": "x" * 90_000}},
        {"engine": {"\ud800": ["y" * 40_000]}, "limits": {"z": "z" * 40_000}},
        {"negotiated": {"muxer": "m" * 70_000}},
        {"metrics": {f"metric{n}": 1.5 for n in range(9000)}},
        {"repro": "python -m ci repro " + "'" * 60_000},
        {
            "evidence": tuple(
                EvidenceFile(role="dialer", stream="stdout", path=f"a/{n}.txt", size=1, sha256="0" * 64)
                for n in range(900)
            )
        },
    ],
    ids="+".join,
)
def test_a_huge_record_still_fits_in_a_line(huge: dict[str, Any]) -> None:
    line = to_line(replace(ATTEMPT, **huge))
    assert len(line) <= LINE_LIMIT
    back = from_line(line)
    assert isinstance(back, Attempt)
    assert (back.case, back.key, back.outcome) == (ATTEMPT.case, ATTEMPT.key, ATTEMPT.outcome)
    assert b"more" in line or b"trimmed" in line or "metrics" in huge


def test_names_that_cannot_fit_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not fit") as caught:
        to_line(replace(ATTEMPT, case="x" * LINE_LIMIT))
    assert caught.value.reference == "record-too-long"


def test_what_json_lacks_is_left_out_and_said() -> None:
    odd = replace(ATTEMPT, metrics={"ping": float("nan"), "dial": 1.5, "rtt": 2**64}, host={"load": float("inf")})
    back = read_back(odd)
    assert isinstance(back, Attempt)
    assert back.metrics == {"dial": 1.5}
    assert back.warnings == ("metric ping was nan and is left out", f"metric rtt was {2**64} and is left out")
    assert back.host == {"load": "inf"}


# --- what is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"attempt": "1"}, "Expected `int`, got `str` - at `$.attempt`"),
        ({"attempt": True}, "Expected `int`, got `bool` - at `$.attempt`"),
        ({"attempt": 0}, "Expected `int` >= 1 - at `$.attempt`"),
        ({"run": None}, "Expected `str`, got `null` - at `$.run`"),
        ({"outcome": "success"}, "Invalid enum value 'success' - at `$.outcome`"),
        ({"kind": "again"}, "Invalid enum value 'again' - at `$.kind`"),
        ({"reason": {"code": "moon", "text": ""}}, "Invalid enum value 'moon' - at `$.reason.code`"),
        ({"reason": {"code": "bug", "text": "", "side": "\x1b[2J"}}, "at `$.reason.side`"),
        ({"reason": []}, "got `array` - at `$.reason`"),
        ({"roles": {"no role": {}}}, "at `key` in `$.roles`"),
        ({"roles": {"dialer": {"version": "v"}}}, "missing required field `family` - at `$.roles[...]`"),
        ({"metrics": {"ping": "7"}}, "Expected `int | float`, got `str` - at `$.metrics[...]`"),
        ({"metrics": {"ping": 10**400}}, "- at `$.metrics[...]`"),
        ({"published": [1]}, "Expected `str`, got `int` - at `$.published[0]`"),
        ({"negotiated": {"muxer": 1}}, "Expected `str`, got `int` - at `$.negotiated[...]`"),
        ({"startedAt": "2026-11-21 10:30"}, "- at `$.startedAt`"),
        ({"params": {}}, "`params` has neither a transport nor a test case"),
        ({"suite": "no suite"}, "at `$.suite`"),
        ({"shard": "9/8"}, "'9/8' does not name a shard"),
        ({"evidence": [{"role": "dialer"}]}, "missing required field `stream` - at `$.evidence[0]`"),
        ({"type": "atempt"}, "Invalid value 'atempt' - at `$.type`"),
    ],
)
def test_a_wrong_type_is_named(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_json({**to_json(ATTEMPT), **change})
    assert complaint in str(caught.value)


@pytest.mark.parametrize("line", [b"", b"{", b"[]", b"null", b'{"type":"attempt"}', b"[" * 100_000, b"\xff\xfe"])
def test_a_line_that_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        from_line(line)
    assert caught.value.reference == "record-malformed"


def test_another_format_is_refused_by_number() -> None:
    with pytest.raises(ConfigurationError, match="format 2") as caught:
        from_json({**to_json(START), "schema": 2})
    assert caught.value.reference == "record-schema"


def test_nan_is_no_json() -> None:
    line = json.dumps({**to_json(ATTEMPT), "metrics": {"ping": float("nan")}}).encode()
    with pytest.raises(ConfigurationError, match="NaN is not a JSON value"):
        from_line(line)


# --- small things -----------------------------------------------------------------------------------------


def test_timestamps_are_utc_whatever_the_zone() -> None:
    moment = datetime(2026, 11, 21, 12, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert timestamp(moment) == "2026-11-21T10:30:00.123Z"
    assert timestamp().endswith("Z")


@pytest.mark.parametrize(("shard", "numbers"), [("1/1", (1, 1)), ("3/8", (3, 8)), ("40/40", (40, 40))])
def test_shard_numbers(shard: str, numbers: tuple[int, int]) -> None:
    assert shard_numbers(shard) == numbers


@pytest.mark.parametrize("shard", ["", "0/8", "9/8", "1/0", "3-8", "a/b", " 1/2", "1/2\n", "1/9999999", "１/2"])
def test_what_names_no_shard(shard: str) -> None:
    with pytest.raises(ConfigurationError, match="does not name a shard"):
        shard_numbers(shard)


def test_records_say_what_ran() -> None:
    ran = RoleRecord(version="go-v0.51", family="go", image_digest=PLAN, exit_code=139, signal=11)
    document = to_json(replace(ATTEMPT, roles={"dialer": ran}))
    assert document["roles"]["dialer"] == {
        "version": "go-v0.51",
        "family": "go",
        "imageDigest": PLAN,
        "buildKey": None,
        "exit": 139,
        "signal": 11,
        "oom": False,
    }
