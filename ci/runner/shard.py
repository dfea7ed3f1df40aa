"""Runs the cases of a shard through an engine and writes down what happened; always comes back with a summary.

One case costs that case and nothing else: whatever comes up while it is run, judged or kept is its own error. What it
ran on is made anew then, and a case that met engine trouble is tried again at the end. Trouble that follows one version
around is that version's (`ci.runner.quarantine`). Only when no slot can be made, when everything that is tried breaks,
or when no record can be written, the shard ends early and the rest of it stays not run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ci.errors import EngineError
from ci.images.base import Image, Unavailable
from ci.model import Case, Expected, Outcome, Reason, ReasonCode, Verdict
from ci.results.expectations import red_as_expected
from ci.results.records import Attempt, Kind, RunStart, changed, timestamp
from ci.results.reuse import reused
from ci.runner.ahead import Ahead
from ci.runner.base import AttemptContext
from ci.runner.case_errors import keep_traceback
from ci.runner.inbox import Cancelled
from ci.runner.quarantine import Quarantine
from ci.runner.recording import Recording, notes_of
from ci.runner.retry import retries
from ci.runner.schedule import Ready, Schedule, Unrunnable
from ci.runner.settings import Settings, Summary
from ci.runner.workers import Workers
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.results.shard_file import ResultsWriter
    from ci.runner.base import CaseRunner, PreparedCase
    from ci.terminal.progress import Progress

__all__ = ["Runner", "Settings", "Summary"]

# In a row: slots that cannot be made, and cases that break theirs, whosever they are.
MOST_BROKEN_SLOTS: Final = 3
MOST_BROKEN_CASES: Final = 16
# What the harness may fail in because of what an image sent or left, without its slot being the worse for it.
HARNESS_TROUBLE: Final = frozenset(
    {ReasonCode.SIMULATOR, ReasonCode.CAPTURE_UNREADABLE, ReasonCode.TSHARK_LATE, ReasonCode.NOT_JUDGED}
)


@dataclass(frozen=True, kw_only=True)
class _Batch:
    """What all workers share while they work off one list of cases."""

    schedule: Schedule
    workers: Workers
    kind: Kind
    overlap: bool


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
        self._lock = threading.Lock()
        self._cases: Sequence[Case] = ()
        self._attempts: dict[str, int] = {}
        self._tried: dict[str, int] = {}
        self._again: list[Case] = []
        self._retries_end: float | None = None
        self._quarantine = Quarantine()
        self._reused = 0
        self._foreseen = 0
        self._confirmed: list[bool] = []
        self._recording = Recording(case_runner, start=start, folder=folder, settings=settings, tried=self._tried)
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

        Those that measure something come after the others, one at a time.

        :param red: cases that an earlier process has found red, and how often it tried them
        :param tried: how often earlier processes tried any, by key: no attempt has the number of another
        :param planned: all of the shard, those that an earlier process has finished among them; `cases` if None
        """
        self._cases = cases
        self._tried.update({case.key: tried.get(case.key, 0) for case in cases})
        measurements = [case for case in cases if case.alone]
        others = [case for case in cases if not case.alone]
        self._work_off(others, images, kind="first", workers=self._settings.workers, overlap=self._settings.overlap)
        if measurements and not self._is_over():
            self._progress.alone()
            self._work_off(measurements, images, kind="first")
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
        if self._foreseen and settings.retries:
            self.summary.notes.append(f"{counted(self._foreseen, 'red case')} as expected, and so not tried again")
        self._retries_end = time.monotonic() + settings.retry_seconds
        left = settings.retry_cases
        for _ in range(settings.retries):
            again, self._again = self._worth_retrying(planned), []
            if not again or self.summary.lost or self._cancelled.is_set():
                break
            affordable, tries = again[:left], sum(self._attempts.values())
            left -= len(affordable)
            self._progress.again(len(affordable))
            self._work_off(affordable, images, kind="retry")
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
                if self._is_to_fail(case.key) and self.summary.outcomes.get(case.key) is Outcome.PASSED
            ]
            if not surprising or self._is_over():
                return
            self._progress.again(len(surprising))
            self._work_off(surprising, images, kind="confirm")

    def _is_to_fail(self, key: str) -> bool:
        known = self._settings.expected.get(key)
        return known is not None and known.expect is Expected.FAIL

    # --- workers --------------------------------------------------------------------------------------

    def _work_off(
        self,
        cases: Sequence[Case],
        images: Mapping[str, Future[Image | Unavailable]],
        *,
        kind: Kind,
        workers: int = 1,
        overlap: bool = False,
    ) -> None:
        """Run each of the cases once.

        :param overlap: the next case of a worker is prepared while it runs one
        """
        schedule = Schedule(cases, images, rank=self._quarantine.rank)
        count = Workers(workers, cases=len(cases), processors=os.cpu_count() or 1)
        batch = _Batch(schedule=schedule, workers=count, kind=kind, overlap=overlap)
        with ThreadPoolExecutor(max_workers=count.most) as pool, count.adapting():
            futures = [pool.submit(self._worker, number, batch) for number in range(count.most)]
            wait(futures)
        trouble = [gave_up for future in futures if (gave_up := future.result()) is not None]
        # What one worker could not do another has done, as long as there was one.
        if schedule.close() and trouble:
            self.summary.lost = self.summary.lost or trouble[0]

    def _worker(self, number: int, batch: _Batch) -> EngineError | None:
        """Take cases until there are none; the trouble, where it cannot go on."""
        broken = 0
        try:
            while self._is_wanted(number, batch) and self._has_work(number, batch):
                try:
                    with self._case_runner.slot(number) as slot, Ahead() as ahead:
                        batch.workers.begun()
                        broken = 0
                        if self._run_all(number, slot, ahead, batch):
                            return None
                except EngineError as error:
                    broken += 1
                    if broken == MOST_BROKEN_SLOTS:
                        return error
        except Cancelled:
            pass
        except BaseException:
            batch.schedule.close()
            raise
        finally:
            batch.workers.begun()
        return None

    def _is_wanted(self, number: int, batch: _Batch) -> bool:
        """Wait until there is room for this worker; False where there will be no case for it."""
        return batch.workers.admitted(number, lambda: self._is_over() or batch.schedule.is_empty())

    def _has_work(self, number: int, batch: _Batch) -> bool:
        """Whether there is a case to run; of those that cannot be it is written down, which takes no slot."""
        while isinstance(item := batch.schedule.take(self._is_over, number, look=True), Unrunnable):
            self._not_run(item)
        return item is not None

    def _run_all(self, number: int, slot: Slot, ahead: Ahead, batch: _Batch) -> bool:
        """Run cases until there are none; False when the slot has to be made anew before."""
        while self._is_wanted(number, batch):
            ahead.settle()
            item = batch.schedule.take(self._is_over, number)
            if item is None:
                break
            if isinstance(item, Unrunnable):
                self._not_run(item)
            elif not self._case(number, slot, ahead, item, batch):
                return False
        return True

    def _is_over(self, *, by_budget: bool = True) -> bool:
        return (
            self._cancelled.is_set()
            or self.summary.lost is not None
            or (by_budget and self._retries_end is not None and time.monotonic() >= self._retries_end)
        )

    def _case(self, number: int, slot: Slot, ahead: Ahead, ready: Ready, batch: _Batch) -> bool:
        """Run a case, unless it is not worth trying, and write down what came of it; whether its slot is whole."""
        case, kind, recording, workers = ready.case, batch.kind, self._recording, batch.workers.now
        context = self._context(case)
        with self._lock:
            self._attempts[case.key] = self._attempts.get(case.key, 0) + 1
        self._progress.started(number, case.name)
        begun = time.monotonic()
        earlier = self._reusable(ready) if kind == "first" else None
        if earlier is not None and not self._settings.verify:
            with self._lock:
                self._reused += 1
            record = reused(earlier, case, self._start, number=context.number)
            self._finish(number, ready, record, time.monotonic() - begun)
            return True
        verdict = self._quarantine.verdict(case)
        if verdict is not None:
            self._finish(number, ready, recording.of_verdict(ready, verdict, context, kind, workers=workers), 0.0)
            return True
        began = self._quarantine.now()
        prepared = ahead.take(case.key, context.number)
        if batch.overlap:
            ahead.intend(lambda: self._prepare_next(number, slot, batch.schedule))
        try:
            result = self._case_runner.run_case(
                slot, ready, context, self._cancelled, prepared=prepared, housekeeping=ahead
            )
        except Cancelled:
            raise
        except Exception as error:
            record = recording.of_error(ready, context, kind, error, workers=workers)
            self._finish(number, ready, record, time.monotonic() - begun)
            if isinstance(error, EngineError):
                self._broke(case, error, began)
            return False
        if earlier is not None:
            self._confirmed.append(result.verdict.outcome is Outcome.PASSED)
        self._look_for_trouble(case, result.verdict, began)
        total = time.monotonic() - begun
        record = recording.of_result(ready, result, context, kind, total=total, workers=workers)
        self._finish(number, ready, record, total)
        return True

    def _prepare_next(self, number: int, slot: Slot, schedule: Schedule) -> PreparedCase | None:
        ready = None if self._is_over() else schedule.reserve(number)
        if ready is None or self._quarantine.verdict(ready.case) is not None or self._reusable(ready) is not None:
            return None
        return self._case_runner.prepare(slot, ready, self._context(ready.case))

    def _context(self, case: Case) -> AttemptContext:
        """Of the attempt that is made next."""
        with self._lock:
            attempt = self._tried.get(case.key, 0) + self._attempts.get(case.key, 0) + 1
        return AttemptContext(
            number=attempt,
            identity=f"{self._start.run}/{self._start.shard}/{attempt}",
            folder=self._folder,
            started_at=timestamp(),
            labels={"shard": self._start.shard, "case": case.name},
        )

    def _reusable(self, ready: Ready) -> Attempt | None:
        """A result that stands for running this case, if there is one."""
        if not self._settings.reusable:
            return None
        return self._settings.reusable.get((ready.case.key, self._recording.inputs(ready)))

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
        foreseen = red and bool(red_as_expected([record], self._folder, self._settings.expected))
        with self._lock:
            self.summary.first_at = self.summary.first_at or time.monotonic()
            earlier = self.summary.outcomes.get(record.key)
            self.summary.outcomes[record.key] = record.outcome
            self.summary.reasons[record.key] = record.reason
            if foreseen:
                self._foreseen += 1
            elif red:
                self._again.append(ready.case)
        # How the programs were built was said when they were.
        said = notes_of(ready.case, ready.images)
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
        record = self._recording.of_none(item.case, outcome, reason)
        if item.why.error is not None:
            record = changed(record, evidence=keep_traceback(self._folder, item.case.key, item.why.error))
        if not self._write(record):
            return
        with self._lock:
            self.summary.outcomes[item.case.key] = outcome
            self.summary.reasons[item.case.key] = reason
            first = item.version not in self.summary.unrunnable
            self.summary.unrunnable[item.version] = item.why
        if first:
            self._progress.never(case.name for case in self._cases if item.version in case.pair)
        # Once per image, not once per cell: the cells are in the records.
        self._progress.skipped(item.case.name, f"{item.version}: {item.why.text}" if first else "")

    def _worth_retrying(self, planned: Sequence[Case]) -> list[Case]:
        failed = [case for case in self._again if self._quarantine.verdict(case) is None]
        again = retries(planned, failed, is_error=self._is_error)
        self.summary.notes += again.notes
        return [case for case in again.cases if self._attempts[case.key] <= self._settings.retries]

    def _is_error(self, case: Case) -> bool:
        return self.summary.outcomes.get(case.key) is Outcome.ERROR
