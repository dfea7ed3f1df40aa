"""The merged results of a run: one record per planned case, in the plan's order. Reports are pure functions of this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ci.errors import ExitCode
from ci.model import Case, Expectation, Outcome, Proof, SuiteWords
from ci.results.aggregate import CaseVerdict, Result, aggregate_run, verdict
from ci.results.merged_document import MergedShard, ShardState
from ci.results.records import Attempt
from ci.results.stored_attempts import AttemptBrief, briefs_of

__all__ = [
    "Counts",
    "Merged",
    "MergedCase",
    "MergedShard",
    "ShardState",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergedCase:
    """One cell: what was planned, what it came to, and every attempt.

    :param attempts: in the order they were made, the superseded ones among them; of a run in a file they stay there, so
        code that looks at those of all cases asks `briefs` first
    :param superseded: positions in `attempts` that no longer count
    :param expectation: what is known of it
    :param differs: its reason is not the one that the expectation tells
    """

    case: Case
    result: Result
    attempts: Sequence[Attempt] = ()
    superseded: frozenset[int] = frozenset()
    expectation: Expectation | None = None
    differs: bool = False
    # What it comes to: every report asks for it, and more than once.
    verdict: CaseVerdict = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "verdict", verdict(self.result, self.expectation, differs=self.differs))

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts that count."""
        return tuple(it for position, it in enumerate(self.attempts) if position not in self.superseded)

    @property
    def briefs(self) -> Sequence[AttemptBrief]:
        """All attempts, in brief."""
        return briefs_of(self.attempts)

    @property
    def counted_briefs(self) -> Sequence[AttemptBrief]:
        """Those that count."""
        briefs = self.briefs
        if not self.superseded:
            return briefs
        return tuple(it for position, it in enumerate(briefs) if position not in self.superseded)

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def key(self) -> str:
        return self.case.key

    @property
    def first(self) -> str:
        return self.case.first

    @property
    def second(self) -> str:
        return self.case.second

    @property
    def pair(self) -> tuple[str, str]:
        return self.case.pair

    @property
    def words(self) -> tuple[str, ...]:
        return self.case.words


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many cases had each outcome.

    `passed` includes the flaky ones and those whose stack is only believed, `not_run` the planned-out ones.

    :param expected: red or flaky, as somebody had said
    :param stale: not red, though somebody had said so
    """

    planned: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    flaky: int = 0
    planned_out: int = 0
    believed: int = 0
    expected: int = 0
    stale: int = 0

    def of(self, outcome: Outcome) -> int:
        return self.outcomes.get(outcome, 0)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A run, whole.

    :param plan: digest of the plan all shards were run with
    :param unreadable: a folder was given whose results hold not even a start line
    :param unselected: cases of the matrix that the plan left out; None where a file of an older version does not say
    :param altered: evidence that is not what its record says, `shard-3-of-8/…`
    :param idle: expectations that are said of no case of any suite
    """

    plan: str
    cases: tuple[MergedCase, ...]
    suite: SuiteWords
    shards: tuple[MergedShard, ...] = ()
    unreadable: bool = False
    unselected: int | None = 0
    altered: tuple[str, ...] = ()
    idle: tuple[Expectation, ...] = ()

    @cached_property
    def expectations(self) -> tuple[Expectation, ...]:
        """Those that are said of a case of this run, in the order of the cases."""
        return tuple({it.expectation.id: it.expectation for it in self.cases if it.expectation is not None}.values())

    @cached_property
    def neglected(self) -> tuple[str, ...]:
        """What there is to do about the expectations themselves, a line each, as of the day of the run."""
        day = max((it.started_at or "" for case in self.cases for it in case.briefs), default="")[:10]
        lines = []
        for it in self.expectations:
            if it.expires is not None and it.expires.isoformat() <= day:
                lines.append(f"expectation `{it.id}` expired on {it.expires} ({it.place}): look again")
            if not it.reason:
                lines.append(f"expectation `{it.id}` gives no reason ({it.place})")
        lines += [f"expectation `{it.id}` is said of no case ({it.place}): correct or remove it" for it in self.idle]
        return tuple(lines)

    @cached_property
    def counts(self) -> Counts:
        outcomes = dict.fromkeys(Outcome, 0)
        flaky = planned_out = believed = expected = stale = 0
        for case in self.cases:
            expected += case.verdict is CaseVerdict.EXPECTED
            stale += case.verdict is CaseVerdict.STALE
            outcomes[case.result.outcome] += 1
            flaky += case.result.flaky is not None
            planned_out += case.verdict is CaseVerdict.GREY
            believed += case.result.proof is Proof.BELIEVED
        return Counts(
            planned=len(self.cases),
            outcomes=outcomes,
            flaky=flaky,
            planned_out=planned_out,
            believed=believed,
            expected=expected,
            stale=stale,
        )

    @property
    def shards_complete(self) -> bool:
        return not self.unreadable and all(shard.state is ShardState.COMPLETE for shard in self.shards)

    def exit_code(
        self,
        *,
        require_complete: bool = False,
        fail_on_flaky: bool = False,
        require_proof: bool = False,
        accept_red: bool = False,
        strict: bool = False,
    ) -> ExitCode:
        """What the run comes to; see `ci.results.aggregate.aggregate_run`."""
        return aggregate_run(
            ((case.result, case.verdict) for case in self.cases),
            shards_complete=self.shards_complete,
            require_complete=require_complete,
            fail_on_flaky=fail_on_flaky,
            require_proof=require_proof,
            accept_red=accept_red,
            strict=strict,
            neglected=bool(self.neglected),
        )
