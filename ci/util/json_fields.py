"""Typed access to decoded JSON: what is there has the right type, or an error names the field.

Unknown keys are never looked at, so additive changes of a format keep old readers working.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn, TypeAlias, TypeGuard, TypeVar

import msgspec

from ci.errors import ConfigurationError

__all__ = ["Fields", "Json", "canonical", "decode", "decode_as", "encoded"]

# What a free-form object of a record may hold. Any: a recursive alias would not help a reader.
Json: TypeAlias = Any

T = TypeVar("T")
NAMES: Final[Mapping[type, str]] = {
    bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object",
    type(None): "null",
}  # fmt: skip


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


class Fields:
    """A JSON object whose fields are asked for by name and type.

    :param document: the decoded value, which must be an object
    :param what: what the object is, for error messages
    :raises ConfigurationError: `record-malformed`, from every method, on a missing field or a wrong type
    """

    def __init__(self, document: object, what: str) -> None:
        if not isinstance(document, dict):
            raise ConfigurationError("record-malformed", f"{what} must be an object, not {_name(document)}")
        self._document: dict[str, object] = document
        # Bound once: a run has a hundred thousand records of sixty fields.
        self._get = self._document.get
        self.what = what

    def refusal(self, name: str, problem: str) -> ConfigurationError:
        """What to raise about a field."""
        return ConfigurationError("record-malformed", f"{self.what}: `{name}` {problem}")

    def _wrong(self, name: str, wanted: str) -> ConfigurationError:
        if name not in self._document:
            return self.refusal(name, "is missing")
        return self.refusal(name, f"must be {wanted}, not {_name(self._document[name])}")

    def text(self, name: str) -> str:
        value = self._get(name)
        if isinstance(value, str):
            return value
        raise self._wrong(name, "text")

    def optional_text(self, name: str) -> str | None:
        value = self._get(name)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(name, "text")

    def integer(self, name: str, *, least: int | None = None) -> int:
        value = self._get(name)
        if type(value) is not int:
            raise self._wrong(name, "a whole number")
        if least is not None and value < least:
            raise self.refusal(name, f"must be at least {least}, not {value}")
        return value

    def optional_integer(self, name: str) -> int | None:
        return None if self._get(name) is None else self.integer(name)

    def integer_or(self, name: str, default: int, *, least: int | None = None) -> int:
        return default if self._get(name) is None else self.integer(name, least=least)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        value = self._get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, bool):
            return value
        raise self._wrong(name, "true or false")

    def mapping(self, name: str) -> dict[str, Json]:
        """A free-form object; absent and null read as empty."""
        value = self._get(name)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        raise self._wrong(name, "an object")

    def optional(self, name: str, read: Callable[[object], T]) -> T | None:
        value = self._get(name)
        return None if value is None else read(value)

    def sequence(self, name: str) -> list[object]:
        """A list of anything; absent and null read as empty."""
        value = self._get(name)
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise self._wrong(name, "a list")

    def texts(self, name: str) -> tuple[str, ...]:
        items = self.sequence(name)
        for item in items:
            if not isinstance(item, str):
                raise self.refusal(name, f"must hold only text, not {_name(item)}")
        return tuple(items)  # type: ignore[arg-type]

    def numbers(self, name: str) -> dict[str, float]:
        items = self.mapping(name)
        for key, item in items.items():
            if not _is_number(item):
                raise self.refusal(name, f"must hold only finite numbers, but `{key}` is {_name(item)}")
        return items

    def word(self, name: str, read: Callable[[str], T]) -> T:
        """A word of a closed list, read by the enumeration's own constructor."""
        value = self.text(name)
        try:
            return read(value)
        except ValueError as error:
            raise self.refusal(name, f"is a word this version does not know: {value!r}") from error


def _name(value: object) -> str:
    return NAMES.get(type(value), type(value).__name__)


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False
