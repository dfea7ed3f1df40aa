"""The lists of cells in docs/findings.md: of each expectation the published cells that it explains.

`nox -s documents` writes them between their markers; what stands around them is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.config.catalogue import load
from ci.plan.expected import ExpectedCases, expected_cases
from ci.suites.dashboards import published_cells
from ci.suites.registry import SUITES, known_suites
from ci.util.atomic import write_atomically

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["MARKED", "explained", "unexplained", "written"]

# <!-- cells: ID --> … <!-- end of cells -->
MARKED: Final = re.compile(
    r"(?<=<!-- cells: )(?P<id>[\w.-]+)(?P<start> -->\n).*?(?P<end><!-- end of cells -->)", re.DOTALL
)


def published_red(readme: str) -> Iterator[Case]:
    """The cells of all dashboards that are red, or pass only at times."""
    for suite in SUITES.values():
        for case, colour in published_cells(readme, suite.words).items():
            if colour in ("red", "yellow"):
                yield case


def unexplained(readme: str, expected: ExpectedCases) -> list[str]:
    """Of these cells those that nothing was said of, by their names."""
    return [case.name for case in published_red(readme) if case.key not in expected.by_key]


def explained(readme: str, expected: ExpectedCases) -> dict[str, list[Case]]:
    """Of each expectation the cells that it explains, in the order of the dashboards."""
    found: dict[str, list[Case]] = {}
    for case in published_red(readme):
        if (expectation := expected.by_key.get(case.key)) is not None:
            found.setdefault(expectation.id, []).append(case)
    return found


def written(findings: str, cells: Mapping[str, Sequence[Case]]) -> str:
    """The page with its lists made anew."""
    return MARKED.sub(lambda it: f"{it['id']}{it['start']}{_list(cells.get(it['id'], ()))}{it['end']}", findings)


def _list(cases: Sequence[Case]) -> str:
    lines = []
    for pair, of_pair in groupby(sorted(cases, key=lambda case: case.pair), key=lambda case: case.pair):
        words = [", ".join(case.words) for case in of_pair]
        lines.append(f"* `{' x '.join(pair)}`: {'; '.join(words)}\n")
    return "".join(lines) or "None is red in the published dashboards.\n"


def _main(root: Path) -> None:
    page = root / "docs" / "findings.md"
    cells = explained(
        (root / "README.md").read_text(encoding="utf-8"), expected_cases(load(root / "versions.yaml", known_suites()))
    )
    write_atomically(page, written(page.read_text(encoding="utf-8"), cells).encode())


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
