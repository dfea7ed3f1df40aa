"""Tables on a console: Rich's on a terminal, aligned plain text elsewhere. Their texts are made by `styled`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import rich.box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

__all__ = ["Screen", "print_table", "that_fit"]


class Screen(Protocol):
    """What a table needs of a console."""

    terminal: bool
    unicode: bool
    rich: Console

    def info(self, text: str, *, style: str = "") -> None: ...
    def line(self, text: Text) -> None: ...
    def show(self, renderable: RenderableType) -> None: ...
    def styled(self, text: str, style: str = "") -> Text: ...
    def symbol(self, symbol: str, plain: str) -> str: ...


def that_fit(console: Screen, first: int, columns: Mapping[str, Iterable[Text]]) -> Iterator[list[str]]:
    """The columns in groups that fit beside each other; a log has no width.

    :param first: width of the column that stands before each group
    :param columns: all that is to be shown in each, its title included
    """
    room = console.rich.width if console.terminal else 10**6
    widths = {name: 3 + max(text.cell_len for text in texts) for name, texts in columns.items()}
    part: list[str] = []
    # Each column has a space on both sides and a line to its left; one more line closes the last.
    used = start = first + 4
    for name, width in widths.items():
        if part and used + width > room:
            yield part
            part, used = [], start
        part.append(name)
        used += width
    yield part


def print_table(console: Screen, header: Sequence[Text], rows: Sequence[Sequence[Text]], *, left: bool = False) -> None:
    """One line of text per row.

    :param left: align all columns to the left, not only the first
    """
    if console.terminal:
        table = Table(box=rich.box.SIMPLE_HEAD if console.unicode else rich.box.ASCII)
        for number, title in enumerate(header):
            table.add_column(title, justify="right" if number and not left else "left", no_wrap=True)
        for row in rows:
            table.add_row(*row)
        console.show(table)
        return
    widths = [max(row[column].cell_len for row in [header, *rows]) for column in range(len(header))]
    for row in [header, *rows]:
        line = Text()
        for column, text in enumerate(row):
            gap = " " * (widths[column] - text.cell_len)
            line.append_text(
                Text.assemble("  " if column else "", *((text, gap) if left or not column else (gap, text)))
            )
        line.rstrip()
        console.line(line)
