"""Transport cases on an engine's slots: two programs that meet in a Redis."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci.results.records import RoleRecord
from ci.runner.attempt import attempt
from ci.runner.case_errors import Judged, judged
from ci.runner.evidence import write_evidence
from ci.runner.inbox import NOBODY, AttemptObserver
from ci.runner.stage import After, AttemptResult
from ci.suites.transport.words import TRANSPORT

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    from ci.engines.base import Engine, Slot
    from ci.model import Role, Verdict
    from ci.runner.schedule import Ready
    from ci.runner.stage import AttemptContext, CaseObserver
    from ci.spec.attempt import AttemptSpec, Evidence, Stream
    from ci.suites.transport.suite import TransportSuite
    from ci.util.json_document import Json

__all__ = ["TransportStage", "TransportStages"]


@dataclass(frozen=True)
class TransportStages:
    """A stage for each slot of an engine."""

    engine: Engine
    suite: TransportSuite

    def describe(self) -> Mapping[str, Json]:
        return self.engine.describe()

    @contextmanager
    def stage(self, number: int) -> Iterator[TransportStage]:
        with self.engine.slot(number) as slot:
            yield TransportStage(self.engine, slot, self.suite)

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        """The same images in the same roles, asked the same thing."""
        case, versions = ready.case, self.suite.versions
        return {
            "suite": case.suite.name,
            "dialer": ready.images[case.first].digest,
            "listener": ready.images[case.second].digest,
            "stack": list(case.words),
            "contracts": [versions[case.first].contract.value, versions[case.second].contract.value],
        }


@dataclass(frozen=True)
class TransportStage:
    """A slot on which transport cases are played."""

    engine: Engine
    slot: Slot
    suite: TransportSuite

    def play(
        self, ready: Ready, take: AttemptContext, cancelled: threading.Event, observer: CaseObserver | None = None
    ) -> AttemptResult:
        """See `ci.runner.stage.Stage`."""
        self.slot.restore()
        spec = self.suite.attempt_spec(
            ready.case,
            images={version: image.digest for version, image in ready.images.items()},
            surroundings=self.slot.surroundings,
            attempt=take.identity,
        )
        seen = None if observer is None else _Seen(observer, spec, self._judge)
        evidence = attempt(
            self.slot,
            spec,
            has_result=self.suite.has_result,
            labels=take.labels,
            cancelled=cancelled,
            observer=seen or NOBODY,
        )
        told = seen and seen.verdict
        result = Judged(told) if told else judged(ready.case, lambda: self._judge(spec, evidence))
        return AttemptResult(
            verdict=result.verdict,
            error=result.error,
            roles=self._roles(spec, evidence, ready),
            elapsed=evidence.elapsed,
            published=evidence.published,
            limits={"deadlineSeconds": spec.deadline, "memoryBytes": spec.dialer.limits.memory_bytes},
            by_hand=lambda names: self.engine.reproduction(spec, self.slot, names=names),
            keep=lambda durations: (
                write_evidence(
                    take.folder,
                    spec,
                    evidence,
                    result.verdict,
                    attempt=take.number,
                    images=ready.images,
                    started_at=take.started_at,
                    durations=durations,
                ).files
            ),
        )

    def _judge(self, spec: AttemptSpec, evidence: Evidence) -> Verdict:
        return self.suite.judge(spec.case, evidence, self.slot.surroundings)

    def _roles(self, spec: AttemptSpec, evidence: Evidence, ready: Ready) -> dict[Role, RoleRecord]:
        records: dict[Role, RoleRecord] = {}
        for role in TRANSPORT.roles:
            version = spec.case.versions[role]
            end = evidence.exits.get(role)
            records[role] = RoleRecord(
                version=version,
                family=self.suite.versions[version].family,
                image_digest=ready.images[version].digest,
                build_key=ready.images[version].build_key,
                exit_code=end.exit_code if end else None,
                signal=end.signal if end else None,
                oom=end.out_of_memory if end else False,
            )
        return records


class _Seen(AttemptObserver):
    """An attempt in front of an observer.

    :param verdict: the one the observer was told, where nothing that came after it may count
    """

    def __init__(
        self, observer: CaseObserver, spec: AttemptSpec, judge: Callable[[AttemptSpec, Evidence], Verdict]
    ) -> None:
        self._audience = observer
        self._scene = spec
        self._judge = judge
        self.verdict: Verdict | None = None

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        self._audience.output(at, role, stream, data)

    def over(self, evidence: Evidence) -> bool:
        verdict = self._judge(self._scene, evidence)
        after = self._audience.over(verdict, self._scene.participants)
        if after is not After.CLEAR:
            self.verdict = verdict
        return after is After.LEAVE
