"""The fixed order of the tables in every report."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["by_code_unit", "words_order"]


def by_code_unit(text: str) -> bytes:
    """Sort key of the established dashboards, which compare UTF-16 code units: `go-v0.45` before `go-v0.9`."""
    return text.encode("utf-16-be", "surrogatepass")


def words_order(words: Sequence[str]) -> tuple[bool, list[bytes]]:
    """Sort key of the tables by the words of a stack: standalone transports first, then word by word."""
    return len(words) > 1, [by_code_unit(word) for word in words]
