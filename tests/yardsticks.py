"""What the commands print and write for stored input, kept whole: what a change of structure must not change.

The input is a frozen `versions.yaml` and one small shard of each suite, recorded on real implementations with their
evidence. To record the outputs anew, after a change that is meant: `python tests/yardsticks.py`, and read the diff.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["GOLDEN", "HELP", "SUITES", "helps", "listings", "results"]

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "tests/data/yardsticks"
GOLDEN = DATA / "golden"
# Each with a version that is left out of the listing.
SUITES = {"transport": "go-v0.45", "quic": "quic-go-v0.59", "webtransport": "chromium-*"}
HELP = "help.txt"
# Whatever weights were last recorded: how long a case is thought to take is no part of what is held here, nor is the
# digest of a plan, in which it stands.
SECONDS = re.compile(r'"seconds": [0-9.]+')
PLAN = re.compile(r'"plan": "sha256:[0-9a-f]+"')
MARKERS = ("INTEROP", "QUIC", "WEBTRANSPORT")


def ci(folder: Path, *words: str) -> str:
    """What `python -m ci …` prints in a folder, its exit code last."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "COLUMNS": "120"}
    for name in (
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "INTEROP_RUN",
        "INTEROP_CACHE_FROM",
        "INTEROP_CACHE_TO",
        "FORCE_COLOR",
    ):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-m", "ci", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    # Where nox is, and so how it is called, is the machine's.
    said = re.sub(r"^next: \S*nox ", "next: nox ", done.stdout.rstrip(), flags=re.MULTILINE)
    return f"{said}\nexit {done.returncode}\n"


def checkout(folder: Path) -> Path:
    """A folder as a checkout is: rows, the folders they name, and a README with all markers."""
    shutil.copy(DATA / "versions.yaml", folder)
    builds = re.findall(r"^    build: (\S+)$", (DATA / "versions.yaml").read_text(), re.MULTILINE)
    for build in (*builds, "impls/simulator", "impls/iperf"):
        (folder / build).mkdir(parents=True, exist_ok=True)
        (folder / build / "Makefile").touch()
    pairs = (f"# {name}\n\n<!--{name}_DASHBOARD_START-->\n<!--{name}_DASHBOARD_END-->\n" for name in MARKERS)
    (folder / "README.md").write_text("\n".join(pairs))
    return folder


def helps(folder: Path) -> Iterator[tuple[str, str]]:
    """The help of the program and of each of its commands."""
    top = ci(folder, "--help")
    commands = re.findall(r"^    ([a-z][a-z-]+)", top, re.MULTILINE)
    yield HELP, "\n".join([top, *(f"--- {name} ---\n{ci(folder, name, '--help')}" for name in commands)])


def listings(folder: Path, suite: str) -> Iterator[tuple[str, str]]:
    """All cases of a suite as `list` has them, left out ones and why included: some lines, and the digest of all."""
    words = ("list", "--suite", suite, "--json", "--select", "*-v0.*", "--select", "*-v1.*", "--ignore", SUITES[suite])
    said = PLAN.sub('"plan": ""', SECONDS.sub('"seconds": 0', ci(folder, *words)))
    lines = said.splitlines(keepends=True)
    every = "".join(lines[:: max(1, len(lines) // 20)])
    yield f"list-{suite}.json", f"{every}{lines[-1]}{hashlib.sha256(said.encode()).hexdigest()}\n"


def results(folder: Path, suite: str) -> Iterator[tuple[str, str]]:
    """What becomes of a stored shard: merged, as a matrix, in the README, in the format of the QUIC runner."""
    words = ("--suite", suite, "--run", "yardstick")
    shutil.copytree(DATA / suite, folder / "results/yardstick/shard-1-of-1")
    shutil.copy(DATA / "shards.yaml", folder / "versions.yaml")
    yield f"{suite}-matrix.txt", ci(folder, "merge-results", *words, "--accept-red", "--matrix")
    yield f"{suite}-merged.json", (folder / "results/yardstick/merged.json").read_text()
    said = ci(folder, "update-readme", *words, "--partial")
    yield f"{suite}-README.md", (folder / "README.md").read_text() + said
    if suite != "transport":
        said = ci(folder, "export-results", *words, "--format", "quic-interop-runner", "--output", "out.json")
        yield f"{suite}-export.json", (folder / "out.json").read_text() + said


def record() -> None:
    """Write everything anew."""
    shutil.rmtree(GOLDEN, ignore_errors=True)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for suite in (None, *SUITES):
        with tempfile.TemporaryDirectory() as name:
            folder = checkout(Path(name))
            for file, text in helps(folder) if suite is None else (*listings(folder, suite), *results(folder, suite)):
                (GOLDEN / file).write_text(text)


if __name__ == "__main__":
    record()
