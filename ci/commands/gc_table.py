"""What `gc` would remove, removed, or keeps, and why: lines for people, data for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ci.engines.gc import Kind, Leftover, age_words

__all__ = ["Decided", "as_data", "kept_lines", "line", "size_words", "total"]


@dataclass(frozen=True, kw_only=True)
class Decided:
    """A leftover and what becomes of it.

    :param kept: why it stays; None if it goes
    :param failed: why it is still there although it was to go
    """

    it: Leftover
    kept: str | None = None
    failed: str | None = None


def size_words(size: int | None) -> str:
    """`388 MB`, `2.1 GB`; nothing for what has no size, or none worth telling."""
    if size is None:
        return ""
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size >= limit:
            number = size / limit
            return f"{number:.1f} {unit}" if number < 10 else f"{number:.0f} {unit}"
    return f"{size} B"


def line(it: Leftover) -> str:
    """Size, age, kind, name; the name last, because it may be long."""
    age = "?" if it.age is None else age_words(it.age)
    return f"{size_words(it.size):>8}  {age:>7}  {it.kind:9}  {it.name}"


def kept_lines(kept: Iterable[Decided]) -> list[str]:
    """How many of which kind stay, by reason, most first."""
    counts = Counter((one.kept or "", one.it.kind) for one in kept)
    rows = sorted(counts.items(), key=lambda row: (-row[1], row[0][0], row[0][1].value))
    return [f"{count:4} {_plural(kind, count)}: {reason}" for (reason, kind), count in rows]


def _plural(kind: Kind, count: int) -> str:
    words = {Kind.CACHE: ("cache entry", "cache entries"), Kind.SCRATCH: ("scratch folder", "scratch folders")}
    one, many = words.get(kind, (str(kind), f"{kind}s"))
    return one if count == 1 else many


def total(going: Sequence[Leftover]) -> int:
    """Bytes of all of them; images share layers, so less may become free."""
    return sum(it.size or 0 for it in going)


def as_data(decided: Sequence[Decided], *, removed: bool, older_than: float) -> dict[str, Any]:
    """For `--json`; see docs/commands.md."""
    rows = []
    for one in decided:
        row = {name: value for name, value in asdict(one.it).items() if name not in ("handle", "needed")}
        row["age"] = None if one.it.age is None else round(one.it.age)
        rows.append({**row, "kept": one.kept, "failed": one.failed})
    return {"schema": 1, "removed": removed, "olderThan": round(older_than), "leftovers": rows}
