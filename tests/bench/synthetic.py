"""A matrix of any size, and a run of it: what the stages that start nothing are measured with.

Every record is as large as one that a real run writes: both roles, five streams with their digests, engine, host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ci.model import Case, Outcome, Reason, ReasonCode
from ci.results.record_lines import to_line
from ci.results.records import Attempt, EvidenceFile, RoleRecord, RunEnd, RunStart, attempt_for, changed
from ci.results.shard_file import RESULTS_FILE, shard_folder

__all__ = ["SIZES", "Matrix", "write_run", "write_versions"]

# Versions of a matrix, by about how many cases it has: each pair shares eight stacks.
SIZES = {1_000: 11, 10_000: 35, 100_000: 112}
# One in so many cases is red, as in the matrices of this repository.
RED_EVERY = 7
SHARDS = 8
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Matrix:
    """A checkout with so many versions, in a folder of its own."""

    folder: Path
    versions: int

    @property
    def file(self) -> Path:
        return self.folder / "versions.yaml"


def write_versions(folder: Path, count: int) -> Matrix:
    """A `versions.yaml` with so many versions, all of which are published images and share eight stacks."""
    rows = [
        f"""  - id: go-v{number // 10}.{number % 10}
    family: go
    image: registry.example/go-v{number}@sha256:{number:064x}
    transports: [tcp, ws]
    secureChannels: [noise, tls]
    muxers: [yamux, mplex]
"""
        for number in range(count)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "versions.yaml").write_text("schema: 1\nversions:\n" + "".join(rows), encoding="utf-8")
    (folder / "README.md").write_text(
        "# Matrix\n\n<!--INTEROP_DASHBOARD_START-->\n<!--INTEROP_DASHBOARD_END-->\n", encoding="utf-8"
    )
    return Matrix(folder, count)


def write_run(
    results: Path, run: str, plan: str, plan_text: str, shards: Sequence[Sequence[Case]], *, worse: bool = False
) -> None:
    """The folders of a run that is through.

    :param plan: its digest
    :param shards: the cases of each
    :param worse: a few cases are red that are green otherwise
    """
    for index, cases in enumerate(shards, 1):
        name = f"{index}/{len(shards)}"
        folder = shard_folder(results, run, name)
        folder.mkdir(parents=True)
        (folder / "plan.json").write_text(plan_text, encoding="utf-8")
        start = RunStart(run=run, plan=plan, shard=name, tool_version="0.1.0", commit="a" * 40, host={"cpus": 2})
        with (folder / RESULTS_FILE).open("wb") as file:
            file.write(to_line(start))
            file.writelines(to_line(it) for it in _attempts(start, cases, worse=worse))
            file.write(to_line(RunEnd(planned=len(cases), reported=len(cases), ok=True)))


def _attempts(start: RunStart, cases: Sequence[Case], *, worse: bool) -> Iterator[Attempt]:
    for case in cases:
        number = int(case.key, 16)
        red = number % RED_EVERY == 0 or (worse and number % 500 == 1)
        yield _attempt(start, case, number, red=red)


def _attempt(start: RunStart, case: Case, number: int, *, red: bool) -> Attempt:
    folder = f"{case.first}_{case.second}/{'-'.join(case.words)}"
    streams = [(role, stream) for role in case.suite.roles for stream in ("stdout", "stderr")]
    files = [*streams, ("both", "output"), ("harness", "case")]
    reason = Reason(
        code=ReasonCode.DIALER_EXIT,
        text=f"the dialer exited 1 while dialing; its last line: failed after {number % 50} ms",
        side="dialer",
    )
    stack = dict(zip(("transport", "secureChannel", "muxer"), case.words, strict=True))
    return changed(
        attempt_for(start, case, Outcome.FAILED if red else Outcome.PASSED, reason if red else None),
        roles={
            role: RoleRecord(
                version=version,
                family="go",
                image_digest="sha256:" + hashlib.sha256(version.encode()).hexdigest(),
                build_key=hashlib.sha256(version.encode()).hexdigest(),
                exit_code=int(red and role == "dialer"),
            )
            for role, version in case.versions.items()
        },
        inputs=hashlib.sha256(case.key.encode()).hexdigest(),
        of=2,
        started_at="2026-11-28T00:14:38.677Z",
        durations={"verdict": 100 + number % 300, "judging": 1, "total": 200 + number % 300},
        metrics={} if red else {"handshakePlusOneRTTMillis": 5 + number % 100 / 10, "pingRTTMilllis": 0.5},
        negotiated=None if red else stack,
        published=(
            f"/ip4/192.168.128.2/tcp/{1024 + number % 60000}/p2p/12D3KooWR5bBdPtWYDQwgd52qLmo9qFqDJfX2A6p1qqrBpiH6KdN",
        ),
        engine={
            "name": "docker",
            "version": "20.10.24",
            "storage": "overlay2",
            "cgroup": "1",
            "kernel": "6.1.0",
            "architecture": "x86_64",
            "cpus": 2,
            "memoryBytes": 8 << 30,
        },
        host={"cpus": 2, "load1": round(number % 300 / 100, 2), "workers": 2},
        evidence=tuple(
            EvidenceFile(
                role=role, stream=stream, path=f"{folder}/{role}.{stream}.txt", size=number % 1000, sha256=_EMPTY
            )
            for role, stream in files
        ),
        limits={"deadlineSeconds": 190, "memoryBytes": 1 << 30},
        repro=f'nox -s repro -- "{case.name}"',
    )
