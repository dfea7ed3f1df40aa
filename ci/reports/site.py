"""The folders that the established runner's web page reads, laid out from the results of a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from ci.reports.evidence_files import folders_of
from ci.reports.page_names import page_names
from ci.results.evidence_paths import path_problem
from ci.util.atomic import write_atomically

if TYPE_CHECKING:
    from ci.results.merged import Merged, MergedCase

__all__ = ["Site", "lay_out"]

LATEST: Final = "latest"
LOGS: Final = "logs.json"


@dataclass(frozen=True, kw_only=True)
class Site:
    """What was laid out.

    :param folder: of the run
    :param without_logs: cases that ran, and whose evidence is not among the results
    """

    folder: Path
    without_logs: tuple[str, ...]


def lay_out(merged: Merged, content: bytes, *, results: Path, site: Path, log_dir: str) -> Site:
    """Put `result.json` and the evidence of each case below `site`, and name the run among the others there.

    :param content: of `result.json`; its names are those of the folders
    :param results: the run's folder, with its shards
    :param log_dir: of this run, in `site`; what is there already is replaced
    :raises OSError: something cannot be written
    """
    folder = site / log_dir
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = page_names(name for case in merged.cases for name in case.pair)
    missing: list[str] = []
    for case in merged.cases:
        sources = dict.fromkeys(_evidence(case, results))
        target = folder / f"{names[case.second]}_{names[case.first]}" / case.words[0]
        found = [source for source in sources if source.is_dir()]
        for source in found:
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=_links)
        if case.result.outcome.conclusive and not found:
            missing.append(case.name)
    write_atomically(folder / "result.json", content)
    _write(site / LOGS, [*(it for it in _earlier(site / LOGS) if it != log_dir), log_dir])
    fresh = site / f".{LATEST}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(log_dir, target_is_directory=True)
    fresh.replace(site / LATEST)
    return Site(folder=folder, without_logs=tuple(missing))


def _evidence(case: MergedCase, results: Path) -> Iterator[Path]:
    """Where what was kept of a case may lie: in the run's folder, or in that of the run which repeated it."""
    for attempt in case.attempts:
        for file in attempt.evidence:
            parts = PurePosixPath(file.path).parts
            if path_problem(file.path) is None and len(parts) > 2:
                yield from (folder.joinpath(*parts[:2]) for folder in folders_of(attempt, results))


def _earlier(path: Path) -> list[str]:
    """The runs that are there already, oldest first."""
    try:
        runs = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return []
    return [it for it in runs if isinstance(it, str) and (path.parent / it).is_dir()] if isinstance(runs, list) else []


def _links(folder: str, names: list[str]) -> list[str]:
    """Nothing of ours is a link, and a page should not show what one leads to."""
    return [name for name in names if (Path(folder) / name).is_symlink()]


def _write(path: Path, document: object) -> None:
    write_atomically(path, (json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n").encode())
