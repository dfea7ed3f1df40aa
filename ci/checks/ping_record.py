"""Find the result of a ping in what a dialer printed.

Real images print it among npm banners, test reports, colour codes and log lines, so the stream is searched
for the record itself rather than read line by line (contract, section 1.8, T3–T7).
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Final, NoReturn

__all__ = ["PingRecord", "find_records", "strip_ansi"]

# CSI and OSC sequences, the two forms that terminals' colour and title codes take.
ANSI: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")

HANDSHAKE: Final = "handshakePlusOneRTTMillis"
# The established spelling has three l's; some implementations spell it right.
PINGS: Final = ("pingRTTMilllis", "pingRTTMillis")

# A record is a small object. Looking for its brace further back than this would only let a flood of open
# braces make the search quadratic.
REACH: Final = 4096
MOST_CANDIDATES: Final = 64

YAML_RECORD: Final = re.compile(
    r"^[ \t]*latency:[ \t]*$"
    r"(?P<body>(?:\r?\n(?:[ \t]+[a-z_]+:[^\r\n]*|[ \t]*#[^\r\n]*))+)",
    re.MULTILINE,
)
YAML_FIELD: Final = re.compile(
    r"^[ \t]+(?P<key>handshake_plus_one_rtt|ping_rtt):[ \t]*(?P<value>[^\s#]+)", re.MULTILINE
)


@dataclass(frozen=True, kw_only=True)
class PingRecord:
    """One result; both times in milliseconds."""

    handshake_plus_one_rtt: float
    ping_rtt: float
    at: int

    @property
    def metrics(self) -> dict[str, float]:
        return {HANDSHAKE: self.handshake_plus_one_rtt, PINGS[0]: self.ping_rtt}


def strip_ansi(text: str) -> str:
    """The text without terminal codes."""
    return ANSI.sub("", text)


def find_records(text: str) -> tuple[PingRecord, ...]:
    """All valid records in a stream, in order; the first one counts, more than one is worth a warning.

    Objects that lack one of the two times, or whose times are not finite non-negative numbers, are skipped.
    """
    text = strip_ansi(text)
    found = {record.at: record for record in (*_json_records(text), *_yaml_records(text))}
    return tuple(found[at] for at in sorted(found))


def _json_records(text: str) -> list[PingRecord]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    records = []
    for number, key in enumerate(re.finditer(re.escape(f'"{HANDSHAKE}"'), text)):
        if number == MOST_CANDIDATES:
            break
        # Innermost brace first: the record may be wrapped in a log line that is an object itself.
        brace = text.rfind("{", max(0, key.start() - REACH), key.start())
        while brace >= 0:
            record = _decode(decoder, text, brace, key.start())
            if record is not None:
                records.append(record)
                break
            brace = text.rfind("{", max(0, key.start() - REACH), brace)
    return records


def _decode(decoder: json.JSONDecoder, text: str, brace: int, key: int) -> PingRecord | None:
    try:
        value, _ = decoder.raw_decode(text[brace : key + REACH])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    ping = next((value[name] for name in PINGS if name in value), None)
    return _record(value.get(HANDSHAKE), ping, brace)


def _yaml_records(text: str) -> list[PingRecord]:
    records = []
    for match in YAML_RECORD.finditer(text):
        fields = {field["key"]: field["value"] for field in YAML_FIELD.finditer(match["body"])}
        record = _record(_number(fields.get("handshake_plus_one_rtt")), _number(fields.get("ping_rtt")), match.start())
        if record is not None:
            records.append(record)
    return records


def _record(handshake: object, ping: object, at: int) -> PingRecord | None:
    times = [_time(handshake), _time(ping)]
    if times[0] is None or times[1] is None:
        return None
    return PingRecord(handshake_plus_one_rtt=times[0], ping_rtt=times[1], at=at)


def _time(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _number(word: str | None) -> float | None:
    try:
        return None if word is None else float(word.strip("'\""))
    except ValueError:
        return None


def _refuse(constant: str) -> NoReturn:
    msg = f"{constant} is not a time"
    raise ValueError(msg)
