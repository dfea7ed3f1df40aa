"""One case in the foreground, as often as it is wanted: each try judged, its evidence kept, all of them summed up."""

from __future__ import annotations

import shutil
import statistics
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ci.model import Outcome, Verdict
from ci.results.records import timestamp
from ci.runner.base import After, AttemptContext, CaseObserver
from ci.runner.evidence_folder import unwritable

if TYPE_CHECKING:
    from ci.commands.repro_output import LiveOutput
    from ci.engines.base import Slot
    from ci.model import Role
    from ci.results.records import EvidenceFile
    from ci.runner.base import AttemptResult, CaseRunner
    from ci.runner.schedule import Ready
    from ci.spec.attempt import Participant, Stream

__all__ = ["Repeat", "Try", "pass_rate"]


@dataclass(frozen=True, kw_only=True)
class Try:
    """One attempt, and what came of it.

    :param seconds: from the start of both sides to the verdict
    :param folder: where its evidence lies; None where nobody was started
    :param seed: what chance there was came from it
    :param by_hand: see `ci.runner.base.AttemptResult`
    """

    number: int
    verdict: Verdict
    seconds: float
    folder: Path | None
    seed: int | None = None
    by_hand: Callable[[Mapping[str, str]], list[str]] | None = None

    @property
    def passed(self) -> bool:
        return self.verdict.outcome is Outcome.PASSED


@dataclass(frozen=True, kw_only=True)
class Repeat:
    """A case on a slot.

    :param folder: below which each try keeps its evidence
    :param live: shows what participants write, as they do; None shows nothing
    :param over: told of a verdict, also by number, before the participants are removed
    :param around: entered for each try, given the folder for files of its own
    """

    ready: Ready
    case_runner: CaseRunner
    slot: Slot
    folder: Path
    cancelled: threading.Event
    live: Callable[[], LiveOutput | None] = lambda: None
    over: Callable[[int, Verdict, Sequence[Participant]], After] = lambda *_: After.CLEAR
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
        case = self.ready.case
        context = AttemptContext(
            number=number,
            identity=f"{self.folder.name}/{number}",
            folder=self.folder,
            started_at=timestamp(),
            labels={"case": case.name},
        )
        scratch = self.folder / f"try-{number}"
        try:
            scratch.mkdir(parents=True)
        except OSError as error:
            raise unwritable(case, error) from error
        foreground = _Foreground(self, number)
        try:
            with self.around(scratch):
                result = self.case_runner.run_case(self.slot, self.ready, context, self.cancelled, foreground)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise unwritable(case, error) from error
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        finally:
            foreground.close()
        return Try(
            number=number,
            verdict=result.verdict,
            seconds=result.elapsed,
            folder=self._keep(result, scratch),
            seed=result.seed,
            by_hand=result.by_hand,
        )

    def _keep(self, result: AttemptResult, scratch: Path) -> Path | None:
        try:
            files = result.keep({"verdict": round(result.elapsed * 1000, 1)})
            folder = _folder_of(self.folder, files)
            if folder is not None:
                for file in scratch.iterdir():
                    file.rename(folder / file.name)
            shutil.rmtree(scratch)
        except OSError as error:
            raise unwritable(self.ready.case, error) from error
        return folder


def _folder_of(root: Path, files: Sequence[EvidenceFile]) -> Path | None:
    """Where the evidence lies that was kept: every attempt has a `case.json`."""
    return next((root.joinpath(file.path).parent for file in files if file.stream == "case"), None)


class _Foreground(CaseObserver):
    """Shows what happens, and lets somebody look around before it is cleared away."""

    def __init__(self, repeat: Repeat, number: int) -> None:
        self._repeat = repeat
        self._number = number
        self._live = repeat.live()

    def output(self, at: float, role: Role, stream: Stream, data: bytes) -> None:
        if self._live is not None:
            self._live.output(at, role, stream, data)

    def over(self, verdict: Verdict, participants: Sequence[Participant]) -> After:
        with nullcontext() if self._live is None else self._live.paused():
            return self._repeat.over(self._number, verdict, participants)

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
