"""Records as the lines of a results file: one JSON document each, ASCII only, at most 32 KiB.

Writing cuts what may be long, marks the cut, and never leaves invalid JSON.
"""

from __future__ import annotations

import json
import math
from typing import Final

from ci.errors import ConfigurationError
from ci.results.record_json import from_json, to_json
from ci.results.records import Record
from ci.util.json_fields import Json, decode
from ci.util.text import clip, counted

__all__ = ["LINE_LIMIT", "from_line", "to_line"]

# Bytes. A line this short is written by one system call and read by any tool.
LINE_LIMIT: Final = 32 * 1024


def to_line(record: Record) -> bytes:
    """The record as one line with its line feed, trimmed until it fits.

    :raises ConfigurationError: `record-too-long` if even the names in it do not fit
    """
    document = to_json(record)
    line = _encode(document)
    for items, size in ((64, 512), (16, 128), (4, 64)):
        if len(line) <= LINE_LIMIT:
            return line
        line = _encode(_trimmed(document, items=items, size=size))
    if len(line) > LINE_LIMIT:
        raise ConfigurationError(
            "record-too-long",
            f"a record of {len(line)} bytes does not fit in a line of {LINE_LIMIT}",
            why="version ids or the run's name are extraordinarily long",
            hint="shorten them",
        )
    return line


def from_line(line: bytes) -> Record:
    """The record in one line.

    :raises ConfigurationError: `record-malformed` if it is not JSON or not a record, `record-schema` if it is
        of a format this version does not know
    """
    try:
        document = decode(line)
    except ValueError as error:
        raise ConfigurationError("record-malformed", f"not a line of JSON: {error}") from error
    return from_json(document)


def _encode(document: dict[str, Json]) -> bytes:
    # ASCII only: control characters and lone surrogates survive as escapes, and a line stays a line.
    try:
        text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False, default=str)
    except ValueError:  # an infinity in a free-form object
        text = json.dumps(_without_infinities(document), ensure_ascii=True, separators=(",", ":"), default=str)
    return text.encode("ascii") + b"\n"


def _without_infinities(value: Json) -> Json:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _without_infinities(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_infinities(item) for item in value]
    return value


def _trimmed(document: dict[str, Json], *, items: int, size: int) -> dict[str, Json]:
    """A copy with long parts cut: lists to `items` entries, texts and objects in proportion to `size`."""
    document = dict(document)
    evidence = document.get("evidence", [])
    warnings = document.get("warnings", [])
    if len(evidence) > items:
        warnings = [*warnings[: items - 1], f"{counted(len(evidence) - items, 'more evidence file')} not listed"]
        document["evidence"] = evidence[:items]
    for name, values in (("warnings", warnings), ("published", document.get("published", []))):
        if name in document:
            document[name] = [clip(value, size) for value in values[:items]]
            if len(values) > items:
                document[name][-1] = f"… [{len(values) - items + 1} more]"
    for name in ("host", "engine", "limits", "negotiated", "metrics", "durations"):
        value = document.get(name)
        if value and len(_encode(value)) > 8 * size:
            numeric = name in ("metrics", "durations")
            document[name] = {} if numeric else {"trimmed": f"… [{len(_encode(value))} bytes]"}
    if document.get("repro"):
        document["repro"] = clip(document["repro"], 8 * size)
    return document
