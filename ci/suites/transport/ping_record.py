"""Find the result of a ping in what a dialer printed.

Real images print it among npm banners, test reports, colour codes and log lines, so the stream is searched
for the record itself rather than read line by line (contract, section 1.8, T3–T7).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from ci.util.text import strip_ansi

__all__ = ["PingRecord", "credible_metrics", "find_records", "mentions_record"]


HANDSHAKE: Final = "handshakePlusOneRTTMillis"
# The established spelling has three l's; some implementations spell it right.
PINGS: Final = ("pingRTTMilllis", "pingRTTMillis")

# A record is a small object: its brace is not far from its key, and few objects lie between. Without these limits
# a flood of braces would make the search quadratic. MOST_ATTEMPTS
# bounds what is decoded of one stream.
REACH: Final = 4096
MOST_BRACES: Final = 64
MOST_ATTEMPTS: Final = 4096

YAML_HEAD: Final = re.compile(r"^[ \t]*latency:[ \t]*(?:#[^\r\n]*)?\r?$", re.MULTILINE)
# Anything may stand between two of these: a program that logs to stdout logs from other threads too.
YAML_FIELD: Final = re.compile(
    r"^[ \t]+(?P<key>handshake_plus_one_rtt|ping_rtt|unit):[ \t]*(?P<value>[^\s#]+)[^\r\n]*", re.MULTILINE
)
UNIT: Final = "ms"


@dataclass(frozen=True, kw_only=True)
class PingRecord:
    """One result; both times in milliseconds, unless it says otherwise itself.

    :param unit: what the times are in, by the record's own word
    :param at: where it begins in the stream's text without terminal codes
    :param text: how it was written, with whatever stood between its lines
    """

    handshake_plus_one_rtt: float
    ping_rtt: float
    at: int
    text: str
    unit: str = UNIT

    @property
    def metrics(self) -> dict[str, float]:
        return {HANDSHAKE: self.handshake_plus_one_rtt, PINGS[0]: self.ping_rtt}


def credible_metrics(record: PingRecord, *, seconds: float) -> tuple[dict[str, float], tuple[str, ...]]:
    """The record's times that can be true, in milliseconds, and in words what is wrong with the others.

    :param seconds: how long the whole attempt took
    """
    if record.unit != UNIT:
        return {}, (f"the result is in {record.unit[:16]!r}, not in {UNIT}: its times are not kept",)
    kept = {name: value for name, value in record.metrics.items() if value <= seconds * 1000}
    return kept, tuple(
        f"the result says {name} {value:g}, longer than the whole attempt ({seconds * 1000:.0f} ms): it is not kept"
        for name, value in record.metrics.items()
        if name not in kept
    )


def find_records(text: str) -> tuple[PingRecord, ...]:
    """All valid records in a stream, in order; the first one counts, more than one is worth a warning.

    Objects that lack one of the two times, or whose times are not finite non-negative numbers, are skipped.
    """
    text = strip_ansi(text)
    found = {record.at: record for record in (*_json_records(text), *_yaml_records(text))}
    return tuple(found[at] for at in sorted(found))


def mentions_record(text: str) -> bool:
    """Whether something in a stream was meant as a record, valid or not."""
    text = strip_ansi(text)
    return f'"{HANDSHAKE}"' in text or "handshake_plus_one_rtt:" in text


def _json_records(text: str) -> list[PingRecord]:
    decoder = json.JSONDecoder(parse_constant=_refuse)
    records: list[PingRecord] = []
    attempts = 0
    for key in re.finditer(re.escape(f'"{HANDSHAKE}"'), text):
        for brace in _braces_before(text, key.start()):
            if attempts == MOST_ATTEMPTS:
                return records
            attempts += 1
            record = _decode(decoder, text, brace, key.start())
            if record is not None:
                records.append(record)
                break
    return records


def _braces_before(text: str, key: int) -> Iterator[int]:
    """Where the object of this key may begin, innermost first: it may be wrapped in a log line that is one itself."""
    brace = key
    for _ in range(MOST_BRACES):
        brace = text.rfind("{", max(0, key - REACH), brace)
        if brace < 0:
            return
        yield brace


def _decode(decoder: json.JSONDecoder, text: str, brace: int, key: int) -> PingRecord | None:
    try:
        value, end = decoder.raw_decode(text[brace : key + REACH])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    ping = next((value[name] for name in PINGS if name in value), None)
    return _record(value.get(HANDSHAKE), ping, at=brace, text=text[brace : brace + end])


def _yaml_records(text: str) -> list[PingRecord]:
    heads = list(YAML_HEAD.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    found = (_yaml_record(text, head, end) for head, end in zip(heads, ends, strict=False))
    return [record for record in found if record is not None]


def _yaml_record(text: str, head: re.Match[str], until: int) -> PingRecord | None:
    if until > head.end() + REACH:  # whole lines only, or a number might be cut in two
        until = max(head.end(), text.rfind("\n", head.end(), head.end() + REACH))
    fields: dict[str, str] = {}
    end = head.end()
    for field in YAML_FIELD.finditer(text, head.end(), until):
        if field["key"] in fields:
            break
        fields[field["key"]] = field["value"].strip("'\"")
        end = field.end()
    return _record(
        _number(fields.get("handshake_plus_one_rtt")),
        _number(fields.get("ping_rtt")),
        at=head.start(),
        text=text[head.start() : end],
        unit=fields.get("unit", UNIT),
    )


def _record(handshake: object, ping: object, *, at: int, text: str, unit: str = UNIT) -> PingRecord | None:
    both, alone = _time(handshake), _time(ping)
    if both is None or alone is None:
        return None
    return PingRecord(handshake_plus_one_rtt=both, ping_rtt=alone, at=at, text=text, unit=unit)


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
        return None if word is None else float(word)
    except ValueError:
        return None


def _refuse(constant: str) -> NoReturn:
    msg = f"{constant} is not a time"
    raise ValueError(msg)
