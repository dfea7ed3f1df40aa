"""Which failures count as *unsupported*, because nobody at all gets that far with the same endpoint.

The rule is the established runner's (quic-interop contract, section 5.4). There it overwrites the verdict; here it is
a reading of merged results, made when they are shown or exported, and what was measured stays beside it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.reports.missing import shown_and_absent
from ci.suites.quic.reports.planned_tests import planned_tests

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase

__all__ = ["auto_unsupported", "default_exemption"]

_NEGATIVE: Final = frozenset({Outcome.FAILED, Outcome.TIMED_OUT, Outcome.UNSUPPORTED})


def auto_unsupported(merged: Merged, *, exempt: Collection[str] | None = None) -> frozenset[str]:
    """Keys of the cases that failed, and whose client failed with every server or whose server with every client.

    Tests only, no measurements. A side is looked at only where the other has more than one version; a cell without a
    result is neither, so it keeps the rule from its row and column. Versions without a single result (their image
    could not be had) are no part of the run.

    :param exempt: versions that are never looked at; by default `default_exemption`
    """
    exempt = default_exemption(merged) if exempt is None else exempt
    clients, servers = _participants(merged)
    names = {test.name for test in planned_tests(merged) if not test.is_measurement}
    cells = {(case.first, case.second, case.words[0]): case for case in merged.cases}
    found: set[str] = set()
    for name in names:
        rows = [[cells.get((client, server, name)) for server in servers] for client in clients if client not in exempt]
        columns = [
            [cells.get((client, server, name)) for client in clients] for server in servers if server not in exempt
        ]
        # Whichever goes first: what the one turns into *unsupported* was negative for the other before.
        for line in (rows if len(servers) > 1 else []) + (columns if len(clients) > 1 else []):
            negative = [case for case in line if _negative(case)]
            if len(negative) == len(line):
                found.update(case.key for case in negative if case is not None)
    return frozenset(case.key for case in merged.cases if case.key in found and _failed(case))


def default_exemption(merged: Merged) -> frozenset[str]:
    """The only client, or the only server: a run of one implementation is made to see what that does."""
    return frozenset(name for side in _participants(merged) if len(side) == 1 for name in side)


def _participants(merged: Merged) -> tuple[list[str], list[str]]:
    shown, _ = shown_and_absent(merged)
    return (
        sorted({case.first for case in merged.cases} & shown),
        sorted({case.second for case in merged.cases} & shown),
    )


def _negative(case: MergedCase | None) -> bool:
    return case is not None and case.result.outcome in _NEGATIVE


def _failed(case: MergedCase) -> bool:
    return case.result.outcome in _NEGATIVE and case.result.outcome is not Outcome.UNSUPPORTED
