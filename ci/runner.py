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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.evidence_folder import unwritable
from ci.inbox import Cancelled
from ci.model import Case, Outcome, Reason, ReasonCode, Verdict
from ci.provision import Image, Unavailable
from ci.records import Attempt, EvidenceFile, Kind, RunStart, attempt_for, timestamp
from ci.schedule import Ready, Schedule, Unrunnable
from ci.stage import Take

if TYPE_CHECKING:
    from ci.json_fields import Json
    from ci.progress import Progress
    from ci.results import ResultsWriter
    from ci.stage import Performance, Stage, Stages

__all__ = ["Runner", "Settings", "Summary"]

MOST_BROKEN_SLOTS: Final = 3
# Beyond this share of red cases retrying finds no flakes, it only repeats what is broken.
OUTAGE_SHARE: Final = 0.2
OUTAGE_MINIMUM: Final = 10
# The same of one pair of versions: two that cannot talk at all can take an hour to not do so twice.
PAIR_SHARE: Final = 0.5
PAIR_MINIMUM: Final = 5


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
        stages: Stages,
        writer: ResultsWriter,
        start: RunStart,
        folder: Path,
        progress: Progress,
        settings: Settings,
        cancelled: threading.Event,
    ) -> None:
        self._stages = stages
        self._writer = writer
        self._start = start
        self._folder = folder
        self._progress = progress
        self._settings = settings
        self._cancelled = cancelled
        self._described = stages.describe()
        self._lock = threading.Lock()
        self._attempts: dict[str, int] = {}
        self._again: list[Case] = []
        self.summary = Summary()

    def run(
        self,
        cases: Sequence[Case],
        images: Mapping[str, Future[Image | Unavailable]],
        *,
        red: Mapping[Case, int] = MappingProxyType({}),
        planned: Sequence[Case] | None = None,
    ) -> Summary:
        """Run the cases, in this order as far as their images allow, then the red ones again.

        :param red: cases that an earlier process has found red, and how often it tried them
        :param planned: all of the shard, those that an earlier process has finished among them; `cases` if None
        """
        self._work_off(Schedule(cases, images), workers=min(self._settings.workers, max(1, len(cases))), kind="first")
        if not self._cancelled.is_set():
            self._attempts.update({case.key: tries for case, tries in red.items()})
            self._again += red
        for _ in range(self._settings.retries):
            again, self._again = self._worth_retrying(cases if planned is None else planned), []
            if not again or self.summary.lost or self._cancelled.is_set():
                break
            self._progress.expect(len(again))
            self._work_off(Schedule(again, images), workers=1, kind="retry")
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
                with self._stages.stage(number) as stage:
                    while (item := schedule.take(self._cancelled.is_set)) is not None:
                        if isinstance(item, Unrunnable):
                            self._not_run(item)
                        else:
                            self._case(number, stage, item, kind)
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

    def _case(self, number: int, stage: Stage, ready: Ready, kind: Kind) -> None:
        case = ready.case
        with self._lock:
            count = self._attempts[case.key] = self._attempts.get(case.key, 0) + 1
        self._progress.started(number, case.name)
        begun = time.monotonic()
        take = Take(
            number=count,
            identity=f"{self._start.run}/{self._start.shard}/{count}",
            folder=self._folder,
            started_at=timestamp(),
            labels={"shard": self._start.shard, "case": case.name},
        )
        try:
            performance = stage.play(ready, take, self._cancelled)
        except EngineError as error:
            record = self._record(ready, _engine_verdict(error), take, kind)
            self._finish(number, ready, record, time.monotonic() - begun)
            raise
        total = time.monotonic() - begun
        # Until it was decided, and with everything stopped, gathered and removed.
        durations = {"verdict": round(performance.elapsed * 1000, 1), "total": round(total * 1000, 1)}
        record = replace(
            self._record(ready, performance.verdict, take, kind),
            roles=performance.roles,
            durations=durations,
            published=performance.published,
            limits=performance.limits,
            seed=performance.seed,
            repro=_with_seed(self._settings.repro(case.name), performance.seed),
            evidence=self._evidence(case, performance, durations),
        )
        self._finish(number, ready, record, total)

    def _evidence(
        self, case: Case, performance: Performance, durations: Mapping[str, float]
    ) -> tuple[EvidenceFile, ...]:
        try:
            return performance.keep(durations)
        except OSError as error:
            raise unwritable(case, error) from error

    # --- records --------------------------------------------------------------------------------------

    def _record(self, ready: Ready, verdict: Verdict, take: Take, kind: Kind) -> Attempt:
        case = ready.case
        return replace(
            attempt_for(self._start, case, verdict.outcome, verdict.reason),
            inputs=_digest(self._stages.inputs(ready)),
            attempt=take.number,
            of=1 + self._settings.retries,
            kind=kind,
            started_at=take.started_at,
            metrics=verdict.metrics,
            negotiated=verdict.negotiated,
            warnings=(*verdict.warnings, *_notes(case, ready.images)),
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
        # What an endpoint says it does not do, it will not do the second time.
        red = record.outcome not in (Outcome.PASSED, Outcome.UNSUPPORTED, Outcome.NOT_RUN)
        with self._lock:
            self.summary.first_at = self.summary.first_at or time.monotonic()
            earlier = self.summary.outcomes.get(record.key)
            self.summary.outcomes[record.key] = record.outcome
            self.summary.reasons[record.key] = record.reason
            if red:
                self._again.append(ready.case)
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

    def _worth_retrying(self, cases: Sequence[Case]) -> list[Case]:
        planned, red = len(cases), len(self._again)
        if red > max(OUTAGE_MINIMUM, OUTAGE_SHARE * planned):
            self.summary.notes.append(
                f"{red} of {planned} cases are red: that is no flake, so none of them was tried again"
            )
            return [case for case in self._again if self._is_error(case)]
        planned_of = Counter((case.dialer, case.listener) for case in cases)
        red_of = Counter((case.dialer, case.listener) for case in self._again)
        hopeless = {pair for pair, red in red_of.items() if red >= PAIR_MINIMUM and red > PAIR_SHARE * planned_of[pair]}
        self.summary.notes += [
            f"{dialer} x {listener}: {red_of[dialer, listener]} of {planned_of[dialer, listener]} cases are red:"
            " that is no flake, so none of them was tried again"
            for dialer, listener in sorted(hopeless)
        ]
        worth = [
            case
            for case in self._again
            if self._attempts[case.key] <= self._settings.retries
            and (self._is_error(case) or (case.dialer, case.listener) not in hopeless)
        ]
        return sorted(worth, key=lambda case: case.name)

    def _is_error(self, case: Case) -> bool:
        return self.summary.outcomes.get(case.key) is Outcome.ERROR


def _with_seed(command: str, seed: int | None) -> str:
    """A try of `repro` has a seed of its own, unless it is told that of this attempt."""
    return command if seed is None else f"{command} --seed {seed}"


def _engine_verdict(error: EngineError) -> Verdict:
    try:
        code = ReasonCode(error.reference)
    except ValueError:
        code = ReasonCode.ENGINE_LOST
    return Verdict(outcome=Outcome.ERROR, reason=Reason(code=code, text=error.message, side="harness"))


def _notes(case: Case, images: Mapping[str, Image]) -> tuple[str, ...]:
    """What must be known of how the two programs were built."""
    versions = dict.fromkeys((case.dialer, case.listener))
    return tuple(f"{version}: {note}" for version in versions for note in images[version].notes)


def _digest(inputs: Mapping[str, Json]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
