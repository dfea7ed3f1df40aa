"""Real cells, as every benchmark of cases runs them: with the command, or through the runner in this process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.measuring import Cost, costs
from ci.commands.workspace import Workspace, add_selection_arguments
from ci.engines.docker.daemon import Daemon, connect
from ci.engines.docker.helper_image import helper_image
from ci.engines.docker.images import Images
from ci.images.base import Image, Unavailable
from ci.model import Case
from ci.util.arguments import Parser

__all__ = ["ROOT", "Cells", "Session", "open_session", "pairs", "run_shard"]

ROOT = Path(__file__).resolve().parents[2]


def pairs(roles: tuple[str, str], *ids: str) -> list[str]:
    """The selection of all cells among these versions."""
    return [f"{roles[0]}:{one} and {roles[1]}:{other}" for one in ids for other in ids]


@dataclass(frozen=True)
class Cells:
    """Cells by their selection.

    :param ignored: what is left out of it
    """

    selects: tuple[str, ...]
    ignored: tuple[str, ...] = ()
    suite: str = "transport"

    @property
    def words(self) -> list[str]:
        return [
            *("--suite", self.suite),
            *(word for it in self.selects for word in ("--select", it)),
            *(word for it in self.ignored for word in ("--ignore", it)),
        ]

    def workspace(self) -> Workspace:
        parser = Parser(prog="bench")
        add_selection_arguments(parser)
        arguments = parser.parse_args([*self.words, "--versions", str(ROOT / "versions.yaml")])
        return Workspace.from_arguments(arguments)

    def cases(self) -> list[Case]:
        return [one.case for one in self.workspace().plan.selected]


def run_shard(cells: Cells, folder: Path, *words: str) -> tuple[Cost, list[dict[str, Any]]]:
    """Run cells with the command, from nothing; what it costs, and the records it leaves."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "ci", "run-shard", "1/1", *cells.words, "--pull", "never", "--retries", "0"]
    with costs() as cost:
        done = subprocess.run(
            [*command, "--results", str(folder), "--run", "bench", "--accept-red", *words],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
    lines = (folder / "bench/shard-1-of-1/results.jsonl").read_text(encoding="utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["type"] == "attempt"]
    if done.returncode not in (0, 1) or not records or any(it["outcome"] in ("error", "not-run") for it in records):
        raise RuntimeError(f"the cells could not be run:\n{done.stdout}{done.stderr}")
    begins = [datetime.fromisoformat(it["startedAt"].replace("Z", "+00:00")).timestamp() for it in records]
    ends = [begin + it["durations"]["total"] / 1000 for begin, it in zip(begins, records, strict=True)]
    cost.running = max(ends) - min(begins)
    return cost, records


@dataclass(frozen=True)
class Session:
    """An engine, and the images of some cells."""

    daemon: Daemon
    helper: str
    workspace: Workspace
    images: dict[str, Image]

    def futures(self) -> dict[str, Future[Image | Unavailable]]:
        found: dict[str, Future[Image | Unavailable]] = {}
        for name, image in self.images.items():
            found[name] = Future()
            found[name].set_result(image)
        return found


@contextmanager
def open_session(cells: Cells) -> Iterator[Session]:
    """:raises RuntimeError: an image is not there"""
    workspace = cells.workspace()
    client = connect(workers=8)
    daemon = Daemon(client, run="bench")
    version = client.api.version()
    platform = f"{version['Os']}/{version['Arch']}"
    images = Images(daemon, root=ROOT, key_of=lambda folder: workspace.content_key(folder, platform=platform))
    found = {}
    for it in workspace.needed:
        image = images.find(it)
        if isinstance(image, Unavailable):
            raise RuntimeError(f"{it.id}: {image.text}; build it first")  # noqa: TRY004 -- no mistake of types
        found[it.id] = image
    try:
        yield Session(daemon, helper_image(daemon, ROOT), workspace, found)
    finally:
        client.close()
