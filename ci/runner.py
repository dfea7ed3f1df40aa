"""Runs the cases of a shard through an engine and writes down what happened; always comes back with a summary.

Engine trouble is never an implementation's fault: it costs the slot, which is made anew, and a case that met it
is tried again at the end. When slots keep breaking, the engine is lost and the rest of the shard stays not run.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.attempt import Cancelled, attempt
from ci.errors import EngineError
from ci.evidence import write_evidence
from ci.model import ROLES, Case, Outcome, Reason, ReasonCode, Role, Verdict
from ci.provision import Image, Unavailable
from ci.records import Attempt, EvidenceFile, Kind, RoleRecord, RunStart, attempt_for, timestamp
from ci.schedule import Ready, Schedule, Unrunnable

if TYPE_CHECKING:
    from ci.engines.base import Engine, Slot
    from ci.progress import Progress
    from ci.results import ResultsWriter
    from ci.scene import Evidence, Scene
    from ci.suites.base import Suite

__all__ = ["Runner", "Settings", "Summary"]

MOST_BROKEN_SLOTS: Final = 3
# Beyond this share of red cases retrying finds no flakes, it only repeats what is broken.
OUTAGE_SHARE: Final = 0.2
OUTAGE_MINIMUM: Final = 10


@dataclass(frozen=True, kw_only=True)
class Settings:
    """:param workers: cases under way at once
    :param retries: how often a red case is tried again, alone, at the end
    :param repro: the command that repeats one case, given its name
    """

    workers: int
    retries: int = 1
    repro: Callable[[str], str] = 'nox -s repro -- "{}"'.format


@dataclass
class Summary:
    """What a shard came to.

    `lost` is the engine trouble that ended it early, if any; `first_at` is when the first case was done, by the
    monotonic clock.
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    reasons: dict[str, Reason | None] = field(default_factory=dict)
    unrunnable: dict[str, Unavailable] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left: int = 0
    lost: EngineError | None = None
    cancelled: bool = False
    first_at: float | None = None


class Runner:
    """One shard's run. `run` may be called once."""

    def __init__(
        self,
        *,
        engine: Engine,
        suite: Suite,
        writer: ResultsWriter,
        start: RunStart,
        folder: Path,
        progress: Progress,
        settings: Settings,
        cancelled: threading.Event,
    ) -> None:
        self._engine = engine
        self._suite = suite
        self._writer = writer
        self._start = start
        self._folder = folder
        self._progress = progress
        self._settings = settings
        self._cancelled = cancelled
        self._described = engine.describe()
        self._lock = threading.Lock()
        self._attempts: dict[str, int] = {}
        self._again: list[Ready] = []
        self.summary = Summary()

    def run(self, cases: Sequence[Case], images: Mapping[str, Future[Image | Unavailable]]) -> Summary:
        """Run the cases, in this order as far as their images allow, then the red ones again."""
        self._work_off(Schedule(cases, images), workers=min(self._settings.workers, max(1, len(cases))), kind="first")
        for _ in range(self._settings.retries):
            again, self._again = self._worth_retrying(len(cases)), []
            if not again or self.summary.lost or self._cancelled.is_set():
                break
            self._progress.expect(len(again))
            done: dict[str, Future[Image | Unavailable]] = {}
            for ready in again:
                for version, image in ready.images.items():
                    done.setdefault(version, Future())
                    if not done[version].done():
                        done[version].set_result(image)
            self._work_off(Schedule([ready.case for ready in again], done), workers=1, kind="retry")
        self.summary.cancelled = self._cancelled.is_set()
        return self.summary

    # --- workers --------------------------------------------------------------------------------------

    def _work_off(self, schedule: Schedule, *, workers: int, kind: Kind) -> None:
        with ThreadPoolExecutor(max_workers=workers) as pool:
            futures = [pool.submit(self._worker, number, schedule, kind) for number in range(workers)]
        for future in futures:
            future.result()
        self.summary.left += len(schedule.close())

    def _worker(self, number: int, schedule: Schedule, kind: Kind) -> None:
        broken = 0
        while broken < MOST_BROKEN_SLOTS:
            try:
                with self._engine.slot(number) as slot:
                    while (item := schedule.take(self._cancelled.is_set)) is not None:
                        if isinstance(item, Unrunnable):
                            self._not_run(item)
                        else:
                            self._case(number, slot, item, kind)
                            broken = 0
                    return
            except Cancelled:
                return
            except EngineError as error:
                broken += 1
                trouble = error
            except BaseException:
                schedule.close()
                raise
        with self._lock:
            self.summary.lost = trouble

    def _case(self, number: int, slot: Slot, ready: Ready, kind: Kind) -> None:
        case = ready.case
        with self._lock:
            count = self._attempts[case.key] = self._attempts.get(case.key, 0) + 1
        self._progress.started(number, case.name)
        begun, started_at = time.monotonic(), timestamp()
        scene = self._suite.scene(
            case,
            images={version: image.digest for version, image in ready.images.items()},
            surroundings=slot.surroundings,
            attempt=f"{self._start.run}/{self._start.shard}/{count}",
        )
        labels = {"shard": self._start.shard, "case": case.name}
        try:
            evidence = attempt(slot, scene, settled=self._suite.settled, labels=labels, cancelled=self._cancelled)
        except EngineError as error:
            verdict = _engine_verdict(error)
            record = self._record(case, verdict, ready.images, count, kind, started_at)
            self._finish(number, ready, record, time.monotonic() - begun)
            raise
        verdict = self._suite.judge(case, evidence, slot.surroundings)
        total = time.monotonic() - begun
        durations = _durations(evidence, total)
        record = self._record(case, verdict, ready.images, count, kind, started_at)
        record = replace(
            record,
            roles=_roles(scene, evidence, ready.images, self._suite),
            durations=durations,
            published=evidence.published,
            limits={"deadlineSeconds": scene.deadline, "memoryBytes": scene.dialer.limits.memory_bytes},
            evidence=self._evidence(scene, evidence, verdict, ready, count, started_at, durations),
        )
        self._finish(number, ready, record, total)

    def _evidence(
        self,
        scene: Scene,
        evidence: Evidence,
        verdict: Verdict,
        ready: Ready,
        count: int,
        started_at: str,
        durations: Mapping[str, float],
    ) -> tuple[EvidenceFile, ...]:
        try:
            return write_evidence(
                self._folder,
                scene,
                evidence,
                verdict,
                attempt=count,
                images=ready.images,
                started_at=started_at,
                durations=durations,
            )
        except OSError as error:
            raise EngineError(
                "disk-full",
                f"the evidence of {scene.case.name} cannot be written: {error}",
                why="the disk is full, or the results folder is not yours",
                hint=f"make room or choose another folder; finished cases are kept in {self._folder}",
            ) from error

    # --- records --------------------------------------------------------------------------------------

    def _record(
        self, case: Case, verdict: Verdict, images: Mapping[str, Image], count: int, kind: Kind, started_at: str
    ) -> Attempt:
        return replace(
            attempt_for(self._start, case, verdict.outcome, verdict.reason),
            inputs=_inputs(case, images, self._suite),
            attempt=count,
            of=1 + self._settings.retries,
            kind=kind,
            started_at=started_at,
            metrics=verdict.metrics,
            negotiated=verdict.negotiated,
            warnings=(*verdict.warnings, *_notes(case, images)),
            engine=self._described,
            host={
                "cpus": os.cpu_count() or 1,
                "load1": round(os.getloadavg()[0], 2),
                "workers": self._settings.workers,
            },
            repro=self._settings.repro(case.name),
        )

    def _finish(self, number: int, ready: Ready, record: Attempt, seconds: float) -> None:
        self._writer.append(record)
        red = record.outcome is not Outcome.PASSED
        with self._lock:
            self.summary.first_at = self.summary.first_at or time.monotonic()
            earlier = self.summary.outcomes.get(record.key)
            self.summary.outcomes[record.key] = record.outcome
            self.summary.reasons[record.key] = record.reason
            if red:
                self._again.append(ready)
        # How the programs were built was said when they were.
        said = _notes(ready.case, ready.images)
        note = record.reason.text if record.reason else "; ".join(it for it in record.warnings if it not in said)
        if earlier is not None and not red:
            note = f"passed on attempt {record.attempt}"
        outcome = record.outcome.value if red or earlier is None else "flaky"
        self._progress.finished(number, record.case, outcome, seconds, note)

    def _not_run(self, item: Unrunnable) -> None:
        reason = Reason(code=item.why.code, text=item.why.text, side="harness")
        self._writer.append(attempt_for(self._start, item.case, Outcome.NOT_RUN, reason))
        with self._lock:
            self.summary.outcomes[item.case.key] = Outcome.NOT_RUN
            self.summary.reasons[item.case.key] = reason
            first = item.version not in self.summary.unrunnable
            self.summary.unrunnable[item.version] = item.why
        # Once per image, not once per cell: the cells are in the records.
        self._progress.skipped(f"{item.version}: {item.why.text}" if first else "")

    def _worth_retrying(self, planned: int) -> list[Ready]:
        red = len(self._again)
        if red > max(OUTAGE_MINIMUM, OUTAGE_SHARE * planned):
            self.summary.notes.append(
                f"{red} of {planned} cases are red: that is no flake, so none of them was tried again"
            )
            return [ready for ready in self._again if self.summary.outcomes[ready.case.key] is Outcome.ERROR]
        return sorted(self._again, key=lambda ready: ready.case.name)


def _engine_verdict(error: EngineError) -> Verdict:
    try:
        code = ReasonCode(error.reference)
    except ValueError:
        code = ReasonCode.ENGINE_LOST
    return Verdict(outcome=Outcome.ERROR, reason=Reason(code=code, text=error.message, side="harness"))


def _durations(evidence: Evidence, total: float) -> dict[str, float]:
    """Milliseconds: until the dialer had ended, and with everything stopped, gathered and removed."""
    return {"verdict": round(evidence.elapsed * 1000, 1), "total": round(total * 1000, 1)}


def _roles(scene: Scene, evidence: Evidence, images: Mapping[str, Image], suite: Suite) -> dict[Role, RoleRecord]:
    records: dict[Role, RoleRecord] = {}
    for role in ROLES:
        version = scene.case.version_of(role)
        end = evidence.exits.get(role)
        records[role] = RoleRecord(
            version=version,
            family=suite.versions[version].family,
            image_digest=images[version].digest,
            build_key=images[version].build_key,
            exit_code=end.exit_code if end else None,
            signal=end.signal if end else None,
            oom=end.out_of_memory if end else False,
        )
    return records


def _notes(case: Case, images: Mapping[str, Image]) -> tuple[str, ...]:
    """What must be known of how the two programs were built."""
    versions = dict.fromkeys((case.dialer, case.listener))
    return tuple(f"{version}: {note}" for version in versions for note in images[version].notes)


def _inputs(case: Case, images: Mapping[str, Image], suite: Suite) -> str:
    """Equal digests mean the same experiment: the same images in the same roles, asked the same thing."""
    facts = {
        "suite": suite.name,
        "dialer": images[case.dialer].digest,
        "listener": images[case.listener].digest,
        "stack": case.stack.words,
        "contracts": [suite.versions[case.dialer].contract, suite.versions[case.listener].contract],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
