"""Folders that are a checkout of nothing but a versions.yaml and a README, and `python -m ci …` in them."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.engines.docker.daemon import LABEL, Daemon, sweep

__all__ = ["Checkout", "assert_nothing_is_left", "make_checkout", "make_network_checkout", "own_run"]

ROOT = Path(__file__).resolve().parents[1]
MARKERS = "<!--INTEROP_DASHBOARD_START-->\n<!--INTEROP_DASHBOARD_END-->\n"


def own_run(name: str) -> str:
    """The name of a run that no other test process on the same engine has, so that what it leaves is its own."""
    return f"{name}-{secrets.token_hex(4)}"


def assert_nothing_is_left(daemon: Daemon, *runs: str) -> None:
    """Commands are processes of their own: what they made in these runs is gone, or the next command finds it."""
    sweep(daemon.api)
    for run in runs:
        gone = {"label": f"{LABEL}.run={run}"}
        assert daemon.api.containers(all=True, filters=gone) == []
        assert daemon.api.networks(filters=gone) == []


@dataclass(frozen=True)
class Checkout:
    """A folder with a versions.yaml of fake peers."""

    folder: Path

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
        for name in ("GITHUB_ACTIONS", "INTEROP_RUN", "INTEROP_CACHE_FROM", "INTEROP_CACHE_TO"):
            environment.pop(name, None)
        return subprocess.Popen(
            [sys.executable, "-m", "ci", *words],
            cwd=self.folder,
            env=environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str, **more: Any) -> tuple[int, str]:
        process = self.start(*words, **more)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def records(self, run: str, shard: str = "1-of-1") -> list[dict[str, Any]]:
        lines = (self.folder / "results" / run / f"shard-{shard}" / "results.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def attempts(self, run: str, shard: str = "1-of-1") -> list[dict[str, Any]]:
        return [record for record in self.records(run, shard) if record["type"] == "attempt"]


def make_checkout(
    folder: Path,
    behaviours: Mapping[str, str],
    peer_image: Callable[[str], str],
    *,
    contracts: Mapping[str, str] | None = None,
) -> Checkout:
    """A checkout whose versions behave as told.

    :param behaviours: by version; what holds a `/` is an image, and not made here
    :param contracts: by version, where it is not `unified`
    """
    rows = []
    for name, behaviour in behaviours.items():
        image = behaviour if "/" in behaviour else peer_image(behaviour)
        contract = (contracts or {}).get(name, "unified")
        rows.append(
            f"  - {{id: {name}, family: {name.partition('-')[0]}, image: '{image}', transports: [tcp],"
            f" secureChannels: [noise], muxers: [yamux], contract: {contract}, timeoutSecs: 5}}"
        )
    (folder / "versions.yaml").write_text("schema: 1\nversions:\n" + "\n".join(rows) + "\n")
    (folder / "README.md").write_text(f"# Before\n\n{MARKERS}\nafter\n")
    return Checkout(folder)


def make_network_checkout(folder: Path, endpoints: Mapping[str, str], *, roles: Mapping[str, str]) -> Checkout:
    """A checkout of the quic suite.

    :param endpoints: image by version
    :param roles: by version, where it is not `both`
    """
    rows = [
        f"  - {{id: {name}, family: {name.partition('-')[0]}, image: '{image}', suites: [quic],"
        f" role: {roles.get(name, 'both')}}}"
        for name, image in endpoints.items()
    ]
    (folder / "versions.yaml").write_text("schema: 1\nversions:\n" + "\n".join(rows) + "\n")
    for support in ("simulator", "iperf"):
        (folder / "impls" / support).mkdir(parents=True)
        (folder / "impls" / support / "Makefile").write_text("all:\n")
    return Checkout(folder)
