"""What one attempt over a simulated network leaves on disk, in the established layout (quic-interop, section 5.5)."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, TypeAlias

from ci.model import Outcome
from ci.spec.capture import interleave
from ci.util.portable_names import is_short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ci.model import Case, Verdict
    from ci.results.records import EvidenceFile
    from ci.runner.evidence_folder import EvidenceFolder
    from ci.runner.stage import AttemptContext
    from ci.spec.network import NetworkAttemptSpec, NetworkEvidence

__all__ = ["Captures", "Repetition", "drop_supplies", "keep"]

# Of which results the captures are kept: they are nearly all of what a case leaves, and most cases are green.
Captures: TypeAlias = Literal["red", "all"]

# Made from the seed, so they can be made again; a private key is nothing to publish.
SUPPLIED = ("certs", "client_www", "server_www")
RECEIVED = ("client_downloads", "server_downloads")


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """One run of a test case.

    :param where: its folder within that of the attempt, with a slash at the end; empty where there is only one
    :param error: what kept it from being judged, if anything did
    """

    where: str
    seed: int
    spec: NetworkAttemptSpec
    evidence: NetworkEvidence
    verdict: Verdict
    error: Exception | None = None


def keep(
    folder: EvidenceFolder,
    case: Case,
    repetitions: Sequence[Repetition],
    verdict: Verdict,
    take: AttemptContext,
    captures: Captures,
    durations: Mapping[str, float],
) -> tuple[EvidenceFile, ...]:
    """Write what is known besides what was gathered already, and drop what nobody will ask for.

    :raises OSError: the disk is full or not ours
    """
    left_out = []
    for repetition in repetitions:
        _write(folder, repetition)
        _drop(folder, repetition, captures)
        left_out.append(_drop_long_names(folder.path / repetition.where))
    folder.write_json(
        "case.json",
        {
            "case": case.name,
            "key": case.key,
            "attempt": take.number,
            "startedAt": take.started_at,
            "durations": dict(durations),
            "outcome": verdict.outcome.value,
            "reason": None if verdict.reason is None else asdict(verdict.reason),
            "warnings": list(verdict.warnings),
            "metrics": dict(verdict.metrics),
            "repetitions": [_facts(*both) for both in zip(repetitions, left_out, strict=True)],
        },
    )
    folder.note_rest(_owner)
    return folder.files


def _write(folder: EvidenceFolder, repetition: Repetition) -> None:
    streams = repetition.evidence.streams
    for (role, stream), capture in streams.items():
        folder.write(
            f"{repetition.where}{role}.{stream}.txt",
            capture.data(),
            role=role,
            stream=stream,
            truncated=capture.truncated,
        )
    everyone = {f"{role}/{stream}": capture for (role, stream), capture in streams.items()}
    folder.write(f"{repetition.where}output.txt", interleave(everyone).encode(), role="both", stream="output")


def drop_supplies(place: Path) -> None:
    """Remove what the endpoints of a run were given: its seed makes it again."""
    for name in SUPPLIED:
        shutil.rmtree(place / name, ignore_errors=True)


def _drop(folder: EvidenceFolder, repetition: Repetition, captures: Captures) -> None:
    place = folder.path / repetition.where
    red = repetition.verdict.outcome not in (Outcome.PASSED, Outcome.UNSUPPORTED)
    drop_supplies(place)
    for name in () if red else RECEIVED:
        shutil.rmtree(place / name, ignore_errors=True)
    if not red and captures == "red":
        for path in (place / "sim").glob("*.pcap"):
            path.unlink()


def _drop_long_names(place: Path) -> dict[str, set[str]]:
    """Remove what was judged, but has a longer name than evidence may have: in which folders, by whose they are."""
    found: dict[str, set[str]] = {}
    for path in place.rglob("*"):
        name = path.relative_to(place).as_posix()
        if path.is_file() and not is_short(name):
            path.unlink()
            found.setdefault(_owner(name), set()).add(name.partition("/")[0])
    return found


def _facts(repetition: Repetition, left_out: Mapping[str, set[str]]) -> dict[str, object]:
    evidence = repetition.evidence
    cut: dict[str, set[str]] = {role: set(names) for role, names in evidence.cut.items()}
    for role, names in left_out.items():
        cut.setdefault(role, set()).update(names)
    return {
        "seed": repetition.seed,
        "first": evidence.first,
        "elapsed": round(evidence.elapsed, 3),
        "outcome": repetition.verdict.outcome.value,
        "notKeptWhole": {role: sorted(names) for role, names in cut.items()},
        "roles": {
            participant.role: {
                "version": participant.version,
                "image": participant.image,
                "environment": dict(participant.environment),
                "limits": asdict(participant.limits),
                "end": asdict(evidence.exits[participant.role]) if participant.role in evidence.exits else None,
            }
            for participant in repetition.spec.participants
        },
    }


def _owner(name: str) -> str:
    """Whose file it is, by the folder it was gathered in."""
    parts = PurePosixPath(name).parts
    first = parts[1] if parts[0].isdigit() and len(parts) > 1 else parts[0]
    owner = first.partition("_")[0]
    return {"sim": "simulator"}.get(owner, owner)
