"""`results/latest`: a link to the run begun last, which commands take where no run is named."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

__all__ = ["LATEST", "latest_run", "mark_latest"]

LATEST: Final = "latest"


def mark_latest(results: Path, run: str) -> None:
    """Make `latest` name this run.

    What somebody has put in its place, and file systems without links, are left as they are: nothing but a default is
    lost.
    """
    link = results / LATEST
    if run == LATEST or (os.path.lexists(link) and not link.is_symlink()):
        return
    fresh = results / f".{LATEST}.{os.getpid()}"
    with contextlib.suppress(OSError):
        results.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(run, target_is_directory=True)
        fresh.replace(link)


def latest_run(results: Path) -> str | None:
    """The run that `latest` names; None where nothing does, or it is gone."""
    link = results / LATEST
    try:
        name = str(link.readlink())
    except OSError:
        return None
    return name if (results / name).is_dir() else None
