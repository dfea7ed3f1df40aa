"""What of other people's text may stand in Markdown, and the templates that put it there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import jinja2

from ci.errors import ConfigurationError
from ci.util.text import clip_middle, counted, printable

__all__ = ["cell", "code", "cut", "is_linkable", "linkable", "row_of", "template"]

_PLAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_CELL_SEPARATOR: Final = re.compile(r"(?<!\\)\|")
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+")
_MOST_BYTES: Final = 160


def code(text: str, most: int = _MOST_BYTES) -> str:
    """Text as inert inline code: no markup, mention, link or HTML comes to life in it, in a table or outside.

    What would end the code, the cell, or a comment is replaced by a look-alike, since escapes differ between
    the places.

    :param most: bytes; of what is longer the beginning and the end
    """
    text = clip_middle(printable(text), most)
    for mark, harmless in (("`", "'"), ("|", "¦"), ("<!--", "<! --")):
        text = text.replace(mark, harmless)
    return f"`{text or ' '}`"


def cell(text: str) -> str:
    """A name in a table: as it is if it can be nothing but a name, otherwise as inline code."""
    return text if _PLAIN.fullmatch(text) else code(text)


def cut(lines: Sequence[str], most_bytes: int) -> str:
    """Lines as a text; where that would be too long, whole lines of it and how many are left out."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += len(line.encode()) + 1
        if size > most_bytes:
            kept += ["", f"… and {counted(len(lines) - len(kept), 'line')} more"]
            break
        kept.append(line)
    return "\n".join(kept) + "\n"


def is_linkable(url: str) -> bool:
    """Whether it is an http or https address without anything that would end a link or a cell."""
    return _URL.fullmatch(url) is not None


def linkable(url: str) -> str:
    """The address itself.

    :raises ConfigurationError: `run-url` if it cannot stand in a table
    """
    if not is_linkable(url):
        raise ConfigurationError(
            "run-url",
            f"{url!r} cannot be linked from a table",
            hint="give an http or https address without spaces, brackets or bars",
        )
    return url


def template(name: str) -> jinja2.Template:
    """A template of this package; what it is given must be escaped already."""
    environment = jinja2.Environment(  # noqa: S701 (Markdown, not HTML: `cell` and `code` escape)
        loader=jinja2.PackageLoader("ci.reports"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def row_of(line: str) -> list[str]:
    """The cells of a table's line; none of any other line."""
    return [cell.strip() for cell in _CELL_SEPARATOR.split(line)[1:-1]] if line.startswith("|") else []
