"""The application protocol of a session: what both sides write into HTTP fields, and what they agree on.

The fields are structured ones (RFC 9651): `wt-available-protocols` is a list of strings, `wt-protocol` is one string.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

AVAILABLE = b"wt-available-protocols"
CHOSEN = b"wt-protocol"

#: The file below `/downloads` that tells the runner what was agreed on.
NEGOTIATED = "negotiated_protocol.txt"

STRING = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
MEMBER = rf"{STRING.pattern}(?:;[^,\"]*)?"  # parameters are allowed, and mean nothing here
LIST = re.compile(rf"(?:{MEMBER}(?:[ \t]*,[ \t]*{MEMBER})*)?")


def format_string(text: str) -> bytes:
    """One string as a structured field."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'.encode("ascii")


def format_list(texts: Iterable[str]) -> bytes:
    """Strings as a structured field, in the order of preference."""
    return b", ".join(map(format_string, texts))


def parse_list(field: bytes) -> list[str]:
    """The strings of a list; `ValueError` for anything else."""
    text = field.decode("ascii").strip(" ")
    if not LIST.fullmatch(text):
        raise ValueError(f"{text!r} is no list of strings")
    return [re.sub(r"\\(.)", r"\1", string) for string in STRING.findall(text)]


def parse_string(field: bytes) -> str:
    """One string; `ValueError` for anything else."""
    strings = parse_list(field)
    if len(strings) != 1:
        raise ValueError(f"{field!r} is not one string")
    return strings[0]


def choose(offered: Iterable[str], known: Iterable[str]) -> str | None:
    """What a server answers: the first of the client's protocols that it has too."""
    known = set(known)
    return next((name for name in offered if name in known), None)
