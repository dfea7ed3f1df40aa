"""What one attempt leaves on disk: one file per role and stream, both sides interleaved, and `case.json`."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci.capture import interleave
from ci.records import EvidenceFile
from ci.scene import REDIS_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ci.model import Case, Verdict
    from ci.provision import Image
    from ci.scene import Evidence, Scene

__all__ = ["evidence_folder", "write_evidence"]


def evidence_folder(case: Case, attempt: int) -> str:
    """Relative to the shard's folder: `<dialer>_<listener>/<params>`, and a folder of its own for every retry."""
    base = f"{case.dialer}_{case.listener}/{'-'.join(case.params.words)}"
    return base if attempt == 1 else f"{base}/attempt-{attempt}"


def write_evidence(
    root: Path,
    scene: Scene,
    evidence: Evidence,
    verdict: Verdict,
    *,
    attempt: int,
    images: Mapping[str, Image],
    started_at: str,
    durations: Mapping[str, float],
) -> tuple[EvidenceFile, ...]:
    """Write everything into the case's folder and say what was written.

    :param root: the shard's folder
    :raises OSError: the disk is full or not ours
    """
    where = evidence_folder(scene.case, attempt)
    folder = root / where
    if attempt == 1:
        # Left by a run that was killed in the middle of this very case.
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)

    files = []

    def keep(name: str, data: bytes, *, role: str, stream: str, truncated: bool = False) -> None:
        (folder / name).write_bytes(data)
        files.append(
            EvidenceFile(
                role=role,
                stream=stream,
                path=f"{where}/{name}",
                size=len(data),
                sha256=hashlib.sha256(data).hexdigest(),
                truncated=truncated,
            )
        )

    for (role, stream), capture in evidence.streams.items():
        keep(f"{role}.{stream}.txt", capture.data(), role=role, stream=stream, truncated=capture.truncated)
    both = {f"{role}/{stream}": capture for (role, stream), capture in evidence.streams.items()}
    keep("output.txt", interleave(both).encode(), role="both", stream="output")
    facts = _facts(scene, evidence, verdict, images=images, attempt=attempt, started_at=started_at, durations=durations)
    keep("case.json", (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode(), role="harness", stream="case")
    return tuple(files)


def _facts(
    scene: Scene,
    evidence: Evidence,
    verdict: Verdict,
    *,
    images: Mapping[str, Image],
    attempt: int,
    started_at: str,
    durations: Mapping[str, float],
) -> dict[str, Any]:
    return {
        "case": scene.case.name,
        "key": scene.case.key,
        "attempt": attempt,
        "startedAt": started_at,
        "durations": dict(durations),
        "deadlineSeconds": scene.deadline,
        "outcome": verdict.outcome.value,
        "reason": None if verdict.reason is None else asdict(verdict.reason),
        "warnings": list(verdict.warnings),
        "metrics": verdict.metrics,
        "negotiated": verdict.negotiated,
        "published": list(evidence.published),
        "asked": evidence.asked,
        "ending": evidence.ending.value,
        "redisKeys": {"listener": scene.listener_key, "dialer": scene.dialer_key},
        "roles": {
            actor.role: {
                "version": actor.version,
                "image": images[actor.version].digest,
                "buildKey": images[actor.version].build_key,
                "environment": {name: value for name, value in actor.environment.items() if name != REDIS_PASSWORD},
                "limits": asdict(actor.limits),
                "end": asdict(evidence.exits[actor.role]) if actor.role in evidence.exits else None,
            }
            for actor in scene.actors
        },
    }
