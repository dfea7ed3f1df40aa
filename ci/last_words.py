"""What somebody said last: often the whole reason."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from ci.checks.ping_record import strip_ansi

if TYPE_CHECKING:
    from ci.capture import Capture

__all__ = ["last_line"]


def last_line(*streams: Capture, most: int = 200) -> str:
    """The last line of the first of these streams that has one, cut and made readable; empty if nobody wrote any.

    :param most: characters, so that it fits into a sentence
    """
    for stream in streams:
        lines = [line.strip() for line in strip_ansi(stream.text()).splitlines() if line.strip()]
        if lines:
            return "".join(islice((it if it.isprintable() else "\N{REPLACEMENT CHARACTER}" for it in lines[-1]), most))
    return ""
