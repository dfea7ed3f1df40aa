"""The record of one attempt, and the evidence that goes with it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from ci.errors import EngineError
from ci.results.records import attempt_for, changed
from ci.runner.case_errors import error_verdict, keep_traceback

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci.images.base import Image
    from ci.model import Case, Outcome, Reason, Verdict
    from ci.results.records import Attempt, EvidenceFile, Kind, RunStart
    from ci.runner.base import AttemptContext, AttemptResult, CaseRunner
    from ci.runner.schedule import Ready
    from ci.runner.settings import Settings
    from ci.util.json_document import Json

__all__ = ["Recording", "notes_of"]


class Recording:
    """What the records of one shard have in common.

    :param folder: of the shard
    :param tried: how often earlier processes tried a case, by its key
    """

    def __init__(
        self,
        case_runner: CaseRunner,
        *,
        start: RunStart,
        folder: Path,
        settings: Settings,
        tried: Mapping[str, int],
    ) -> None:
        self._case_runner = case_runner
        self._start = start
        self._folder = folder
        self._settings = settings
        self._tried = tried
        self._described = case_runner.describe()

    def inputs(self, ready: Ready) -> str:
        """One digest for what decides about a result, the kind of engine included."""
        return _digest({**self._case_runner.inputs(ready), "engine": self._described.get("name")})

    def of_result(
        self, ready: Ready, result: AttemptResult, context: AttemptContext, kind: Kind, *, total: float, workers: int
    ) -> Attempt:
        """Of a case that was run to its end, with its evidence."""
        # Until all was there that decides; for the decision itself; with everything stopped and gathered.
        seconds = {"verdict": result.elapsed, "judging": result.judging, "total": total}
        durations = {name: round(it * 1000, 1) for name, it in seconds.items()}
        verdict, evidence = result.verdict, self._traceback(ready, context, result.error)
        try:
            evidence = (*result.keep(durations), *evidence)
        except Exception as error:
            verdict = _unkept(error_verdict(ready.case, error), verdict)
            evidence = self._traceback(ready, context, error)
        return changed(
            self.of_verdict(ready, verdict, context, kind, workers=workers),
            roles=result.roles,
            durations=durations,
            published=result.published,
            limits=result.limits,
            seed=result.seed,
            repro=_with_seed(self._settings.repro(ready.case.name), result.seed),
            evidence=evidence,
        )

    def of_error(self, ready: Ready, context: AttemptContext, kind: Kind, error: Exception, *, workers: int) -> Attempt:
        """Of a case that was not run to its end."""
        record = self.of_verdict(ready, error_verdict(ready.case, error), context, kind, workers=workers)
        return changed(record, evidence=self._traceback(ready, context, error))

    def of_verdict(
        self, ready: Ready, verdict: Verdict, context: AttemptContext, kind: Kind, *, workers: int
    ) -> Attempt:
        """Of a case about which no more is known.

        :param workers: how many cases were under way at most; one for a case that was run with nothing beside it
        """
        case = ready.case
        return changed(
            self._record(case, verdict.outcome, verdict.reason, kind),
            inputs=self.inputs(ready),
            attempt=context.number,
            of=max(context.number, self._tried.get(case.key, 0) + 1 + self._settings.retries),
            started_at=context.started_at,
            metrics=verdict.metrics,
            negotiated=verdict.negotiated,
            warnings=(*verdict.warnings, *notes_of(case, ready.images)),
            engine=self._described,
            host={"cpus": os.cpu_count() or 1, "load1": round(os.getloadavg()[0], 2), "workers": workers},
            repro=self._settings.repro(case.name),
        )

    def of_none(self, case: Case, outcome: Outcome, reason: Reason) -> Attempt:
        """Of a case that was not tried."""
        return self._record(case, outcome, reason, "first")

    def _record(self, case: Case, outcome: Outcome, reason: Reason | None, kind: Kind) -> Attempt:
        """With what is true of every record of this shard."""
        return changed(
            attempt_for(self._start, case, outcome, reason),
            kind="rerun" if self._start.rerun else kind,
            supersedes=self._settings.replaces.get(case.key),
        )

    def _traceback(self, ready: Ready, context: AttemptContext, error: Exception | None) -> tuple[EvidenceFile, ...]:
        """An engine's error says all there is to say; of any other it must be seen where it came from."""
        if error is None or isinstance(error, EngineError):
            return ()
        return keep_traceback(self._folder, f"{ready.case.key}-{context.number}", error)


def notes_of(case: Case, images: Mapping[str, Image]) -> tuple[str, ...]:
    """What must be known of how the two programs were built."""
    versions = dict.fromkeys(case.pair)
    return tuple(f"{version}: {note}" for version in versions for note in images[version].notes)


def _with_seed(command: str, seed: int | None) -> str:
    """A try of `repro` has a seed of its own, unless it is told that of this attempt."""
    return command if seed is None else f"{command} --seed {seed}"


def _unkept(error: Verdict, measured: Verdict) -> Verdict:
    """A result that nobody can look at does not count, but is told."""
    if error.reason is None:
        return error
    text = f"{error.reason.text}; without it does not count that the case was {measured.outcome}"
    return replace(error, reason=replace(error.reason, text=text))


def _digest(inputs: Mapping[str, Json]) -> str:
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
