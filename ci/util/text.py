"""Text that came from somebody else: made harmless for a terminal, cut to a length with a visible mark.

Names, reasons and addresses reach this package from containers and from other people's result files. Nothing
here knows about Markdown or markup; it only guarantees that what is left is ordinary characters.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "BECAUSE_OF",
    "byte_length",
    "clip",
    "clip_middle",
    "counted",
    "printable",
    "printable_lines",
    "root_cause",
    "strip_ansi",
]

# Between an exception and its cause, in what `ci.spec.last_log_line` makes of a trace.
BECAUSE_OF: Final = " <- "

# CSI, OSC (with or without its end) and the two-character escapes of ECMA-48.
_ANSI: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x9b[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]"
)
# CSI, OSC and character-set sequences: the forms that terminals' colour, title and reset codes take.
_COLOURS: Final = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-~]")
# C0 without newline, DEL, C1, line and paragraph separators, and the marks that reorder what a person reads.
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def printable_lines(text: str) -> str:
    """The same text without escape sequences or control characters; its line breaks stay."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _SURROGATE.sub("\ufffd", _CONTROL.sub(" ", _ANSI.sub("", text)))


def printable(text: str) -> str:
    """The same text as one line of ordinary characters, runs of white space made one space."""
    return " ".join(printable_lines(text).split())


def counted(count: int, one: str, many: str = "") -> str:
    """`1 case`, `2 cases`, `0 cases`.

    :param many: the plural, where it is not the singular with an `s`
    """
    return f"{count} {one if count == 1 else many or f'{one}s'}"


def root_cause(text: str) -> str:
    """Of `outer <- cause` the cause; of any other text all of it."""
    return text.rsplit(BECAUSE_OF, 1)[-1]


def byte_length(text: str) -> int:
    """Length in UTF-8; a lone surrogate counts as the three bytes it would take."""
    return len(text.encode("utf-8", "surrogatepass"))


def clip(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8; what was cut is counted in a mark at the end.

    Cutting twice to the same limit changes nothing. A limit too small for the mark leaves only an ellipsis.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit:
        return text
    # The mark's length depends on the count in it; twenty digits of room are plenty for both.
    room = max(0, limit - len("… [ bytes more]".encode()) - 20)
    room = _character_start(encoded, room)
    if room == 0:
        return "…"
    return f"{encoded[:room].decode('utf-8', 'surrogatepass')}… [{len(encoded) - room} bytes more]"


def clip_middle(text: str, limit: int) -> str:
    """At most `limit` bytes of UTF-8: the beginning and the end, with a mark between them that counts what was cut.

    What went wrong often stands at the end of a long line, and what was tried at its beginning. Cutting twice to the
    same limit changes nothing. A limit too small for the mark leaves only an ellipsis.
    """
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit:
        return text
    room = max(0, limit - len("… [ bytes left out] …".encode()) - 20)
    head = _character_start(encoded, room // 2)
    tail = len(encoded) - room // 2
    while tail < len(encoded) and _continues(encoded[tail]):
        tail += 1
    if head == 0 or tail == len(encoded):
        return "…"
    first, last = (part.decode("utf-8", "surrogatepass") for part in (encoded[:head], encoded[tail:]))
    return f"{first}… [{tail - head} bytes left out] …{last}"


def _character_start(encoded: bytes, position: int) -> int:
    """The nearest position at or before this one where a character begins."""
    while position > 0 and _continues(encoded[position]):
        position -= 1
    return position


def _continues(byte: int) -> bool:
    return byte & 0xC0 == 0x80


def strip_ansi(text: str) -> str:
    """The text without terminal codes."""
    return _COLOURS.sub("", text)
