"""One case in the foreground, as often as it is wanted: each try judged, its evidence kept, all of them summed up."""

from __future__ import annotations

import shutil
import statistics
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from ci.attempt import attempt
from ci.evidence import write_evidence
from ci.evidence_folder import unwritable
from ci.inbox import Bystander
from ci.model import Outcome, Verdict
from ci.records import timestamp

if TYPE_CHECKING:
    from ci.engines.base import Slot
    from ci.live import LiveOutput
    from ci.model import Case, Role
    from ci.provision import Image
    from ci.scene import Evidence, Scene, Stream
    from ci.suites.base import Suite

__all__ = ["After", "Repeat", "Try", "pass_rate"]


class After(Enum):
    """What becomes of both sides once the verdict is known."""

    CLEAR = "clear"  # stopped and removed at once
    LOOKED = "looked"  # the same, after somebody has looked around: what happened meanwhile must not count
    LEAVE = "leave"  # left as they are


@dataclass(frozen=True, kw_only=True)
class Try:
    """One attempt, and what came of it.

    :param seconds: from the start of both sides to the verdict
    :param folder: where its evidence lies
    """

    number: int
    scene: Scene
    verdict: Verdict
    seconds: float
    folder: Path

    @property
    def passed(self) -> bool:
        return self.verdict.outcome is Outcome.PASSED


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A case on a slot.

    :param folder: below which each try keeps its evidence
    :param live: shows what both sides write, as they do; None shows nothing
    :param over: told of a verdict, also by number, while whoever still runs still runs
    :param around: entered for each try, given the folder for files of its own
    """

    case: Case
    suite: Suite
    slot: Slot
    images: Mapping[str, Image]
    folder: Path
    cancelled: threading.Event
    live: Callable[[], LiveOutput | None] = lambda: None
    over: Callable[[int, Scene, Verdict], After] = lambda *_: After.CLEAR
    around: Callable[[Path], AbstractContextManager[object]] = nullcontext

    def tries(self, times: int, *, until_fail: bool = False) -> Iterator[Try]:
        """Try `times` times, or until one did not pass.

        :raises EngineError: the engine or Redis broke, or the evidence cannot be written
        :raises Cancelled: `cancelled` was set
        """
        for number in range(1, times + 1):
            done = self._once(number)
            yield done
            if until_fail and not done.passed:
                return

    def _once(self, number: int) -> Try:
        scene = self.suite.scene(
            self.case,
            images={version: image.digest for version, image in self.images.items()},
            surroundings=self.slot.surroundings,
            attempt=f"{self.folder.name}/{number}",
        )
        started_at = timestamp()
        bystander = _Foreground(self, number, scene)
        scratch = self.folder / f"try-{number}"
        try:
            scratch.mkdir(parents=True)
        except OSError as error:
            raise unwritable(self.case, error) from error
        labels = {"case": self.case.name}
        try:
            with self.around(scratch):
                evidence = attempt(
                    self.slot,
                    scene,
                    settled=self.suite.settled,
                    labels=labels,
                    cancelled=self.cancelled,
                    bystander=bystander,
                )
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        finally:
            bystander.close()
        verdict = bystander.verdict or self.judge(evidence)
        folder = self._keep(number, scene, evidence, verdict, started_at, scratch)
        return Try(number=number, scene=scene, verdict=verdict, seconds=evidence.elapsed, folder=folder)

    def judge(self, evidence: Evidence) -> Verdict:
        return self.suite.judge(self.case, evidence, self.slot.surroundings)

    def _keep(
        self, number: int, scene: Scene, evidence: Evidence, verdict: Verdict, started_at: str, scratch: Path
    ) -> Path:
        try:
            folder = write_evidence(
                self.folder,
                scene,
                evidence,
                verdict,
                attempt=number,
                images=self.images,
                started_at=started_at,
                durations={"verdict": round(evidence.elapsed * 1000, 1)},
            ).path
            for file in scratch.iterdir():
                file.rename(folder / file.name)
            scratch.rmdir()
        except OSError as error:
            raise unwritable(self.case, error) from error
        return folder


class _Foreground(Bystander):
    """Shows what happens, and lets somebody look around before it is cleared away."""

    def __init__(self, repeat: Repeat, number: int, scene: Scene) -> None:
        self._repeat = repeat
        self._number = number
        self._scene = scene
        self._live = repeat.live()
        self.verdict: Verdict | None = None

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        if self._live is not None:
            self._live.output(at, role, stream, data)

    def over(self, evidence: Evidence) -> bool:
        verdict = self._repeat.judge(evidence)
        with nullcontext() if self._live is None else self._live.paused():
            after = self._repeat.over(self._number, self._scene, verdict)
        if after is not After.CLEAR:
            self.verdict = verdict
        return after is After.LEAVE

    def close(self) -> None:
        if self._live is not None:
            self._live.close()


def pass_rate(tries: Sequence[Try]) -> list[str]:
    """`7 of 10 passed (70 %), …`, then each distinct reason with how often it was one.

    Tries in which the harness or the host broke say nothing about the case, and count neither for nor against it.
    """
    telling = [it for it in tries if it.verdict.outcome.conclusive]
    passed = sum(it.passed for it in telling)
    share = f" ({100 * passed / len(telling):.0f} %)" if telling else ""
    times = sorted(it.seconds for it in tries)
    head = f"{passed} of {len(telling)} passed{share}; {times[0]:.2f} to {times[-1]:.2f} s each"
    lines = [f"{head}, {statistics.median(times):.2f} s in the middle"]
    reasons: dict[tuple[object, ...], list[str]] = {}
    for it in tries:
        if (reason := it.verdict.reason) is not None:
            kind = (it.verdict.outcome, reason.code, reason.side, reason.phase)
            reasons.setdefault(kind, []).append(reason.text)
    # Sentences hold times and addresses of one try; the first of each kind stands for the others.
    for (outcome, code, *_), texts in sorted(reasons.items(), key=lambda item: -len(item[1])):
        lines.append(f"  {len(texts)} {outcome}, {code}: {texts[0]}")
    return lines
