"""A small selection that still touches everything: greedy set cover over what cases show.

What a case shows its suite says. In the transport suite it is that one version dials another one over a transport, and
that each manages, in its role, a secure channel over that transport, and a muxer. The cover shows each of these at
least once, where the cases it chooses from show it at all: so each pair in both directions, and tcp with tls as well as
with noise.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["covering"]


def covering(cases: Sequence[Case], shown_by: Callable[[Case], Iterable[Hashable]]) -> frozenset[Case]:
    """The cases chosen: together they show whatever all of `cases` show.

    Each step takes the case that shows most of what is still missing; among equals the one that comes first, so the
    choice depends on nothing but the cases and their order.
    """
    shown = [frozenset(shown_by(case)) for case in cases]
    missing = set().union(*shown)
    # What a case adds only ever shrinks, so one that is still as good as when it was weighed is the best.
    queue = [(-len(facts), position) for position, facts in enumerate(shown)]
    heapq.heapify(queue)
    chosen: set[Case] = set()
    while missing:
        weighed, position = heapq.heappop(queue)
        gain = len(shown[position] & missing)
        if gain < -weighed:
            heapq.heappush(queue, (-gain, position))
            continue
        missing -= shown[position]
        chosen.add(cases[position])
    return frozenset(chosen)
