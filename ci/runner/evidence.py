"""What one attempt leaves on disk: each stream, all of them interleaved, what was gathered, and `case.json`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ci.runner.evidence_folder import EvidenceFolder, case_folder
from ci.spec.attempt import REDIS_PASSWORD
from ci.spec.capture import Capture, interleave

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ci.images.base import Image
    from ci.model import Case, Verdict
    from ci.results.records import EvidenceFile
    from ci.runner.base import AttemptContext
    from ci.spec.attempt import Evidence
    from ci.suites.base import CaseRun, Repetition
    from ci.util.json_document import Json

__all__ = ["keep_evidence"]


def keep_evidence(
    folder: EvidenceFolder | None,
    case: Case,
    run: CaseRun,
    repetitions: Sequence[Repetition],
    verdict: Verdict,
    context: AttemptContext,
    images: Mapping[str, Image],
    durations: Mapping[str, float],
) -> tuple[EvidenceFile, ...]:
    """Write what is known besides what was gathered already, and drop what nobody will ask for.

    :param folder: of the attempt, where something was gathered; else it is made
    :raises OSError: the disk is full or not ours
    """
    if folder is None:
        folder = EvidenceFolder(context.folder, case_folder(case), attempt=context.number)
    for repetition in repetitions:
        _write_streams(folder, repetition)
    facts = run.facts(folder.path, [(it, _participants(it, images)) for it in repetitions])
    folder.write_json(
        "case.json",
        {
            "case": case.name,
            "key": case.key,
            "attempt": context.number,
            "startedAt": context.started_at,
            "durations": dict(durations),
            "outcome": verdict.outcome.value,
            "reason": None if verdict.reason is None else asdict(verdict.reason),
            "warnings": list(verdict.warnings),
            "metrics": dict(verdict.metrics),
            "negotiated": verdict.negotiated,
            **facts,
        },
    )
    folder.note_rest(run.owner)
    return folder.files


def _write_streams(folder: EvidenceFolder, repetition: Repetition) -> None:
    where, streams = repetition.where, repetition.evidence.streams
    for (role, stream), capture in streams.items():
        data = capture.data()
        folder.write(f"{where}{role}.{stream}.txt", data, role=role, stream=stream, truncated=capture.truncated)
    everyone = {f"{role}/{stream}": capture for (role, stream), capture in streams.items()}
    if repetition.evidence.meeting is not None:
        everyone["redis"] = repetition.evidence.meeting
    everyone["runner"] = _endings(repetition.evidence)
    folder.write(f"{where}output.txt", interleave(everyone).encode(), role="both", stream="output")


def _endings(evidence: Evidence) -> Capture:
    """When each ended and how, and when the runner stopped waiting, as lines."""
    moments = [
        (end.at, f"{role} {end.how}{', told to stop' if end.stopped else ''}") for role, end in evidence.exits.items()
    ]
    moments.append((evidence.elapsed, f"stopped waiting: {evidence.ending}"))
    capture = Capture()
    for at, text in sorted(moments):
        capture.write(at, f"{text}\n".encode())
    return capture


def _participants(repetition: Repetition, images: Mapping[str, Image]) -> dict[str, Json]:
    """Who took part, by role: with which image, variables and limits, and how they ended."""
    exits = repetition.evidence.exits
    return {
        participant.role: {
            "version": participant.version,
            "image": images[participant.version].digest,
            "buildKey": images[participant.version].build_key,
            "environment": {name: it for name, it in participant.environment.items() if name != REDIS_PASSWORD},
            "limits": asdict(participant.limits),
            "end": asdict(exits[participant.role]) if participant.role in exits else None,
        }
        for participant in repetition.spec.participants
    }
