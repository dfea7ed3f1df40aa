"""Records of `ci.results.records` as JSON documents and back; JSON names are in camelCase.

Every key is written. Reading ignores unknown keys and `proof`, which follows from the others, takes absent optional
ones as empty, refuses wrong types.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from typing import Final, cast, get_args

from typing_extensions import assert_never

from ci.errors import ConfigurationError
from ci.model import Outcome, Reason, ReasonCode, Role, Side
from ci.results.case_json import params_from_json, params_to_json, suite_from_json
from ci.results.records import (
    KINDS,
    SCHEMA,
    Attempt,
    EvidenceFile,
    Kind,
    Record,
    Reused,
    RoleRecord,
    RunEnd,
    RunStart,
    shard_numbers,
)
from ci.results.signature import signature
from ci.util.json_fields import Fields, Json
from ci.util.text import clip_middle

__all__ = [
    "REASON_LIMIT",
    "attempt_from_json",
    "from_json",
    "reason_from_json",
    "reason_to_json",
    "to_json",
]

# Bytes of UTF-8 that a reason's text may have.
REASON_LIMIT: Final = 1024
_ROLES: Final = get_args(Role)
_SIDES: Final = (*_ROLES, "both", "harness", "unknown")
_STARTED_AT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


# --- writing ----------------------------------------------------------------------------------------------


def to_json(record: Record) -> dict[str, Json]:
    """The record as a JSON document; every key is present, `null` or empty where nothing is known."""
    if isinstance(record, Attempt):
        return _attempt(record)
    if isinstance(record, RunStart):
        return {
            "type": "start",
            "schema": record.schema,
            "run": record.run,
            "plan": record.plan,
            "shard": record.shard,
            "ciAttempt": record.ci_attempt,
            "toolVersion": record.tool_version,
            "host": dict(record.host),
        }
    if isinstance(record, RunEnd):
        return {"type": "end", "planned": record.planned, "reported": record.reported, "ok": record.ok}
    assert_never(record)


def _attempt(attempt: Attempt) -> dict[str, Json]:
    metrics, odd_metrics = _finite("metric", attempt.metrics)
    durations, odd_durations = _finite("duration", attempt.durations)
    return {
        "type": "attempt",
        "schema": attempt.schema,
        "run": attempt.run,
        "plan": attempt.plan,
        "shard": attempt.shard,
        "ciAttempt": attempt.ci_attempt,
        "case": attempt.case,
        "key": attempt.key,
        "suite": attempt.suite,
        "params": params_to_json(attempt.params),
        "roles": {role: _role(ran) for role, ran in attempt.roles.items()},
        "inputs": attempt.inputs,
        "attempt": attempt.attempt,
        "of": attempt.of,
        "kind": attempt.kind,
        "supersedes": attempt.supersedes,
        "outcome": attempt.outcome.value,
        "reason": None if attempt.reason is None else reason_to_json(attempt.reason),
        "startedAt": attempt.started_at,
        "durations": durations,
        "metrics": metrics,
        "negotiated": None if attempt.negotiated is None else dict(attempt.negotiated),
        "proof": None if attempt.proof is None else attempt.proof.value,
        "published": list(attempt.published),
        "warnings": [*attempt.warnings, *odd_metrics, *odd_durations],
        "engine": dict(attempt.engine),
        "host": dict(attempt.host),
        "evidence": [
            {
                "role": file.role,
                "stream": file.stream,
                "path": file.path,
                "bytes": file.size,
                "sha256": file.sha256,
                "truncated": file.truncated,
                "name": file.name,
            }
            for file in attempt.evidence
        ],
        "seed": attempt.seed,
        "limits": dict(attempt.limits),
        "repro": attempt.repro,
        "reused": None if attempt.reused is None else {"run": attempt.reused.run, "attempt": attempt.reused.attempt},
    }


def _role(ran: RoleRecord) -> dict[str, Json]:
    return {
        "version": ran.version,
        "family": ran.family,
        "imageDigest": ran.image_digest,
        "buildKey": ran.build_key,
        "exit": ran.exit_code,
        "signal": ran.signal,
        "oom": ran.oom,
    }


def reason_to_json(reason: Reason) -> dict[str, Json]:
    text = clip_middle(reason.text, REASON_LIMIT)
    return {
        "code": reason.code.value,
        "text": text,
        "side": reason.side,
        "phase": reason.phase,
        # Over the text as stored, so that a reader of the record comes to the same one.
        "signature": signature(text),
    }


def _finite(what: str, values: Mapping[str, float]) -> tuple[dict[str, float], list[str]]:
    """JSON has no infinities: such a measurement is left out, and a warning says so."""
    kept = {name: value for name, value in values.items() if math.isfinite(value)}
    return kept, [f"{what} {name} was {value} and is left out" for name, value in values.items() if name not in kept]


# --- reading ----------------------------------------------------------------------------------------------


def from_json(document: object) -> Record:
    """The record a JSON document stands for.

    :raises ConfigurationError: `record-malformed` if it is no record, `record-schema` if of another format
    """
    fields = Fields(document, "record")
    kind = fields.text("type")
    if kind == "attempt":
        return attempt_from_json(document)
    if kind == "start":
        fields.what = "start"
        return RunStart(
            schema=_schema(fields),
            run=fields.text("run"),
            plan=fields.text("plan"),
            shard=_shard(fields),
            ci_attempt=fields.integer_or("ciAttempt", 1, least=1),
            tool_version=fields.text("toolVersion"),
            host=fields.mapping("host"),
        )
    if kind == "end":
        fields.what = "end"
        return RunEnd(
            planned=fields.integer("planned", least=0),
            reported=fields.integer("reported", least=0),
            ok=fields.boolean("ok"),
        )
    raise fields.refusal("type", f"must be start, attempt or end, not {kind!r}")


def attempt_from_json(document: object) -> Attempt:
    """An attempt; errors as for `from_json`."""
    fields = Fields(document, "attempt")
    suite = suite_from_json(fields)
    return Attempt(
        schema=_schema(fields),
        # Interned because a run has a hundred thousand of these with the same few values.
        run=sys.intern(fields.text("run")),
        plan=sys.intern(fields.text("plan")),
        shard=sys.intern(_shard(fields)),
        ci_attempt=fields.integer_or("ciAttempt", 1, least=1),
        case=fields.text("case"),
        key=fields.text("key"),
        suite=suite,
        params=params_from_json(Fields(fields.mapping("params"), "attempt.params"), suite),
        roles={_role_name(name): _role_record(value, name) for name, value in fields.mapping("roles").items()},
        inputs=fields.optional_text("inputs"),
        attempt=fields.integer("attempt", least=1),
        of=fields.integer_or("of", 1, least=1),
        kind=fields.word("kind", _kind),
        supersedes=fields.optional_text("supersedes"),
        outcome=fields.word("outcome", Outcome),
        reason=fields.optional("reason", reason_from_json),
        started_at=_started_at(fields),
        durations=fields.numbers("durations"),
        metrics=fields.numbers("metrics"),
        negotiated=fields.text_map("negotiated"),
        published=fields.texts("published"),
        warnings=fields.texts("warnings"),
        engine=fields.mapping("engine"),
        host=fields.mapping("host"),
        evidence=tuple(_evidence_file(item) for item in fields.sequence("evidence")),
        seed=fields.optional_integer("seed"),
        limits=fields.mapping("limits"),
        repro=fields.optional_text("repro"),
        reused=fields.optional("reused", _reused),
    )


def _schema(fields: Fields) -> int:
    schema = fields.integer("schema", least=1)
    if schema != SCHEMA:
        raise ConfigurationError(
            "record-schema",
            f"{fields.what}: format {schema}, but this version reads format {SCHEMA}",
            why="the results were written by another version of this tool",
            hint="merge with the version that ran the shards",
        )
    return schema


def _shard(fields: Fields) -> str:
    shard = fields.text("shard")
    shard_numbers(shard)
    return shard


def _kind(word: str) -> Kind:
    if word not in KINDS:
        raise ValueError(word)
    return word


def _started_at(fields: Fields) -> str | None:
    value = fields.optional_text("startedAt")
    if value is not None and not _STARTED_AT.fullmatch(value):
        raise fields.refusal("startedAt", f"must be a UTC time like 2026-11-21T10:30:00.000Z, not {value!r}")
    return value


def _role_name(name: str) -> Role:
    if name not in _ROLES:
        raise ConfigurationError("record-malformed", f"attempt.roles: {name!r} is none of {', '.join(_ROLES)}")
    return cast("Role", name)


def _role_record(document: object, role: str) -> RoleRecord:
    fields = Fields(document, f"attempt.roles.{role}")
    return RoleRecord(
        version=sys.intern(fields.text("version")),
        family=sys.intern(fields.text("family")),
        image_digest=fields.optional_text("imageDigest"),
        build_key=fields.optional_text("buildKey"),
        exit_code=fields.optional_integer("exit"),
        signal=fields.optional_integer("signal"),
        oom=fields.boolean("oom", default=False),
    )


def reason_from_json(document: object) -> Reason:
    fields = Fields(document, "attempt.reason")
    side = fields.optional_text("side") or "unknown"
    if side not in _SIDES:
        raise fields.refusal("side", f"is a word this version does not know: {side!r}")
    return Reason(
        code=fields.word("code", ReasonCode),
        text=fields.text("text"),
        side=cast("Side", side),
        phase=fields.optional_text("phase"),
    )


def _evidence_file(document: object) -> EvidenceFile:
    fields = Fields(document, "attempt.evidence")
    return EvidenceFile(
        role=sys.intern(fields.text("role")),
        stream=sys.intern(fields.text("stream")),
        path=fields.text("path"),
        size=fields.integer("bytes", least=0),
        sha256=fields.text("sha256"),
        truncated=fields.boolean("truncated", default=False),
        name=fields.optional_text("name"),
    )


def _reused(document: object) -> Reused:
    fields = Fields(document, "attempt.reused")
    return Reused(run=fields.text("run"), attempt=fields.integer("attempt", least=1))
