"""Transport cases on an engine's slots: two programs that meet in a Redis."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci.attempt import attempt
from ci.evidence import write_evidence
from ci.model import ROLES
from ci.records import RoleRecord
from ci.stage import Performance

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping

    from ci.engines.base import Engine, Slot
    from ci.json_fields import Json
    from ci.model import Role
    from ci.scene import Evidence, Scene
    from ci.schedule import Ready
    from ci.stage import Take
    from ci.suites.base import Suite

__all__ = ["TransportStages"]


@dataclass(frozen=True)
class TransportStages:
    """A stage for each slot of an engine."""

    engine: Engine
    suite: Suite

    def describe(self) -> Mapping[str, Json]:
        return self.engine.describe()

    @contextmanager
    def stage(self, number: int) -> Iterator[_Stage]:
        with self.engine.slot(number) as slot:
            yield _Stage(slot, self.suite)

    def inputs(self, ready: Ready) -> Mapping[str, Json]:
        """The same images in the same roles, asked the same thing."""
        case, versions = ready.case, self.suite.versions
        return {
            "suite": self.suite.name,
            "dialer": ready.images[case.dialer].digest,
            "listener": ready.images[case.listener].digest,
            "stack": list(case.params.words),
            "contracts": [versions[case.dialer].contract.value, versions[case.listener].contract.value],
        }


@dataclass(frozen=True)
class _Stage:
    slot: Slot
    suite: Suite

    def play(self, ready: Ready, take: Take, cancelled: threading.Event) -> Performance:
        scene = self.suite.scene(
            ready.case,
            images={version: image.digest for version, image in ready.images.items()},
            surroundings=self.slot.surroundings,
            attempt=take.identity,
        )
        evidence = attempt(self.slot, scene, settled=self.suite.settled, labels=take.labels, cancelled=cancelled)
        verdict = self.suite.judge(ready.case, evidence, self.slot.surroundings)
        return Performance(
            verdict=verdict,
            roles=self._roles(scene, evidence, ready),
            elapsed=evidence.elapsed,
            published=evidence.published,
            limits={"deadlineSeconds": scene.deadline, "memoryBytes": scene.dialer.limits.memory_bytes},
            keep=lambda durations: (
                write_evidence(
                    take.folder,
                    scene,
                    evidence,
                    verdict,
                    attempt=take.number,
                    images=ready.images,
                    started_at=take.started_at,
                    durations=durations,
                ).files
            ),
        )

    def _roles(self, scene: Scene, evidence: Evidence, ready: Ready) -> dict[Role, RoleRecord]:
        records: dict[Role, RoleRecord] = {}
        for role in ROLES:
            version = scene.case.version_of(role)
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
