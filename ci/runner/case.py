"""One case: its attempt with all repetitions, what its suite says of it, and what of it is kept.

A suite describes and judges, an engine runs, and neither knows the other; here both come together, whatever the suite
and whatever the engine.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from ci.model import Outcome
from ci.results.records import RoleRecord
from ci.runner.attempt import AT_ONCE, attempt, prepare
from ci.runner.base import After, AttemptResult, PreparedCase
from ci.runner.case_errors import Judged, judged
from ci.runner.evidence import keep_evidence
from ci.runner.evidence_folder import EvidenceFolder, case_folder
from ci.runner.inbox import UNOBSERVED, AttemptObserver
from ci.suites.base import Repetition
from ci.util.source_digest import source_digest

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ci.engines.base import Engine, Slot
    from ci.images.base import Image
    from ci.model import Role, Verdict, Version
    from ci.runner.attempt import Housekeeping, PreparedAttempt
    from ci.runner.base import AttemptContext, CaseObserver
    from ci.runner.schedule import Ready
    from ci.spec.attempt import AttemptSpec, Evidence, Stream
    from ci.suites.base import CaseRun, SuiteRun
    from ci.util.json_document import Json

__all__ = ["EngineCases", "drop_prepared"]

# Beside the suite's own folder, the code that results depend on.
CODE: Final = ("ci.model", "ci.spec", "ci.engines", "ci.runner", "ci.suites.base")
# Below the folder of a run: what the commands to run a case by hand put into its containers.
BY_HAND: Final = "by-hand"
# What the names of folders begin with whose attempt is not under way yet.
PREPARED: Final = ".prepared-"


@dataclass(frozen=True, kw_only=True)
class EngineCases:
    """The cases of a suite on an engine. A `CaseRunner`.

    :param versions: by id
    :param auxiliary: images of who takes part beside the two versions, by id
    """

    engine: Engine
    suite: SuiteRun
    versions: Mapping[str, Version]
    auxiliary: Mapping[str, Image] = field(default_factory=dict)

    def describe(self) -> Mapping[str, Json]:
        return {**self.engine.describe(), **self.suite.describe()}

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        module = type(self.suite).__module__
        return {
            **self.suite.inputs(ready.case, _digests(ready)),
            "limits": self._any_run(ready).limits,
            "auxiliary": {name: image.digest for name, image in self.auxiliary.items()},
            # What starts, watches and judges them.
            "code": source_digest(*CODE, module.rpartition(".")[0] or module),
        }

    def roles(self, ready: Ready) -> tuple[Role, ...]:
        """Who takes part in a case."""
        return self._any_run(ready).roles

    def slot(self, number: int) -> AbstractContextManager[Slot]:
        return self.engine.slot(number)

    def prepare(self, slot: Slot, ready: Ready, context: AttemptContext) -> PreparedCase | None:
        """See `CaseRunner`."""
        run = self._case_run(ready, context)
        if not run.settled:
            return None
        folder = context.folder / f"{PREPARED}{ready.case.key}" if run.has_files else None
        try:
            if folder is not None:
                folder.mkdir()
                run.write_inputs(0, folder)
            prepared = prepare(slot, run.spec(0, folder, slot.surroundings), labels=context.labels)
        except BaseException:
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        return PreparedCase(key=ready.case.key, number=context.number, attempt=prepared, folder=folder)

    def _case_run(self, ready: Ready, context: AttemptContext) -> CaseRun:
        return self.suite.case_run(ready.case, _digests(ready), identity=context.identity, number=context.number)

    def _any_run(self, ready: Ready) -> CaseRun:
        """For what is the same in all attempts."""
        return self.suite.case_run(ready.case, _digests(ready), identity="", number=1)

    def run_case(
        self,
        slot: Slot,
        ready: Ready,
        context: AttemptContext,
        cancelled: threading.Event,
        observer: CaseObserver | None = None,
        *,
        prepared: PreparedCase | None = None,
        housekeeping: Housekeeping = AT_ONCE,
    ) -> AttemptResult:
        """See `CaseRunner`."""
        case, images = ready.case, {**self.auxiliary, **ready.images}
        run = self._case_run(ready, context)

        def try_out(spec: AttemptSpec, folder: Path) -> Evidence:
            slot.restore(*spec.roles)
            return attempt(slot, spec, labels=context.labels, cancelled=cancelled, folder=folder)

        with closing(_FirstPrepared(prepared)) as first_prepared:
            objection = run.objection(try_out)
            if objection is not None:
                return AttemptResult(verdict=objection, roles={}, elapsed=0.0, keep=lambda _: ())
            folder = (
                EvidenceFolder(context.folder, case_folder(case), attempt=context.number) if run.has_files else None
            )
            repetitions: list[Repetition] = []
            for number, where in enumerate(run.repetitions):
                place = None if folder is None else folder.path / where
                repetitions.append(
                    _repeated(run, number, slot, place, context, cancelled, observer, first_prepared, housekeeping)
                )
                if repetitions[-1].verdict.outcome is not Outcome.PASSED:
                    break
        verdict = run.concluded([repetition.verdict for repetition in repetitions])
        last = repetitions[-1]
        if observer is None:  # which has been told
            verdict = run.reconsidered(verdict, last.evidence, try_out)
        return AttemptResult(
            verdict=verdict,
            error=last.error,
            roles=_roles(last, images, self.versions),
            elapsed=sum(repetition.evidence.elapsed for repetition in repetitions),
            judging=sum(repetition.judging for repetition in repetitions),
            published=last.evidence.published,
            limits=run.limits,
            seed=run.seed,
            by_hand=partial(self._by_hand, run, repetitions, slot, context),
            keep=partial(keep_evidence, folder, case, run, repetitions, verdict, context, images),
        )

    def _by_hand(
        self,
        run: CaseRun,
        repetitions: Sequence[Repetition],
        slot: Slot,
        context: AttemptContext,
        names: Mapping[str, str],
    ) -> list[str]:
        """Commands for the last repetition, and in a folder of their own what they put into the containers."""
        if not run.has_files:
            return self.engine.reproduction(repetitions[-1].spec, slot, names=names, folder=None)
        folder = context.folder / BY_HAND
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        number = len(repetitions) - 1
        run.write_inputs(number, folder)
        spec = run.spec(number, folder, slot.surroundings)
        return self.engine.reproduction(spec, slot, names=names, folder=folder)


def _digests(ready: Ready) -> dict[str, str]:
    return {name: image.digest for name, image in ready.images.items()}


def drop_prepared(folder: Path) -> None:
    """Remove what a run that was killed had prepared in the folder of its shard."""
    for path in folder.glob(f"{PREPARED}*"):
        shutil.rmtree(path, ignore_errors=True)


class _FirstPrepared:
    """What was prepared for the first repetition of a case, until it is used."""

    def __init__(self, prepared: PreparedCase | None) -> None:
        self._prepared = prepared

    def take(self, slot: Slot, place: Path | None) -> PreparedAttempt | None:
        """The participants, if the slot is what they were prepared for; what they were given is put in its place."""
        prepared = self._prepared
        if prepared is None or prepared.attempt.generation != slot.generation:
            return None
        if prepared.folder is not None and place is not None:
            prepared.folder.replace(place)
        self._prepared = None
        return prepared.attempt

    def close(self) -> None:
        if self._prepared is not None:
            self._prepared.discard()
            self._prepared = None


def _repeated(
    run: CaseRun,
    number: int,
    slot: Slot,
    place: Path | None,
    context: AttemptContext,
    cancelled: threading.Event,
    observer: CaseObserver | None,
    first_prepared: _FirstPrepared,
    housekeeping: Housekeeping,
) -> Repetition:
    slot.restore(*run.roles)
    spec = run.spec(number, place, slot.surroundings)
    seen = None if observer is None else _Observed(observer, run, number, spec, place, slot)
    try:
        prepared = first_prepared.take(slot, place)
        if place is not None and prepared is None:
            place.mkdir(exist_ok=True)
            run.write_inputs(number, place)
        evidence = attempt(
            slot,
            spec,
            labels=context.labels,
            cancelled=cancelled,
            folder=place,
            has_result=run.has_result,
            observer=seen or UNOBSERVED,
            prepared=prepared,
            housekeeping=housekeeping,
        )
    except OSError:
        if place is not None:
            # On a full disk the cases that follow need the room.
            run.drop_inputs(place)
        raise
    told = seen and seen.verdict
    result = Judged(told) if told else judged(spec.case, lambda: run.judge(number, evidence, place, slot.surroundings))
    return Repetition(
        where=run.repetitions[number],
        seed=None if run.seed is None else run.seed + number,
        spec=spec,
        evidence=evidence,
        verdict=result.verdict,
        error=result.error,
        judging=result.seconds,
    )


class _Observed(AttemptObserver):
    """An attempt in front of an observer, who is told the verdict as soon as there is one.

    :param verdict: the one the observer was told, where nothing that came after it may count
    """

    def __init__(
        self,
        observer: CaseObserver,
        run: CaseRun,
        number: int,
        spec: AttemptSpec,
        place: Path | None,
        slot: Slot,
    ) -> None:
        self._observer = observer
        self._run = run
        self._number = number
        self._spec = spec
        self._place = place
        self._slot = slot
        self._told = False
        self.verdict: Verdict | None = None

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        self._observer.output(at, role, stream, data)

    def over(self, evidence: Evidence) -> bool:
        """A verdict that needs no files is told before containers are stopped."""
        verdict = self._run.early_verdict(self._number, evidence, self._place, self._slot.surroundings)
        return verdict is not None and self._tell(verdict)

    def gathered(self, evidence: Evidence) -> bool:
        if self._told:
            return False
        return self._tell(self._run.judge(self._number, evidence, self._place, self._slot.surroundings))

    def _tell(self, verdict: Verdict) -> bool:
        self._told = True
        if verdict.outcome is Outcome.PASSED and self._number + 1 < len(self._run.repetitions):
            return False  # it is not the last word
        after = self._observer.over(verdict, self._spec.participants)
        if after is not After.CLEAR:
            self.verdict = verdict
        return after is After.LEAVE


def _roles(last: Repetition, images: Mapping[str, Image], versions: Mapping[str, Version]) -> dict[Role, RoleRecord]:
    records: dict[Role, RoleRecord] = {}
    for participant in last.spec.participants:
        version, image = participant.version, images[participant.version]
        end = last.evidence.exits.get(participant.role)
        records[participant.role] = RoleRecord(
            version=version,
            family=versions[version].family if version in versions else version,
            image_digest=image.digest,
            build_key=image.build_key,
            exit_code=end.exit_code if end else None,
            signal=end.signal if end else None,
            oom=end.out_of_memory if end else False,
        )
    return records
