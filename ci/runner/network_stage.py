"""Cases over a simulated network on an engine's slots: supplies, attempts, what the captures show, evidence."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ci.images.base import Image
from ci.model import Outcome, Verdict
from ci.results.records import RoleRecord
from ci.runner.case_errors import Judged, judged
from ci.runner.evidence_folder import EvidenceFolder, case_folder
from ci.runner.network_attempt import NetworkObserver, attempt
from ci.runner.network_by_hand import long_values, network_lines
from ci.runner.network_evidence import Repetition, drop_supplies, keep
from ci.runner.stage import After, AttemptResult
from ci.suites.quic.judge import RATE, judge, judge_ending
from ci.suites.quic.materials.supplies import prepare
from ci.suites.quic.suite import Cast, attempt_spec, exchange_of, test_case
from ci.suites.quic.testcases.measurements import summary

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from ci.engines.docker.networks import NetworkEngine, NetworkSlot
    from ci.model import Role, Version
    from ci.runner.compliance import Compliance
    from ci.runner.network_evidence import Captures
    from ci.runner.schedule import Ready
    from ci.runner.stage import AttemptContext, CaseObserver
    from ci.spec.attempt import Stream
    from ci.spec.network import NetworkAttemptSpec, NetworkEvidence
    from ci.suites.quic.materials.supplies import Supplies
    from ci.suites.quic.testcases.base import TestCase
    from ci.util.json_document import Json

__all__ = ["NetworkStage", "NetworkStages"]

# Below the folder of a run: what the commands to play a case by hand put into its containers.
BY_HAND = "by-hand"


@dataclass(frozen=True, kw_only=True)
class NetworkStages:
    """A stage for each slot of an engine.

    :param versions: by id
    :param support: images of the simulator and of the iperf pair, by the version id of each
    :param compliance: what is known of who answers to unknown test cases
    :param seeded: the simulator is ours and draws its lots from a seed it is given
    :param seed: for every case, instead of one of its own
    :param deadline: seconds for every case, instead of its own
    :param factor: for slow hosts: a case's own limit, times this
    :param captures: of which results the captures are kept
    :param operator: what whoever runs this says to the images, by variable
    """

    engine: NetworkEngine
    versions: Mapping[str, Version]
    support: Mapping[str, Image]
    compliance: Compliance
    seeded: bool = True
    seed: int | None = None
    deadline: float | None = None
    factor: float = 1.0
    captures: Captures = "red"
    operator: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> Mapping[str, Json]:
        return {**self.engine.describe(), "simulator": self.support["simulator"].digest}

    @contextmanager
    def stage(self, number: int) -> Iterator[NetworkStage]:
        with self.engine.slot(number) as slot:
            yield NetworkStage(stages=self, slot=slot)

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        """The same images in the same roles over the same network, asked the same thing."""
        case = ready.case
        return {
            "suite": case.suite.name,
            "testCase": case.words[0],
            "client": ready.images[case.first].digest,
            "server": ready.images[case.second].digest,
            "simulator": self.support["simulator"].digest,
            "seed": self.seed,
            "operator": dict(self.operator),
        }

    def images(self, ready: Ready) -> dict[Role, tuple[str, Image]]:
        """Who plays which role, by version id, with which image."""
        case = ready.case
        players: dict[Role, tuple[str, Image]] = {
            "client": (case.first, ready.images[case.first]),
            "server": (case.second, ready.images[case.second]),
            "simulator": ("simulator", self.support["simulator"]),
        }
        if "iperf" in self.support:
            players["iperf_client"] = players["iperf_server"] = ("iperf", self.support["iperf"])
        return players


@dataclass(frozen=True, kw_only=True)
class NetworkStage:
    """A slot on which cases over a simulated network are played."""

    stages: NetworkStages
    slot: NetworkSlot

    def play(
        self, ready: Ready, take: AttemptContext, cancelled: threading.Event, observer: CaseObserver | None = None
    ) -> AttemptResult:
        """See `ci.runner.stage.Stage`."""
        case, stages = ready.case, self.stages
        players = stages.images(ready)
        cast = Cast(
            {role: (version, image.digest) for role, (version, image) in players.items()},
            seeded=stages.seeded,
            operator=stages.operator,
        )
        objection = stages.compliance.objection(self.slot, case, cast, take, cancelled)
        if objection is not None:
            return AttemptResult(verdict=objection, roles={}, elapsed=0.0, keep=lambda _: ())

        test = test_case(case)
        limit = test.limit * stages.factor if stages.deadline is None else stages.deadline
        test = replace(test, limit=max(1, int(limit)))
        seed = _seed(f"{case.key}/{take.number}") if stages.seed is None else stages.seed
        folder = EvidenceFolder(take.folder, case_folder(case), attempt=take.number)
        repetitions: list[Repetition] = []
        for number in range(1, test.repetitions + 1):
            where = f"{number}/" if test.repetitions > 1 else ""
            repetitions.append(
                self._repetition(test, ready, cast, folder, where, seed + number - 1, take, cancelled, observer)
            )
            if repetitions[-1].verdict.outcome is not Outcome.PASSED:
                break
        verdict = _together([repetition.verdict for repetition in repetitions])
        if observer is None:  # which has been told
            verdict = stages.compliance.reconsidered(
                self.slot, case, cast, take, cancelled, repetitions[-1].evidence.exits, verdict
            )
        return AttemptResult(
            verdict=verdict,
            error=repetitions[-1].error,
            roles=self._roles(players, repetitions[-1]),
            elapsed=sum(repetition.evidence.elapsed for repetition in repetitions),
            limits={"deadlineSeconds": test.limit, "repetitions": test.repetitions},
            seed=seed,
            keep=partial(keep, folder, case, repetitions, verdict, take, stages.captures),
            by_hand=partial(self._by_hand, test, repetitions[-1], take.folder / BY_HAND),
        )

    def _repetition(
        self,
        test: TestCase,
        ready: Ready,
        cast: Cast,
        folder: EvidenceFolder,
        where: str,
        seed: int,
        take: AttemptContext,
        cancelled: threading.Event,
        observer: CaseObserver | None,
    ) -> Repetition:
        place = folder.path / where
        place.mkdir(exist_ok=True)
        supplies = test.supplies(seed)
        played = attempt_spec(ready.case, test, supplies, cast, place)
        last = where in ("", f"{test.repetitions}/")
        seen = NetworkObserver() if observer is None else _Seen(observer, test, supplies, played, place, last=last)
        try:
            prepare(supplies, place)
            evidence = attempt(self.slot, played, place, labels=take.labels, cancelled=cancelled, observer=seen)
        except OSError:
            # On a full disk the cases that follow need the room.
            drop_supplies(place)
            raise
        told = seen.verdict if isinstance(seen, _Seen) else None
        result = (
            Judged(told) if told else judged(ready.case, lambda: judge(test, supplies, exchange_of(evidence, place)))
        )
        return Repetition(
            where=where, seed=seed, spec=played, evidence=evidence, verdict=result.verdict, error=result.error
        )

    def _by_hand(self, test: TestCase, last: Repetition, folder: Path, names: Mapping[str, str]) -> list[str]:
        """Commands for the repetition that was played last, and beside them what they put into the containers."""
        supplies = test.supplies(last.seed)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        prepare(supplies, folder)
        for name, value in long_values(last.spec).items():
            (folder / name).write_text(value, encoding="utf-8")
        engine = self.stages.engine
        return network_lines(
            last.spec, supplies, folder.resolve(), helper=engine.helper, images=names, locks_memory=engine.locks_memory
        )

    def _roles(self, players: Mapping[Role, tuple[str, Image]], last: Repetition) -> dict[Role, RoleRecord]:
        records: dict[Role, RoleRecord] = {}
        for participant in last.spec.participants:
            version, image = players[participant.role]
            end = last.evidence.exits.get(participant.role)
            known = self.stages.versions.get(version)
            records[participant.role] = RoleRecord(
                version=version,
                family=version if known is None else known.family,
                image_digest=image.digest,
                build_key=image.build_key,
                exit_code=end.exit_code if end else None,
                signal=end.signal if end else None,
                oom=end.out_of_memory if end else False,
            )
        return records


class _Seen(NetworkObserver):
    """An attempt in front of an observer.

    :param last: no other repetition follows, even if this one passes
    """

    def __init__(
        self,
        observer: CaseObserver,
        test: TestCase,
        supplies: Supplies,
        spec: NetworkAttemptSpec,
        place: Path,
        *,
        last: bool,
    ) -> None:
        self._audience = observer
        self._test = test
        self._supplies = supplies
        self._scene = spec
        self._place = place
        self._last = last
        # The one that was reached in front of the observer: what came after it does not count.
        self.verdict: Verdict | None = None

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        self._audience.output(at, role, stream, data)

    def over(self, evidence: NetworkEvidence) -> bool:
        """A verdict that needs neither files nor traffic is told while whoever still runs still runs."""
        if "simulator" in evidence.exits:
            return False  # what its end means its captures say, and they are not here yet
        self.verdict = judge_ending(self._test, exchange_of(evidence, self._place))
        return self.verdict is not None and self._tell(self.verdict)

    def gathered(self, evidence: NetworkEvidence) -> bool:
        if self.verdict is not None:
            return False
        self.verdict = judge(self._test, self._supplies, exchange_of(evidence, self._place))
        return self._tell(self.verdict)

    def _tell(self, verdict: Verdict) -> bool:
        if verdict.outcome is Outcome.PASSED and not self._last:
            return False
        return self._audience.over(verdict, self._scene.participants) is After.LEAVE


def _seed(identity: str) -> int:
    """The same for the same attempt of the same case, whoever runs it."""
    return int.from_bytes(hashlib.sha256(identity.encode()).digest()[:4], "big") >> 1


def _together(verdicts: Sequence[Verdict]) -> Verdict:
    """Of several repetitions: the first that did not pass, or what they measured, as mean and sample deviation."""
    last = verdicts[-1]
    if last.outcome is not Outcome.PASSED or len(verdicts) == 1:
        return last
    rates = [verdict.metrics[RATE] for verdict in verdicts]
    measured = summary(rates)
    each = {f"{RATE}{number}": rate for number, rate in enumerate(rates, 1)}
    return replace(last, metrics={RATE: measured.mean, f"{RATE}Deviation": measured.deviation, **each})
