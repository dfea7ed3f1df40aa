"""JSON as this project reads and writes it: strict, ASCII, and in one form where bytes are compared."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeAlias, TypeVar

import msgspec

__all__ = ["Json", "canonical", "decode", "decode_as", "encoded"]

# What a free-form object of a record may hold. Any: a recursive alias would not help a reader.
Json: TypeAlias = Any

T = TypeVar("T")


def decode(text: str | bytes) -> object:
    """One JSON document.

    :raises ValueError: if it is none; also for NaN and infinities, which JSON does not have, for numbers of
        absurd length and for nesting deeper than the interpreter bears
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def decode_as(data: bytes, kind: type[T]) -> T:
    """One JSON document as a value of a msgspec type.

    :raises ValueError: as `decode`
    :raises msgspec.ValidationError: it is JSON, and no such value; names the field. It is a ValueError, too
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        pass  # a lone surrogate, which is legal here, or a fault that is told better by what follows
    return msgspec.convert(decode(data), kind)


def canonical(document: object) -> bytes:
    """The one byte sequence for a document, or for what msgspec makes one of: sorted keys, no spaces, pure ASCII."""
    return encoded(document, sort=True)


def encoded(document: object, *, sort: bool = False) -> bytes:
    """JSON without spaces, pure ASCII: control characters and lone surrogates survive as escapes, a line stays a line.

    What JSON has no form for is written as its text.
    """
    try:
        data = msgspec.json.encode(document, enc_hook=str, order="sorted" if sort else None)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, a number of more than 64 bits
        data = b"\x7f"
    if data.isascii() and b"\x7f" not in data:
        return data
    plain = msgspec.to_builtins(document, enc_hook=str)
    return json.dumps(plain, sort_keys=sort, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode("ascii")
