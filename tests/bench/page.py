"""What was measured as a page: tables, plots, and which bars are met."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from bench.measuring import Section, Table

__all__ = ["write_page"]


def write_page(
    folder: Path, sections: Sequence[Section], *, repetitions: int, seconds: float, engine: str, remarks: Path
) -> None:
    """Write `README.md`.

    :param remarks: what people have to say of bars that are not met; put at its end as it is
    """
    method = (
        "Written by `nox -s bench`; all of it is from one run. What is compared was measured by turns, "
        f"{repetitions} times each; a figure is the median, with the lowest and the highest in brackets. Absolute "
        "figures are this host's; ratios say more."
    )
    host = (
        f"{os.cpu_count()} processors, {_memory()} GB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"Docker {engine}"
    )
    lines = [
        "# What it costs",
        "",
        method,
        "",
        f"* Host: {host}.",
        f"* {datetime.now(timezone.utc):%d %B %Y}, {seconds / 60:.0f} minutes.",
        "",
        "## Bars",
        "",
        *_table(
            Table(
                columns=("", "what", "wanted", "measured"),
                rows=tuple(
                    ("met" if bar.met else "**not met**", bar.what, bar.wanted, bar.shown)
                    for section in sections
                    for bar in section.bars
                ),
            )
        ),
    ]
    for section in sections:
        lines += ["", f"## ({section.letter}) {section.title}", "", section.method]
        for table in section.tables:
            lines += ["", *_table(table)]
            if table.note:
                lines += ["", table.note]
        if section.axes is not None:
            lines += ["", f"![{section.title}]({section.letter}.svg)"]
    if remarks.exists():
        lines += ["", remarks.read_text(encoding="utf-8").strip()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _table(table: Table) -> list[str]:
    rows = [table.columns, tuple("---" for _ in table.columns), *table.rows]
    return [f"| {' | '.join(row)} |" for row in rows]


def _memory() -> int:
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9)
