"""What one attempt leaves on disk: one file per role and stream, both sides interleaved, and `case.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ci.runner.evidence_folder import EvidenceFolder, case_folder
from ci.spec.attempt import REDIS_PASSWORD
from ci.spec.capture import interleave

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci.images.base import Image
    from ci.model import Verdict
    from ci.spec.attempt import AttemptSpec, Evidence

__all__ = ["write_evidence"]


def write_evidence(
    root: Path,
    spec: AttemptSpec,
    evidence: Evidence,
    verdict: Verdict,
    *,
    attempt: int,
    images: Mapping[str, Image],
    started_at: str,
    durations: Mapping[str, float],
) -> EvidenceFolder:
    """Write everything into the case's folder.

    :param root: the shard's folder
    :raises OSError: the disk is full or not ours
    """
    folder = EvidenceFolder(root, case_folder(spec.case), attempt=attempt)
    for (role, stream), capture in evidence.streams.items():
        folder.write(f"{role}.{stream}.txt", capture.data(), role=role, stream=stream, truncated=capture.truncated)
    both = {f"{role}/{stream}": capture for (role, stream), capture in evidence.streams.items()}
    folder.write("output.txt", interleave(both).encode(), role="both", stream="output")
    folder.write_json(
        "case.json",
        _facts(spec, evidence, verdict, images=images, attempt=attempt, started_at=started_at, durations=durations),
    )
    return folder


def _facts(
    spec: AttemptSpec,
    evidence: Evidence,
    verdict: Verdict,
    *,
    images: Mapping[str, Image],
    attempt: int,
    started_at: str,
    durations: Mapping[str, float],
) -> dict[str, Any]:
    return {
        "case": spec.case.name,
        "key": spec.case.key,
        "attempt": attempt,
        "startedAt": started_at,
        "durations": dict(durations),
        "deadlineSeconds": spec.deadline,
        "outcome": verdict.outcome.value,
        "reason": None if verdict.reason is None else asdict(verdict.reason),
        "warnings": list(verdict.warnings),
        "metrics": verdict.metrics,
        "negotiated": verdict.negotiated,
        "published": list(evidence.published),
        "publishedBy": list(evidence.published_by),
        "asked": evidence.asked,
        "received": evidence.received,
        "ending": evidence.ending.value,
        "redisKeys": {"listener": spec.listener_key, "dialer": spec.dialer_key},
        "roles": {
            participant.role: {
                "version": participant.version,
                "image": images[participant.version].digest,
                "buildKey": images[participant.version].build_key,
                "environment": {
                    name: value for name, value in participant.environment.items() if name != REDIS_PASSWORD
                },
                "limits": asdict(participant.limits),
                "end": asdict(evidence.exits[participant.role]) if participant.role in evidence.exits else None,
            }
            for participant in spec.participants
        },
    }
