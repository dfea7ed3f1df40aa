"""Records as JSON: the lines of a results file, one document each, ASCII only, at most 32 KiB.

Every key is written. Writing cuts what may be long, marks the cut, and never leaves invalid JSON. Reading ignores
unknown keys, takes absent optional ones as empty, and refuses wrong types and words.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from ci.errors import ConfigurationError
from ci.model import Reason
from ci.results.records import EXACT, SCHEMA, Number, Record, RunEnd, RunStart, changed
from ci.results.signature import signature
from ci.util.json_document import Json, decode, decode_as, encoded
from ci.util.text import clip, clip_middle, counted

__all__ = [
    "LINE_LIMIT",
    "REASON_LIMIT",
    "from_json",
    "from_line",
    "signed",
    "to_json",
    "to_line",
]

# Bytes. A line this short is written by one system call and read by any tool.
LINE_LIMIT: Final = 32 * 1024
# Bytes of UTF-8 that a reason's text may have.
REASON_LIMIT: Final = 1024


# --- writing ----------------------------------------------------------------------------------------------


def to_line(record: Record) -> bytes:
    """The record as one line with its line feed, trimmed until it fits.

    :raises ConfigurationError: `record-too-long` if even the names in it do not fit
    """
    record = _written(record)
    line = _line(record)
    for items, size in ((64, 512), (16, 128), (4, 64)):
        if len(line) <= LINE_LIMIT:
            return line
        line = _line(_trimmed(record, items=items, size=size))
    if len(line) > LINE_LIMIT:
        raise ConfigurationError(
            "record-too-long",
            f"a record of {len(line)} bytes does not fit in a line of {LINE_LIMIT}",
            why="version ids or the run's name are extraordinarily long",
            hint="shorten them",
        )
    return line


def to_json(record: Record) -> dict[str, Json]:
    """The record as a JSON document; every key is present, `null` or empty where nothing is known."""
    document: dict[str, Json] = msgspec.to_builtins(_written(record), enc_hook=str)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in document.items()}


def signed(reason: Reason) -> Reason:
    """The reason as it is written: not too long, and with its signature.

    That is over the text as stored, so that a reader of the record comes to the same one.
    """
    text = clip_middle(reason.text, REASON_LIMIT)
    return replace(reason, text=text, signature=signature(text))


def _written(record: Record) -> Record:
    """The record with what JSON can hold, and with what follows from its other fields."""
    if isinstance(record, RunEnd):
        return record
    if isinstance(record, RunStart):
        return changed(record, host=_finite_texts(record.host))
    metrics, odd_metrics = _finite("metric", record.metrics)
    durations, odd_durations = _finite("duration", record.durations)
    return changed(
        record,
        reason=None if record.reason is None else signed(record.reason),
        metrics=metrics,
        durations=durations,
        warnings=(*record.warnings, *odd_metrics, *odd_durations),
        engine=_finite_texts(record.engine),
        host=_finite_texts(record.host),
        limits=_finite_texts(record.limits),
    )


def _finite(what: str, values: Mapping[str, Number]) -> tuple[dict[str, Number], list[str]]:
    """JSON has no infinities: such a measurement is left out, and a warning says so.

    A whole number that is too large for one is as good as infinite.
    """
    kept = {name: value for name, value in values.items() if not _too_large(value) and math.isfinite(value)}
    return kept, [f"{what} {name} was {value} and is left out" for name, value in values.items() if name not in kept]


def _too_large(value: Number) -> bool:
    return isinstance(value, int) and abs(value) > EXACT


def _finite_texts(value: Json) -> Json:
    """A free-form value with infinities as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {key: _finite_texts(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite_texts(item) for item in value]
    return value


def _line(record: Record) -> bytes:
    return encoded(record) + b"\n"


def _trimmed(record: Record, *, items: int, size: int) -> Record:
    """A copy with long parts cut: lists to `items` entries, texts and objects in proportion to `size`."""
    if isinstance(record, RunEnd):
        return record
    if isinstance(record, RunStart):
        return changed(record, host=_cut(record.host, size))
    evidence, warnings = record.evidence, record.warnings
    if len(evidence) > items:
        warnings = (*warnings[: items - 1], f"{counted(len(evidence) - items, 'more evidence file')} not listed")
    return changed(
        record,
        evidence=evidence[:items],
        warnings=_few(warnings, items, size),
        published=_few(record.published, items, size),
        host=_cut(record.host, size),
        engine=_cut(record.engine, size),
        limits=_cut(record.limits, size),
        negotiated=record.negotiated and _cut(record.negotiated, size),
        metrics=record.metrics if _fits(record.metrics, size) else {},
        durations=record.durations if _fits(record.durations, size) else {},
        repro=record.repro and clip(record.repro, 8 * size),
    )


def _few(values: tuple[str, ...], items: int, size: int) -> tuple[str, ...]:
    kept = [clip(value, size) for value in values[:items]]
    if len(values) > items:
        kept[-1] = f"… [{len(values) - items + 1} more]"
    return tuple(kept)


def _fits(value: Json, size: int) -> bool:
    return len(encoded(value)) <= 8 * size


def _cut(value: Mapping[str, Any], size: int) -> Mapping[str, Any]:
    return value if not value or _fits(value, size) else {"trimmed": f"… [{len(encoded(value))} bytes]"}


# --- reading ----------------------------------------------------------------------------------------------


def from_line(line: bytes) -> Record:
    """The record in one line.

    :raises ConfigurationError: `record-malformed` if it is not JSON or not a record, `record-schema` if it is
        of a format this version does not know
    """
    try:
        return decode_as(line, Record)  # type: ignore[arg-type]
    except (msgspec.ValidationError, RecursionError) as error:
        raise _refusal(decode(line), error) from error
    except ValueError as error:
        raise ConfigurationError("record-malformed", f"not a line of JSON: {error}") from error


def from_json(document: object) -> Record:
    """The record a JSON document stands for; errors as for `from_line`."""
    try:
        record: Record = msgspec.convert(document, Record)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _refusal(document, error) from error
    return record


def _refusal(document: object, error: Exception) -> ConfigurationError:
    what = document.get("type") if isinstance(document, dict) else None
    schema = document.get("schema") if isinstance(document, dict) else None
    what = what if what in ("start", "attempt", "end") else "record"
    if what != "record" and type(schema) is int and schema != SCHEMA:
        return ConfigurationError(
            "record-schema",
            f"{what}: format {schema}, but this version reads format {SCHEMA}",
            why="the results were written by another version of this tool",
            hint="merge with the version that ran the shards",
        )
    return ConfigurationError("record-malformed", f"{what}: {error}")
