"""Runs the cases of a shard through an engine and writes down what happened; always comes back with a summary.

One case costs that case and nothing else: whatever comes up while it is run, judged or kept is its own error. What it
ran on is made anew then, and a case that met engine trouble is tried again at the end. Trouble that follows one version
around is that version's (`ci.runner.quarantine`). Only when no slot can be made, when everything that is tried breaks,
or when no record can be written, the shard ends early and the rest of it stays not run.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.images.base import Image, Unavailable
from ci.model import Case, Outcome, Reason, ReasonCode, Verdict
from ci.results.records import Attempt, EvidenceFile, Kind, RunStart, attempt_for, changed, timestamp
from ci.results.reuse import reused
from ci.runner.base import AttemptContext
from ci.runner.case_errors import error_verdict, keep_traceback
from ci.runner.inbox import Cancelled
from ci.runner.quarantine import Quarantine
from ci.runner.retry import retries
from ci.runner.schedule import Ready, Schedule, Unrunnable
from ci.runner.settings import Settings, Summary
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.results.shard_file import ResultsWriter
    from ci.runner.base import AttemptResult, CaseRunner
    from ci.terminal.progress import Progress
    from ci.util.json_document import Json

__all__ = ["Runner", "Settings", "Summary"]

# In a row: slots that cannot be made, and cases that break theirs, whosever they are.
MOST_BROKEN_SLOTS: Final = 3
MOST_BROKEN_CASES: Final = 16
# What the harness may fail in because of what an image sent or left, without its slot being the worse for it.
HARNESS_TROUBLE: Final = frozenset(
    {ReasonCode.SIMULATOR, ReasonCode.CAPTURE_UNREADABLE, ReasonCode.TSHARK_LATE, ReasonCode.NOT_JUDGED}
)


class Runner:
    """One shard's run. `run` may be called once."""

    def __init__(
        self,
        *,
        case_runner: CaseRunner,
        writer: ResultsWriter,
        start: RunStart,
        folder: Path,
        progress: Progress,
        settings: Settings,
        cancelled: threading.Event,
    ) -> None:
        self._case_runner = case_runner
        self._writer = writer
        self._start = start
        self._folder = folder
        self._progress = progress
        self._settings = settings
        self._cancelled = cancelled
        self._described = case_runner.describe()
        self._lock = threading.Lock()
        self._attempts: dict[str, int] = {}
        self._tried: Mapping[str, int] = {}
        self._again: list[Case] = []
        self._retries_end: float | None = None
        self._quarantine = Quarantine()
        self._reused = 0
        self._confirmed: list[bool] = []
        self.summary = Summary()

    def run(
        self,
        cases: Sequence[Case],
        images: Mapping[str, Future[Image | Unavailable]],
        *,
        red: Mapping[Case, int] = MappingProxyType({}),
        tried: Mapping[str, int] = MappingProxyType({}),
        planned: Sequence[Case] | None = None,
    ) -> Summary:
        """Run the cases, in this order as far as their images allow, then the red ones again.

        :param red: cases that an earlier process has found red, and how often it tried them
        :param tried: how often earlier processes tried any, by key: no attempt has the number of another
        :param planned: all of the shard, those that an earlier process has finished among them; `cases` if None
        """
        self._tried = {case.key: tried.get(case.key, 0) for case in cases}
        self._work_off(cases, images, workers=min(self._settings.workers, max(1, len(cases))), kind="first")
        if not self._cancelled.is_set():
            self._attempts.update({case.key: tries for case, tries in red.items()})
            self._again += red
        self._tell_of_reuse()
        self._retry(cases if planned is None else planned, images)
        self._retries_end = None
        self._confirm(cases, images)
        self.summary.left = sum(case.key not in self.summary.outcomes for case in cases)
        self.summary.cancelled = self._cancelled.is_set()
        return self.summary

    def _retry(self, planned: Sequence[Case], images: Mapping[str, Future[Image | Unavailable]]) -> None:
        """Try red cases again, alone, as long as the shard's budget for it lasts."""
        settings = self._settings
        self._retries_end = time.monotonic() + settings.retry_seconds
        left = settings.retry_cases
        for _ in range(settings.retries):
            again, self._again = self._worth_retrying(planned), []
            if not again or self.summary.lost or self._cancelled.is_set():
                break
            affordable, tries = again[:left], sum(self._attempts.values())
            left -= len(affordable)
            self._progress.again(len(affordable))
            self._work_off(affordable, images, workers=1, kind="retry")
            given_up = len(again) - (sum(self._attempts.values()) - tries)
            if given_up and not self._is_over(by_budget=False):
                budget = f"{counted(settings.retry_cases, 'case')} and {settings.retry_seconds / 60:g} min"
                cases = counted(given_up, "red case")
                self.summary.notes.append(f"{cases} not tried again: the budget of a shard for that is {budget}")
                break

    def _confirm(self, cases: Sequence[Case], images: Mapping[str, Future[Image | Unavailable]]) -> None:
        """Run what passed against expectation again: an entry that was lucky once is not to be removed for that."""
        for _ in range(self._settings.confirm):
            surprising = [
                case
                for case in cases
                if case.key in self._settings.expected_red and self.summary.outcomes.get(case.key) is Outcome.PASSED
            ]
            if not surprising or self._is_over():
                return
            self._progress.again(len(surprising))
            self._work_off(surprising, images, workers=1, kind="confirm")

    # --- workers --------------------------------------------------------------------------------------

    def _work_off(
        self, cases: Sequence[Case], images: Mapping[str, Future[Image | Unavailable]], *, workers: int, kind: Kind
    ) -> None:
        schedule = Schedule(cases, images, rank=self._quarantine.rank)
        with ThreadPoolExecutor(max_workers=workers) as pool:
            futures = [pool.submit(self._worker, number, schedule, kind) for number in range(workers)]
        trouble = [gave_up for future in futures if (gave_up := future.result()) is not None]
        # What one worker could not do another has done, as long as there was one.
        if schedule.close() and trouble:
            self.summary.lost = self.summary.lost or trouble[0]

    def _worker(self, number: int, schedule: Schedule, kind: Kind) -> EngineError | None:
        """Take cases until there are none; the trouble, where it cannot go on."""
        broken = 0
        while True:
            try:
                if not self._has_work(schedule):
                    return None
                with self._case_runner.slot(number) as slot:
                    broken = 0
                    if self._run_all(number, slot, schedule, kind):
                        return None
            except Cancelled:
                return None
            except EngineError as error:
                broken += 1
                if broken == MOST_BROKEN_SLOTS:
                    return error
            except BaseException:
                schedule.close()
                raise

    def _has_work(self, schedule: Schedule) -> bool:
        """Whether there is a case to run; of those that cannot be it is written down, which takes no slot."""
        while isinstance(item := schedule.take(self._is_over, look=True), Unrunnable):
            self._not_run(item)
        return item is not None

    def _run_all(self, number: int, slot: Slot, schedule: Schedule, kind: Kind) -> bool:
        """Run cases until there are none; False when the slot has to be made anew before."""
        while (item := schedule.take(self._is_over)) is not None:
            if isinstance(item, Unrunnable):
                self._not_run(item)
            elif not self._case(number, slot, item, kind):
                return False
        return True

    def _is_over(self, *, by_budget: bool = True) -> bool:
        return (
            self._cancelled.is_set()
            or self.summary.lost is not None
            or (by_budget and self._retries_end is not None and time.monotonic() >= self._retries_end)
        )

    def _case(self, number: int, slot: Slot, ready: Ready, kind: Kind) -> bool:
        """Run a case, unless it is not worth trying, and write down what came of it; whether its slot is whole."""
        case = ready.case
        with self._lock:
            count = self._attempts[case.key] = self._attempts.get(case.key, 0) + 1
        self._progress.started(number, case.name)
        begun = time.monotonic()
        attempt = self._tried.get(case.key, 0) + count
        context = AttemptContext(
            number=attempt,
            identity=f"{self._start.run}/{self._start.shard}/{attempt}",
            folder=self._folder,
            started_at=timestamp(),
            labels={"shard": self._start.shard, "case": case.name},
        )
        earlier = self._reusable(ready) if kind == "first" else None
        if earlier is not None and not self._settings.verify:
            with self._lock:
                self._reused += 1
            record = reused(earlier, case, self._start, number=attempt)
            self._finish(number, ready, record, time.monotonic() - begun)
            return True
        verdict = self._quarantine.verdict(case)
        if verdict is not None:
            self._finish(number, ready, self._record(ready, verdict, context, kind), 0.0)
            return True
        began = self._quarantine.now()
        try:
            result = self._case_runner.run_case(slot, ready, context, self._cancelled)
        except Cancelled:
            raise
        except Exception as error:
            record = self._error(ready, context, kind, error)
            self._finish(number, ready, record, time.monotonic() - begun)
            if isinstance(error, EngineError):
                self._broke(case, error, began)
            return False
        if earlier is not None:
            self._confirmed.append(result.verdict.outcome is Outcome.PASSED)
        self._look_for_trouble(case, result.verdict, began)
        total = time.monotonic() - begun
        self._finish(number, ready, self._told(ready, result, context, kind, total), total)
        return True

    def _reusable(self, ready: Ready) -> Attempt | None:
        """A result that stands for running this case, if there is one."""
        if not self._settings.reusable:
            return None
        return self._settings.reusable.get((ready.case.key, self._inputs(ready)))

    def _inputs(self, ready: Ready) -> str:
        """One digest for what decides about a result, the kind of engine included."""
        return _digest({**self._case_runner.inputs(ready), "engine": self._described.get("name")})

    def _tell_of_reuse(self) -> None:
        if self._reused:
            self.summary.notes.append(f"reused, not run again: {counted(self._reused, 'case')}")
        if self._confirmed:
            again = f"could have been reused, and was run: {counted(len(self._confirmed), 'case')}"
            self.summary.notes.append(f"{again}, {self._confirmed.count(False)} of them not green this time")

    def _broke(self, case: Case, error: EngineError, began: float) -> None:
        self._quarantine.broke(case, error.message, began=began)
        if self._quarantine.in_a_row >= MOST_BROKEN_CASES:
            self.summary.lost = error

    def _look_for_trouble(self, case: Case, verdict: Verdict, began: float) -> None:
        reason = verdict.reason
        if verdict.outcome.conclusive:
            self._quarantine.ended_well(case, began=began)
        elif reason is not None and reason.code in HARNESS_TROUBLE and reason.side == "harness":
            self._quarantine.broke(case, reason.text, began=began)

    # --- records --------------------------------------------------------------------------------------

    def _told(self, ready: Ready, result: AttemptResult, context: AttemptContext, kind: Kind, total: float) -> Attempt:
        """The record of a case that was run to its end, with its evidence."""
        # Until it was decided, and with everything stopped, gathered and removed.
        durations = {"verdict": round(result.elapsed * 1000, 1), "total": round(total * 1000, 1)}
        verdict, evidence = result.verdict, self._traceback(ready, context, result.error)
        try:
            evidence = (*result.keep(durations), *evidence)
        except Exception as error:
            verdict = _unkept(error_verdict(ready.case, error), verdict)
            evidence = self._traceback(ready, context, error)
        return changed(
            self._record(ready, verdict, context, kind),
            roles=result.roles,
            durations=durations,
            published=result.published,
            limits=result.limits,
            seed=result.seed,
            repro=_with_seed(self._settings.repro(ready.case.name), result.seed),
            evidence=evidence,
        )

    def _error(self, ready: Ready, context: AttemptContext, kind: Kind, error: Exception) -> Attempt:
        """The record of a case that was not run to its end."""
        record = self._record(ready, error_verdict(ready.case, error), context, kind)
        return changed(record, evidence=self._traceback(ready, context, error))

    def _traceback(self, ready: Ready, context: AttemptContext, error: Exception | None) -> tuple[EvidenceFile, ...]:
        """An engine's error says all there is to say; of any other it must be seen where it came from."""
        if error is None or isinstance(error, EngineError):
            return ()
        return keep_traceback(self._folder, f"{ready.case.key}-{context.number}", error)

    def _record(self, ready: Ready, verdict: Verdict, context: AttemptContext, kind: Kind) -> Attempt:
        case = ready.case
        return changed(
            attempt_for(self._start, case, verdict.outcome, verdict.reason),
            inputs=self._inputs(ready),
            attempt=context.number,
            of=max(context.number, self._tried.get(case.key, 0) + 1 + self._settings.retries),
            kind=kind if self._settings.replaces is None else "rerun",
            supersedes=(self._settings.replaces or {}).get(case.key),
            started_at=context.started_at,
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

    def _write(self, record: Attempt) -> bool:
        """Whether it is written. Where it is not, there is no sense in going on: nothing would be known of it."""
        try:
            self._writer.append(record)
        except EngineError as error:
            self.summary.lost = error
            return False
        return True

    def _finish(self, number: int, ready: Ready, record: Attempt, seconds: float) -> None:
        if not self._write(record):
            return
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
        if record.reused is not None:
            said = (*said, *record.warnings)
        note = record.reason.text if record.reason else "; ".join(it for it in record.warnings if it not in said)
        if earlier is not None and not red:
            note = f"passed on attempt {record.attempt}"
        outcome = record.outcome.value if red or earlier is None else "flaky"
        self._progress.finished(number, record.case, outcome, seconds, note)

    def _not_run(self, item: Unrunnable) -> None:
        reason = Reason(code=item.why.code, text=item.why.text, side="harness")
        outcome = Outcome.NOT_RUN if item.why.error is None else Outcome.ERROR
        record = attempt_for(self._start, item.case, outcome, reason)
        if item.why.error is not None:
            record = changed(record, evidence=keep_traceback(self._folder, item.case.key, item.why.error))
        if not self._write(record):
            return
        with self._lock:
            self.summary.outcomes[item.case.key] = outcome
            self.summary.reasons[item.case.key] = reason
            first = item.version not in self.summary.unrunnable
            self.summary.unrunnable[item.version] = item.why
        # Once per image, not once per cell: the cells are in the records.
        self._progress.skipped(f"{item.version}: {item.why.text}" if first else "")

    def _worth_retrying(self, planned: Sequence[Case]) -> list[Case]:
        failed = [case for case in self._again if self._quarantine.verdict(case) is None]
        again = retries(planned, failed, is_error=self._is_error)
        self.summary.notes += again.notes
        return [case for case in again.cases if self._attempts[case.key] <= self._settings.retries]

    def _is_error(self, case: Case) -> bool:
        return self.summary.outcomes.get(case.key) is Outcome.ERROR


def _with_seed(command: str, seed: int | None) -> str:
    """A try of `repro` has a seed of its own, unless it is told that of this attempt."""
    return command if seed is None else f"{command} --seed {seed}"


def _unkept(error: Verdict, measured: Verdict) -> Verdict:
    """A result that nobody can look at does not count, but is told."""
    if error.reason is None:
        return error
    text = f"{error.reason.text}; without it does not count that the case was {measured.outcome}"
    return replace(error, reason=replace(error.reason, text=text))


def _notes(case: Case, images: Mapping[str, Image]) -> tuple[str, ...]:
    """What must be known of how the two programs were built."""
    versions = dict.fromkeys(case.pair)
    return tuple(f"{version}: {note}" for version in versions for note in images[version].notes)


def _digest(inputs: Mapping[str, Json]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
