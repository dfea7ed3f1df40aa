"""The page as a folder to be served: with the merged results, a badge, and the evidence of what is not green."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ci.reports.evidence_files import place_of
from ci.reports.formats.badge import BADGE
from ci.reports.page.report import HTML
from ci.results.aggregate import CaseVerdict
from ci.results.merged_file import merged_lines
from ci.util.atomic import write_atomically

if TYPE_CHECKING:
    from ci.reports.base import ReportOptions
    from ci.results.merged import Merged
    from ci.results.records import Attempt, EvidenceFile

__all__ = ["PageFolder", "lay_out_page"]

EVIDENCE: Final = "evidence"
# A site on GitHub Pages may have 1 GB, and there are several suites.
MOST_BYTES: Final = 200 << 20
# A file of another kind is a stranger's, and could be a page with a script in it: it is served as text.
AS_THEY_ARE: Final = frozenset({".txt", ".log", ".json", ".pcap", ".pcapng", ".qlog", ".sqlog"})
# The worst first: where there is no room for all, these are wanted.
_WANTED: Final = (CaseVerdict.UNEXPECTED, CaseVerdict.ERROR, CaseVerdict.FLAKY, CaseVerdict.STALE, CaseVerdict.EXPECTED)


@dataclass(frozen=True, kw_only=True)
class PageFolder:
    """What was laid out.

    :param files: of evidence, copied
    :param left_out: of evidence, for which there was no room
    """

    files: int
    left_out: int


def lay_out_page(merged: Merged, options: ReportOptions, site: Path, *, most_bytes: int = MOST_BYTES) -> PageFolder:
    """Write `index.html`, `merged.json`, `badge.json` and `evidence/`; what is there by these names is replaced.

    :raises OSError: something cannot be written
    """
    site.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(site / EVIDENCE, ignore_errors=True)
    links: dict[tuple[str, str], str] = {}
    left, left_out = most_bytes, 0
    for attempt, file in _evidence(merged):
        place = None if options.folder is None else place_of(attempt, file, options.folder)
        if place is None or (attempt.run, file.path) in links:
            continue
        if file.size > left:
            left_out += 1
            continue
        left -= file.size
        parts = (EVIDENCE, attempt.run, *PurePosixPath(_served_as(file.path)).parts)
        target = site.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(place, target)
        links[attempt.run, file.path] = "/".join(map(quote, parts))
    write_atomically(site / "merged.json", merged_lines(merged))
    write_atomically(site / BADGE.file_name, BADGE.render(merged, options))
    write_atomically(site / "index.html", HTML.render(merged, replace(options, links=links)).encode())
    return PageFolder(files=len(links), left_out=left_out)


def _evidence(merged: Merged) -> Iterator[tuple[Attempt, EvidenceFile]]:
    for verdict in _WANTED:
        for case in merged.cases:
            if case.verdict is verdict:
                yield from ((attempt, file) for attempt in case.attempts for file in attempt.evidence)


def _served_as(path: str) -> str:
    return path if PurePosixPath(path).suffix.lower() in AS_THEY_ARE else f"{path}.txt"
