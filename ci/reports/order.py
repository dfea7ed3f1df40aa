"""The fixed order of the tables in every report."""

from __future__ import annotations

from collections.abc import Sequence

from ci.model import Params

__all__ = ["by_code_unit", "stack_order", "words_order"]


def by_code_unit(text: str) -> bytes:
    """Sort key of the established dashboards, which compare UTF-16 code units: `go-v0.45` before `go-v0.9`."""
    return text.encode("utf-16-be", "surrogatepass")


def stack_order(params: Params) -> tuple[bool, list[bytes]]:
    """Sort key of the tables: standalone transports first, then transport, secure channel, muxer."""
    return words_order(params.words)


def words_order(words: Sequence[str]) -> tuple[bool, list[bytes]]:
    """The same by the words of a stack."""
    return len(words) > 1, [by_code_unit(word) for word in words]
