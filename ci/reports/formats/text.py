"""Other people's text, made harmless for formats that have no escapes of their own for all of it."""

from __future__ import annotations

from ci.util.text import printable

__all__ = ["in_spreadsheet", "in_xml"]


def in_xml(text: str) -> str:
    """Without what XML 1.0 cannot hold: control characters, lone surrogates, U+FFFE and U+FFFF."""
    return "".join(char if char.isprintable() and char not in "\ufffe\uffff" else " " for char in printable(text))


def in_spreadsheet(text: str) -> str:
    """No formula: what a spreadsheet would compute begins with an apostrophe."""
    text = printable(text)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
