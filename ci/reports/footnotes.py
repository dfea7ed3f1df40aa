"""Notes behind cells that are red or flaky as expected: GitHub numbers them and links both ways.

A note's label is the id of the expectation, so notes of several runs and suites stand in one file without conflict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ci.reports.markdown import code, is_linkable
from ci.results.aggregate import CaseVerdict

if TYPE_CHECKING:
    from ci.model import Expectation
    from ci.results.merged import Merged, MergedCase

__all__ = ["REFERENCE", "definitions", "needed", "read_definitions", "reference"]

_LABEL: Final = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"
# Behind a cell; as part of larger patterns.
REFERENCE: Final = rf"\[\^{_LABEL}\]"
_DEFINITION: Final = re.compile(rf"\[\^(?P<label>{_LABEL})\]: .*")


def reference(case: MergedCase) -> str:
    """What follows a case that is as expected; empty for any other."""
    known = case.expectation if case.verdict is CaseVerdict.EXPECTED else None
    return f"[^{known.id}]" if known is not None and re.fullmatch(_LABEL, known.id) else ""


def definitions(merged: Merged) -> tuple[str, ...]:
    """A line for each expectation that a reference of this run points to."""
    met = dict.fromkeys(it.expectation for it in merged.cases if reference(it))
    return tuple(_definition(it) for it in met if it is not None)


def _definition(known: Expectation) -> str:
    why = f": {code(known.reason, 400)}" if known.reason else ""
    since = "" if known.since is None else f", since {known.since.isoformat()}"
    link = f"; [discussion]({known.link})" if known.link is not None and is_linkable(known.link) else ""
    return f"[^{known.id}]: {code(known.id)}, expected: {known.expect}{since}{why}{link}"


def read_definitions(lines: Iterable[str]) -> tuple[str, ...]:
    """Those of a published section."""
    return tuple(line for line in lines if _DEFINITION.fullmatch(line))


def needed(notes: Sequence[str], cells: Iterable[str]) -> tuple[str, ...]:
    """The definitions that any of these cells refers to, each label once, the first of several."""
    used = {label for text in cells for label in re.findall(REFERENCE, text)}
    by_label: dict[str, str] = {}
    for note in notes:
        found = _DEFINITION.fullmatch(note)
        if found is not None and f"[^{found['label']}]" in used:
            by_label.setdefault(found["label"], note)
    return tuple(by_label.values())
