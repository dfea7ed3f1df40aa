"""Which lines of a Markdown file are shown as they stand, so that a comment on them is text and no comment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from markdown_it import MarkdownIt

__all__ = ["code_lines"]

# HTML whose content is nothing but text until its end (CommonMark 4.6, kinds 1 to 5).
_VERBATIM: Final = re.compile(r" {0,3}<(?:(?:pre|script|style|textarea)(?:[\s>]|$)|[!?])", re.IGNORECASE)


def code_lines(lines: Sequence[bytes]) -> frozenset[int]:
    """Numbers, from 0, of the lines inside fenced or indented code, `<pre>` and the like, or a longer comment.

    Lists and quotes are followed, since code may begin on the line of a list item and ends with it.
    """
    # A carriage return inside a line would be a line of its own there.
    text = "\n".join(line.decode("utf-8", "replace").rstrip("\r\n").replace("\r", " ") for line in lines)
    found: set[int] = set()
    for token in MarkdownIt("commonmark").disable("inline").parse(text):
        if token.map is None:
            continue
        first, last = token.map
        if token.type in ("fence", "code_block"):
            found.update(range(first, last))
        elif token.type == "html_block" and _VERBATIM.match(token.content):
            found.update(range(first + 1, last))
    return frozenset(found)
