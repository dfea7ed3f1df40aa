"""The transport suite's published section: made of a run, brought up to date by a part of one, read back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ci.model import Case
from ci.reports.missing import fewer, without
from ci.reports.runs import with_run
from ci.suites.base import Publication
from ci.suites.transport.board import WHY, colour_of, read_board
from ci.suites.transport.dashboard import board_of, render
from ci.suites.transport.words import Stack

if TYPE_CHECKING:
    from ci.results.merged import Merged

__all__ = ["PUBLICATION", "cells", "with_part"]


def with_part(section: str, now: Merged, sentence: str, run_url: str | None) -> str:
    """A published section with the results of a later run in the place of its own.

    :param now: the cases of that run which have a result
    :param sentence: what run it is
    """
    before, later = read_board(section), board_of(now, run_url=run_url)
    tables = {words: dict(cells) for words, cells in before.tables.items()}
    notes = dict(before.notes)
    for words, cells in later.tables.items():
        table = tables.setdefault(words, {})
        # What is white was not in the matrix, or one of those that the notes count.
        filled = sum(table.get(pair, "").startswith(":white_") for pair in cells)
        table |= cells
        if words in notes:
            notes[words] = fewer(notes[words], filled)
    shown = {version for table in tables.values() for pair in table for version in pair}
    absent = (without(line, shown, WHY) for line in before.absent)
    results = sum(before.colours[colour] for colour in ("green", "yellow", "red"))
    board = replace(
        before,
        tables=tables,
        notes={words: note for words, note in notes.items() if note},
        absent=tuple(filter(None, absent)),
        runs=with_run(before.runs, sentence, results),
        footnotes=(*later.footnotes, *before.footnotes),
    )
    return board.text()


def cells(markdown: str) -> dict[Case, str]:
    """Colour of each cell of all tables: the established format, which other repositories have without markers."""
    return {
        Stack(*words).case(dialer, listener): colour
        for words, table in read_board(markdown).tables.items()
        for (dialer, listener), symbol in table.items()
        if (colour := colour_of(symbol))
    }


PUBLICATION: Final = Publication(render=render, alone=render, with_part=with_part, cells=cells)
