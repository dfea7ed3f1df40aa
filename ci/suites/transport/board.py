"""The transport suite's dashboard as data: made of a run, or read back from where it is published, and written.

The tables keep the bytes of the established format (header cell, separator lengths, sorting by code unit,
symbols), because other programs read them. There the order of tables depends on the run; here it is fixed:
standalone transports first, then transport, secure channel, muxer. What the format has no
place for stands below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

from ci.reports.footnotes import REFERENCE, needed, read_definitions
from ci.reports.markdown import row_of, template
from ci.reports.missing import absent_head, read_absent
from ci.reports.order import by_code_unit, words_order
from ci.reports.runs import paragraph, read_runs
from ci.util.text import counted

__all__ = ["BELIEVED", "CORNER", "WHITE", "WHY", "Board", "Cells", "colour_of", "read_board", "tables_text"]

# Both arrows carry U+FE0F, and two spaces follow the backslash.
CORNER: Final = "⬇️ dialer 📞 \\  ➡️ listener 🎧"
WHITE: Final = ":white_circle:"
# Behind the symbol of a cell that passed although neither side reported the stack it negotiated.
BELIEVED: Final = "†"
HEADING: Final = re.compile(r"^## Using: (?P<stack>.+)$")
# Alone, or linked to the run it came from; what may follow is a footnote's sign.
SYMBOL: Final = re.compile(rf"^\[?:(?P<colour>[a-z]+)_circle:(?:\]\([^)]*\))?\S{{0,8}}(?:{REFERENCE})?$")
# Behind a cell that is yellow because it was red at first.
FLAKY: Final = "≈"
_EXPECTED: Final = re.compile(rf":yellow_circle:(?:\]\([^)]*\))?{REFERENCE}")
_NOTE: Final = re.compile(r"Without a result: (?P<note>.*)\.")
_INCOMPLETE: Final = "Incomplete: "
# Between absent versions and their reason.
WHY: Final = " – "
_PART: Final = ", not selected, or without a result."

# What stands in a table: symbols by dialer and listener, all as they are written.
Cells: TypeAlias = "Mapping[tuple[str, str], str]"


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard, as text in its places.

    :param tables: by the words of the stack; pairs that are not there are white
    :param notes: of a table, what has no result and why
    :param incomplete: shards that are not whole
    :param absent: a line per reason, with the versions that are in no table
    :param runs: which runs the cells come from, oldest first
    :param footnotes: what the notes behind cells point to, a line each
    :param part: a cell may be white because its case was not selected
    """

    tables: Mapping[tuple[str, ...], Cells] = field(default_factory=dict)
    notes: Mapping[tuple[str, ...], str] = field(default_factory=dict)
    incomplete: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    footnotes: tuple[str, ...] = ()
    part: bool = False

    @property
    def colours(self) -> Counter[str]:
        """How many cells have which colour."""
        found: Counter[str] = Counter()
        for symbol, count in self._symbols.items():
            found[colour_of(symbol)] += count
        return found

    @cached_property
    def _symbols(self) -> Counter[str]:
        """How often each stands in the tables: of thousands of cells there are a few."""
        return Counter(symbol for cells in self.tables.values() for symbol in cells.values())

    @property
    def _expected(self) -> int:
        """How many cells are red as expected."""
        return sum(count for symbol, count in self._symbols.items() if _EXPECTED.search(symbol))

    def text(self) -> str:
        """What goes between the markers."""
        return template("dashboard.md.jinja").render(
            tables=list(_tables(self)),
            incomplete=self.incomplete,
            absent=self.absent,
            absent_head=absent_head(self.absent, WHY),
            runs=paragraph(self.runs, self._total),
            believed=self._believed,
            sign=BELIEVED,
            footnotes=needed(self.footnotes, self._symbols),
            flaky=FLAKY,
            part=self.part,
        )

    @property
    def _believed(self) -> str:
        """How many cells, and of how many where all are of one run: an earlier one may not have looked at this."""
        believed = sum(count for symbol, count in self._symbols.items() if symbol.endswith(BELIEVED))
        passed = counted(self.colours["green"] + self.colours["yellow"] - self._expected, "cell")
        if not believed or len(self.runs) < 2:
            return f"{believed} of the {passed} that passed" if believed else ""
        return f"{counted(believed, 'cell')}; of an earlier run a cell without this sign need not be proved"

    @property
    def _total(self) -> str:
        colours, expected = self.colours, self._expected
        words = {
            "passed": colours["green"],
            "flaky": colours["yellow"] - expected,
            "red as expected": expected,
            "failed or timed out": colours["red"],
        }
        came_to = ", ".join(f"{count} {word}" for word, count in words.items() if count)
        results = counted(sum(words.values()), "cell")
        return f"{results} with a result, {came_to or 'none'}"


def tables_text(board: Board) -> str:
    """Only the tables: byte for byte what the established renderer makes of the same cells, in our order."""
    return template("tables.md.jinja").render(tables=list(_tables(board)), notes=False)


def read_board(section: str) -> Board:
    """A dashboard as `Board.text` has written it, or an established one; what is neither is passed over."""
    lines = section.splitlines()
    tables: dict[tuple[str, ...], dict[tuple[str, str], str]] = {}
    notes: dict[tuple[str, ...], str] = {}
    for words, listeners, line in _inside(lines):
        if note := _NOTE.fullmatch(line):
            notes[words] = note["note"]
        elif listeners and (cells := row_of(line)):
            row = tables.setdefault(words, {})
            row |= {(cells[0], listener): cell for listener, cell in zip(listeners, cells[1:], strict=False)}
    return Board(
        tables=tables,
        notes=notes,
        incomplete=tuple(line for line in lines if line.startswith(_INCOMPLETE)),
        absent=tuple(read_absent(lines)),
        runs=read_runs(lines),
        footnotes=read_definitions(lines),
        part=any(line.endswith(_PART) for line in lines),
    )


def colour_of(symbol: str) -> str:
    """`green`, `yellow`, `red` or `white`; empty for what is no symbol."""
    found = SYMBOL.match(symbol)
    return "" if found is None else found["colour"]


# --- writing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Table:
    words: tuple[str, ...]
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str

    @property
    def separator(self) -> tuple[str, ...]:
        return tuple("-" * _code_units(text) for text in self.header)


def _tables(board: Board) -> Iterator[_Table]:
    for words in sorted(board.tables, key=words_order):
        cells = board.tables[words]
        versions = sorted({version for pair in cells for version in pair}, key=by_code_unit)
        yield _Table(
            words=words,
            header=(CORNER, *versions),
            rows=tuple(
                (dialer, *(cells.get((dialer, listener), WHITE) for listener in versions)) for dialer in versions
            ),
            note=board.notes.get(words, ""),
        )


def _code_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


# --- reading ----------------------------------------------------------------------------------------------


def _inside(lines: Iterable[str]) -> Iterator[tuple[tuple[str, ...], Sequence[str], str]]:
    """Each line below a heading, with the stack's words and, inside a table's body, its listeners."""
    words: tuple[str, ...] | None = None
    listeners: list[str] = []
    for line in lines:
        heading = HEADING.match(line)
        cells = row_of(line)
        if heading:
            words, listeners = tuple(word.strip() for word in heading["stack"].split(","))[:3], []
        elif words is None:
            continue
        elif not cells:
            listeners = []
            yield words, (), line
        elif not listeners:
            listeners = cells[1:]
        elif set(cells[0]) != {"-"}:
            yield words, listeners, line
