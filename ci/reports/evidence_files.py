"""Where the evidence of an attempt lies on this machine, if it does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ci.results.evidence_paths import is_altered, path_problem
from ci.results.records import shard_numbers

if TYPE_CHECKING:
    from ci.results.records import Attempt, EvidenceFile

__all__ = ["folders_of", "place_of"]


def folders_of(attempt: Attempt, results: Path) -> Iterator[Path]:
    """Where the shard of an attempt may lie: in the run's folder, in that of a run which repeated its case and lies in
    it or beside it, or where each shard was fetched into a folder of its own.

    :param results: folder of the run, or of what was fetched
    """
    index, count = shard_numbers(attempt.shard)
    shard = f"shard-{index}-of-{count}"
    if path_problem(attempt.run) is None:
        yield results / attempt.run / shard
        yield results.parent / attempt.run / shard
        if results.is_dir():
            yield from (it / attempt.run / shard for it in sorted(results.iterdir()) if it.is_dir())
    # Whatever the folder was called when it was fetched from elsewhere.
    yield results / shard


def place_of(attempt: Attempt, file: EvidenceFile, results: Path) -> Path | None:
    """Where a file lies, byte for byte as its record says; None where it does not.

    Nothing outside the shard's folder is looked at, wherever its path or a link leads.
    """
    if path_problem(file.path) is not None:
        return None
    for folder in folders_of(attempt, results):
        path = folder.joinpath(*PurePosixPath(file.path).parts)
        if path.is_file() and path.resolve().is_relative_to(folder.resolve()) and not is_altered(path, file):
            return path
    return None
