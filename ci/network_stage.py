"""Cases over a simulated network on an engine's slots: supplies, attempts, what the captures show, evidence."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from ci.evidence_folder import EvidenceFolder, unwritable
from ci.model import Outcome, Verdict
from ci.network_attempt import attempt
from ci.network_evidence import Repetition, keep
from ci.provision import Image
from ci.records import RoleRecord
from ci.stage import Performance
from ci.suites.network import Cast, exchange_of, scene, test_case
from ci.suites.quic.judgement import RATE, judge
from ci.suites.quic.measurements import summary
from ci.suites.quic.supplies import prepare

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from ci.compliance import Compliance
    from ci.engines.docker_network import NetworkEngine, NetworkSlot
    from ci.json_fields import Json
    from ci.model import Role, Version
    from ci.network_evidence import Captures
    from ci.schedule import Ready
    from ci.stage import Take
    from ci.suites.quic.cases import TestCase

__all__ = ["NetworkStages"]


@dataclass(frozen=True, kw_only=True)
class NetworkStages:
    """A stage for each slot of an engine.

    :param versions: by id
    :param support: images of the simulator and of the iperf pair, by the version id of each
    :param compliance: what is known of who answers to unknown test cases
    :param seeded: the simulator is ours and draws its lots from a seed it is given
    :param seed: for every case, instead of one of its own
    :param deadline: seconds for every case, instead of its own
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
    captures: Captures = "red"
    operator: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> Mapping[str, Json]:
        return {**self.engine.describe(), "simulator": self.support["simulator"].digest}

    @contextmanager
    def stage(self, number: int) -> Iterator[_Stage]:
        with self.engine.slot(number) as slot:
            yield _Stage(stages=self, slot=slot)

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        """The same images in the same roles over the same network, asked the same thing."""
        case = ready.case
        return {
            "suite": case.suite,
            "testCase": case.params.words[0],
            "client": ready.images[case.dialer].digest,
            "server": ready.images[case.listener].digest,
            "simulator": self.support["simulator"].digest,
            "seed": self.seed,
            "operator": dict(self.operator),
        }

    def images(self, ready: Ready) -> dict[Role, tuple[str, Image]]:
        """Who plays which role, by version id, with which image."""
        case = ready.case
        players: dict[Role, tuple[str, Image]] = {
            "client": (case.dialer, ready.images[case.dialer]),
            "server": (case.listener, ready.images[case.listener]),
            "simulator": ("simulator", self.support["simulator"]),
        }
        if "iperf" in self.support:
            players["iperf_client"] = players["iperf_server"] = ("iperf", self.support["iperf"])
        return players


@dataclass(frozen=True, kw_only=True)
class _Stage:
    stages: NetworkStages
    slot: NetworkSlot

    def play(self, ready: Ready, take: Take, cancelled: threading.Event) -> Performance:
        try:
            return self._play(ready, take, cancelled)
        except OSError as error:
            raise unwritable(ready.case, error) from error

    def _play(self, ready: Ready, take: Take, cancelled: threading.Event) -> Performance:
        case, stages = ready.case, self.stages
        players = stages.images(ready)
        cast = Cast(
            {role: (version, image.digest) for role, (version, image) in players.items()},
            seeded=stages.seeded,
            operator=stages.operator,
        )
        objection = stages.compliance.objection(self.slot, case, cast, take, cancelled)
        if objection is not None:
            return Performance(verdict=objection, roles={}, elapsed=0.0, keep=lambda _: ())

        test = test_case(case)
        if stages.deadline is not None:
            test = replace(test, limit=int(stages.deadline))
        seed = _seed(f"{case.key}/{take.number}") if stages.seed is None else stages.seed
        # The established layout of logs (section 5.5), and so server first.
        folder = EvidenceFolder(take.folder, f"{case.listener}_{case.dialer}/{test.name}", attempt=take.number)
        repetitions: list[Repetition] = []
        for number in range(1, test.repetitions + 1):
            where = f"{number}/" if test.repetitions > 1 else ""
            repetitions.append(self._repetition(test, ready, cast, folder, where, seed + number - 1, take, cancelled))
            if repetitions[-1].verdict.outcome is not Outcome.PASSED:
                break
        verdict = _together([repetition.verdict for repetition in repetitions])
        return Performance(
            verdict=verdict,
            roles=self._roles(players, repetitions[-1]),
            elapsed=sum(repetition.evidence.elapsed for repetition in repetitions),
            limits={"deadlineSeconds": test.limit, "repetitions": test.repetitions},
            seed=seed,
            keep=partial(keep, folder, case, repetitions, verdict, take, stages.captures),
        )

    def _repetition(
        self,
        test: TestCase,
        ready: Ready,
        cast: Cast,
        folder: EvidenceFolder,
        where: str,
        seed: int,
        take: Take,
        cancelled: threading.Event,
    ) -> Repetition:
        place = folder.path / where
        place.mkdir(exist_ok=True)
        supplies = test.supplies(seed)
        prepare(supplies, place)
        played = scene(ready.case, test, supplies, cast, place)
        evidence = attempt(self.slot, played, place, labels=take.labels, cancelled=cancelled)
        verdict = judge(test, supplies, exchange_of(evidence, place))
        return Repetition(where=where, seed=seed, scene=played, evidence=evidence, verdict=verdict)

    def _roles(self, players: Mapping[Role, tuple[str, Image]], last: Repetition) -> dict[Role, RoleRecord]:
        records: dict[Role, RoleRecord] = {}
        for actor in last.scene.actors:
            version, image = players[actor.role]
            end = last.evidence.exits.get(actor.role)
            known = self.stages.versions.get(version)
            records[actor.role] = RoleRecord(
                version=version,
                family=version if known is None else known.family,
                image_digest=image.digest,
                build_key=image.build_key,
                exit_code=end.exit_code if end else None,
                signal=end.signal if end else None,
                oom=end.out_of_memory if end else False,
            )
        return records


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
