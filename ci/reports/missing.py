"""What has no result, and why: versions without a single one, and cells beside others that have one.

What a published dashboard says of this is brought up to date when cells of a later run are put into it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from ci.reports.markdown import code
from ci.reports.order import by_code_unit
from ci.results.merged import Merged, MergedCase, ShardState
from ci.util.text import counted

__all__ = ["absent_head", "fewer", "incomplete", "notes", "read_absent", "shown_and_absent", "why", "without"]

_MOST_REASONS: Final = 8
# What went wrong stands at the end, behind an image's reference with its digest.
_REASON_BYTES: Final = 480
_ABSENT: Final = "Not run, and in no table:"
_COUNTED: Final = re.compile(r"(?P<count>\d+) (?:×|for|of these:) ")
# A version in a list of absent ones, and how many cells it has.
_NAMED: Final = re.compile(r"(?P<name>`[^`]*`|[^\s,`]+)(?: \(\d+ cells?\))?(?:, )?")


def shown_and_absent(merged: Merged) -> tuple[frozenset[str], list[str]]:
    """Versions with a result, and those without a single one."""
    shown = _versions([case for case in merged.cases if case.result.outcome.conclusive])
    return shown, sorted(_versions(merged.cases) - shown, key=by_code_unit)


def _versions(cases: Collection[MergedCase]) -> frozenset[str]:
    return frozenset({it.first for it in cases} | {it.second for it in cases})


def notes(cases: Iterable[MergedCase]) -> Iterator[str]:
    """Cells that were planned and have no result, counted by reason, as Markdown."""
    reasons = Counter(
        f"{case.result.outcome.replace('-', ' ')}{why(case)}" for case in cases if not case.result.outcome.conclusive
    )
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ordered[:_MOST_REASONS]:
        yield f"{count} × {reason}"
    rest = ordered[_MOST_REASONS:]
    if rest:
        yield f"{sum(count for _, count in rest)} for {counted(len(rest), 'other reason')}"


def why(case: MergedCase, most: int = _REASON_BYTES) -> str:
    """The reason of a result as the end of a line of Markdown.

    :param most: bytes; of what is longer the beginning and the end
    """
    reason = case.result.reason
    return "" if reason is None else f" – {reason.code}: {code(reason.text, most)}"


def absent_head(lines: Iterable[str], behind: str) -> str:
    """What stands above the lines of absent versions, which a reader unfolds.

    :param behind: what stands between the versions and their reason
    """
    names = sum(1 for line in lines for _ in _NAMED.finditer(line.partition(behind)[0]))
    return f"{_ABSENT} {counted(names, 'version')}"


def incomplete(merged: Merged) -> Iterator[str]:
    """What shards are not whole, a line per kind."""
    for state, text in (
        (ShardState.MISSING, "no results from shard {}"),
        (ShardState.TRUNCATED, "shard {} was cut short"),
    ):
        shards = [shard.shard for shard in merged.shards if shard.state is state]
        if shards:
            yield f"Incomplete: {text.format(', '.join(shards))}."


# --- of a published dashboard -----------------------------------------------------------------------------


def read_absent(lines: Iterable[str]) -> Iterator[str]:
    """The lines of absent versions; in a dashboard of an earlier release they are not folded."""
    inside = False
    for line in lines:
        inside = _ABSENT in line or (inside and (not line or line.startswith("* ")))
        if inside and line.startswith("* "):
            yield line.removeprefix("* ")


def fewer(note: str, now: int) -> str:
    """The notes after `now` more of the cells they count have got a result; empty when none is left.

    Which of several reasons a cell had is not published, so only their sum can be corrected.
    """
    parts = note.split("; ")
    first = _COUNTED.match(note)
    if not now or first is None:
        return note
    if " of these: " in first[0]:
        left, rest = int(first["count"]) - now, note[first.end() :]
    else:
        left, rest = sum(int(found["count"]) for part in parts if (found := _COUNTED.match(part))) - now, note
    if left <= 0:
        return ""
    return f"{left} × {note[first.end() :]}" if len(parts) == 1 and rest is note else f"{left} of these: {rest}"


def without(line: str, shown: Collection[str], behind: str) -> str:
    """A line of absent versions without those that have a result by now; empty when none is left.

    :param behind: what stands between the versions and their reason
    """
    names, middle, reason = line.partition(behind)
    left = [found[0].removesuffix(", ") for found in _NAMED.finditer(names) if found["name"] not in shown]
    return f"{', '.join(left)}{middle}{reason}" if left else ""
