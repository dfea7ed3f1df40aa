"""The fixed order of the tables in every report."""

from __future__ import annotations

from ci.model import Params

__all__ = ["by_code_unit", "stack_order"]


def by_code_unit(text: str) -> bytes:
    """Sort key of the established dashboards, which compare UTF-16 code units: `go-v0.45` before `go-v0.9`."""
    return text.encode("utf-16-be", "surrogatepass")


def stack_order(params: Params) -> tuple[bool, list[bytes]]:
    """Sort key of the tables: standalone transports first, then transport, secure channel, muxer."""
    return len(params.words) > 1, [by_code_unit(word) for word in params.words]
