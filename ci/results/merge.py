"""Brings the shards of a run together and says of every planned case what became of it.

Nothing that was planned can drop out: a case without a record is *not run* and says which shard owed it. The
result depends only on the set of shards, not on their order, their folders' names or when they are merged.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ci.errors import ConfigurationError
from ci.model import Expectation, Outcome, Reason, ReasonCode, Suites
from ci.results.aggregate import Result, aggregate_attempts, superseded
from ci.results.evidence_paths import check_folder, is_altered, path_problem
from ci.results.expectations import held_against
from ci.results.merged import Merged, MergedCase, MergedShard, ShardState
from ci.results.plan_file import PLAN_FILE, Plan, PlannedCase, read_plan
from ci.results.records import Attempt, RunStart, shard_numbers
from ci.results.shard_file import RESULTS_FILE, ShardResults, read_attempts
from ci.results.spool import Spool, SpooledAttempt
from ci.util.collection import no_collection
from ci.util.json_document import Json

__all__ = ["find_shards", "merge", "plan_of_shards"]


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """:param altered: evidence that is not what its records say"""

    folder: Path
    start: RunStart
    results: ShardResults[SpooledAttempt]
    altered: tuple[str, ...]

    @property
    def rerun(self) -> bool:
        """Whether it only repeats cases of another run, and is no slice of the plan."""
        # Older versions did not say it at the start.
        attempts = self.results.attempts
        return self.start.rerun or (bool(attempts) and all(it.kind == "rerun" for it in attempts))

    @property
    def complete(self) -> bool:
        end = self.results.end
        return end is not None and end.ok and end.reported >= end.planned


def find_shards(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The shard folders at or below the given ones, without following links.

    :raises ConfigurationError: `results-not-found` for a path that holds none
    """
    found: dict[Path, None] = {}
    for path in paths:
        folders = _folders_with_results(path)
        if not folders:
            raise ConfigurationError(
                "results-not-found",
                f"{path} holds no {RESULTS_FILE}",
                why="the shard never started, or its artifact was not fetched",
                hint="leave the path out: the shard's cases will be reported as not run",
            )
        found.update(dict.fromkeys(folders))
    return tuple(found)


def _folders_with_results(root: Path) -> list[Path]:
    """What lies inside a shard's folder is evidence, whatever it is called; it is not looked at."""
    found = []
    for folder, folders, files in os.walk(root):
        folders.sort()
        if RESULTS_FILE in files:
            found.append(Path(folder))
            folders.clear()
    return found


@no_collection()
def merge(
    folders: Sequence[Path],
    plan: Path | Mapping[str, Json] | Plan | None = None,
    *,
    suites: Suites,
    shard_of: Mapping[str, str] | None = None,
    expected: Mapping[str, Expectation] | None = None,
    idle: Sequence[Expectation] = (),
) -> Merged:
    """The run's merged results.

    :param folders: of shards, each holding a `results.jsonl`
    :param plan: what `list --json` printed; by default the copy in the shards' folders
    :param suites: those there are
    :param shard_of: case key → `3/8`, to say exactly which shard owed a missing case
    :param expected: case key → what is known of it
    :param idle: expectations that are said of no case
    :raises ConfigurationError: `plan-mixture`, `plan-missing`, `shard-conflict`, `case-conflict`,
        `case-unplanned`, `evidence-escapes`, and whatever reading a shard or a plan raises
    """
    files = {folder: check_folder(folder) for folder in folders}
    document = _plan(folders, plan, suites)
    spool = Spool(document)
    shards, unreadable = _read(folders, document.digest, files, spool)
    slices, reruns = _deduplicated(shards, spool)
    attempts = _by_case(slices, reruns, document)
    states = _states(slices, reruns)
    where = {(it.run, it.key): shard.folder for shard in shards for it in shard.results.attempts}
    return Merged(
        plan=document.digest,
        suite=document.suite,
        shards=states,
        unreadable=unreadable,
        unselected=len(document.cases) - len(document.selected),
        altered=tuple(sorted(it for shard in (*slices, *reruns) for it in shard.altered)),
        cases=tuple(
            held_against(
                (expected or {}).get(case.key),
                _merged_case(case, spool, attempts.get(case.key, ()), states, shard_of or {}),
                where,
            )
            for case in document.selected
        ),
        idle=tuple(idle),
    )


# --- reading ----------------------------------------------------------------------------------------------


def _plan(folders: Sequence[Path], plan: Path | Mapping[str, Json] | Plan | None, suites: Suites) -> Plan:
    if plan is not None:
        return plan if isinstance(plan, Plan) else read_plan(plan, suites)
    document = plan_of_shards(folders, suites)
    if document is None:
        raise ConfigurationError(
            "plan-missing",
            f"none of the shards' folders holds a {PLAN_FILE}",
            why="without the plan nobody can tell which cases are missing",
            hint="give the plan that `list --json` printed for this run",
        )
    return document


def plan_of_shards(folders: Sequence[Path], suites: Suites) -> Plan | None:
    """The plan as the shards' own copies have it; None where there is none.

    :raises ConfigurationError: `plan-mixture` if two differ, `plan-unreadable`, `plan-malformed`
    """
    copies = [folder for folder in folders if (folder / PLAN_FILE).exists()]
    if not copies:
        return None
    first, *others = copies
    plan = read_plan(first / PLAN_FILE, suites)
    for folder in others:
        if _same_bytes(first / PLAN_FILE, folder / PLAN_FILE):
            continue
        copy = read_plan(folder / PLAN_FILE, suites)
        if copy != plan:
            raise _mixture(folder, copy.digest, plan.digest, f"that of {first}")
    return plan


def _same_bytes(one: Path, other: Path) -> bool:
    """Whether what two regular files hold is equal; reading a plan takes longer than that."""
    try:
        return filecmp.cmp(one, other, shallow=False)
    except OSError:
        return False


def _read(
    folders: Sequence[Path], plan: str, files: Mapping[Path, frozenset[str]], spool: Spool
) -> tuple[list[_Shard], bool]:
    shards = []
    unreadable = False
    for folder in folders:
        altered: list[str] = []
        results = read_attempts(folder, partial(_checked, folder, files[folder], altered, spool))
        if results.start is None:
            unreadable = True
            continue
        if results.start.plan != plan:
            raise _mixture(folder, results.start.plan, plan, "the run's")
        index, count = shard_numbers(results.start.shard)
        paths = tuple(f"shard-{index}-of-{count}/{path}" for path in altered)
        shards.append(_Shard(folder=folder, start=results.start, results=results, altered=paths))
    return shards, unreadable


def _mixture(folder: Path, found: str, wanted: str, whose: str) -> ConfigurationError:
    other = "the same digest, but other cases," if found == wanted else f"plan {found}"
    return ConfigurationError(
        "plan-mixture",
        f"{folder} belongs to another plan: it has {other} and {whose} is {wanted}",
        why="the commit, the selection or the weights differed between the shards",
        hint="merge only shards of one plan, with the selection they were run with or with none; "
        "or run this shard again with the others' plan",
    )


def _checked(folder: Path, there: frozenset[str], altered: list[str], spool: Spool, attempt: Attempt) -> SpooledAttempt:
    """Keep an attempt whose evidence is where it should be, and note which of it is not what its record says.

    :param there: the files of the folder; what was not fetched at all is nobody's mistake
    """
    for file in attempt.evidence:
        problem = path_problem(file.path)
        if problem is not None:
            raise ConfigurationError(
                "evidence-escapes",
                f"{folder}: evidence path {file.path!r} is refused: {problem}",
                why="no shard of ours writes such a path; the results were tampered with",
                hint="do not use results of this origin",
            )
        if file.path in there and is_altered(folder / file.path, file):
            altered.append(file.path)
    return spool.add(attempt)


# --- reconciling ------------------------------------------------------------------------------------------


def _deduplicated(shards: Iterable[_Shard], spool: Spool) -> tuple[list[_Shard], list[_Shard]]:
    """Slices of the plan and re-runs, each once: of the same shard the highest CI attempt counts."""
    slices: dict[str, _Shard] = {}
    reruns: dict[str, _Shard] = {}
    for shard in shards:
        kept = reruns if shard.rerun else slices
        # Re-runs of different runs are different things; slices of one plan are not, whatever their run.
        name = f"{shard.start.run}/{shard.start.shard}" if shard.rerun else shard.start.shard
        other = kept.get(name)
        if other is None or shard.start.ci_attempt > other.start.ci_attempt:
            kept[name] = shard
        elif shard.start.ci_attempt == other.start.ci_attempt and not _equal(shard.results, other.results, spool):
            first, second = sorted((str(shard.folder), str(other.folder)))
            raise ConfigurationError(
                "shard-conflict",
                f"shard {shard.start.shard} was given twice with different content: {first} and {second}",
                why="two runs of the same plan were mixed",
                hint="give only one of the two",
            )
    counts = {shard_numbers(name)[1] for name in slices}
    if len(counts) > 1:
        mixed = ", ".join(sorted(slices, key=lambda name: shard_numbers(name)[::-1]))
        raise ConfigurationError(
            "shard-conflict",
            f"the shards are of different divisions of the plan: {mixed}",
            why="two runs of the same plan were mixed",
            hint="give only shards of the same count",
        )
    return (
        sorted(slices.values(), key=lambda shard: shard_numbers(shard.start.shard)),
        sorted(reruns.values(), key=lambda shard: (_first_start(shard), shard.start.run, shard.start.shard)),
    )


def _equal(some: ShardResults[SpooledAttempt], others: ShardResults[SpooledAttempt], spool: Spool) -> bool:
    return some == others and spool.equal(some.attempts, others.attempts)


def _first_start(shard: _Shard) -> str:
    return min((attempt.started_at or "" for attempt in shard.results.attempts), default="")


def _by_case(slices: Iterable[_Shard], reruns: Iterable[_Shard], plan: Plan) -> dict[str, list[SpooledAttempt]]:
    """Attempts by case key in the order they were made: slices first, then re-runs by their time."""
    planned = {case.key: case for case in plan.selected}
    attempts: dict[str, list[SpooledAttempt]] = {}
    owner: dict[str, _Shard] = {}
    for shard in slices:
        for attempt in shard.results.attempts:
            _check_planned(shard, attempt, planned)
            other = owner.setdefault(attempt.key, shard)
            if other is not shard:
                raise ConfigurationError(
                    "case-conflict",
                    f"{attempt.case!r} is in {other.folder} and in {shard.folder}",
                    why="the shards were not made by the same version of this tool",
                    hint="run the shards again with one version",
                )
            attempts.setdefault(attempt.key, []).append(attempt)
    for shard in reruns:
        for attempt in shard.results.attempts:
            _check_planned(shard, attempt, planned)
            attempts.setdefault(attempt.key, []).append(attempt)
    return attempts


def _check_planned(shard: _Shard, attempt: SpooledAttempt, planned: Mapping[str, PlannedCase]) -> None:
    case = planned.get(attempt.key)
    if case is None or case.name != attempt.case:
        raise ConfigurationError(
            "case-unplanned",
            f"{shard.folder} reports {attempt.case!r}, which its plan does not select under that key",
            why="the results or the plan were edited",
            hint="run this shard again",
        )


def _states(slices: Sequence[_Shard], reruns: Sequence[_Shard]) -> tuple[MergedShard, ...]:
    by_name = {shard.start.shard: shard for shard in slices}
    count = shard_numbers(slices[0].start.shard)[1] if slices else 0
    names = [f"{index}/{count}" for index in range(1, count + 1)]
    return (
        *(
            _state(by_name[name]) if name in by_name else MergedShard(shard=name, state=ShardState.MISSING)
            for name in names
        ),
        *(_state(shard) for shard in reruns),
    )


def _state(shard: _Shard) -> MergedShard:
    return MergedShard(
        shard=shard.start.shard,
        state=ShardState.COMPLETE if shard.complete else ShardState.TRUNCATED,
        run=shard.start.run,
        ci_attempt=shard.start.ci_attempt,
        reported=len({attempt.key for attempt in shard.results.attempts}),
        torn=shard.results.torn,
        commit=shard.start.commit,
        rerun=shard.rerun,
    )


# --- cases ------------------------------------------------------------------------------------------------


def _merged_case(
    case: PlannedCase,
    spool: Spool,
    attempts: Sequence[SpooledAttempt],
    states: Sequence[MergedShard],
    shard_of: Mapping[str, str],
) -> MergedCase:
    dropped = superseded(attempts)
    counted = [attempt for position, attempt in enumerate(attempts) if position not in dropped]
    result = aggregate_attempts(counted)
    return MergedCase(
        case=case.case,
        result=_never_reported(case, states, shard_of) if result is None else result,
        attempts=spool.stored(attempts),
        superseded=dropped,
    )


def _never_reported(case: PlannedCase, states: Sequence[MergedShard], shard_of: Mapping[str, str]) -> Result:
    slices = [state for state in states if not state.rerun]
    owed = shard_of.get(case.key)
    if owed is not None:
        slices = [state for state in slices if state.shard == owed] or [
            MergedShard(shard=owed, state=ShardState.MISSING)
        ]
    missing = [state.shard for state in slices if state.state is ShardState.MISSING]
    truncated = [state.shard for state in slices if state.state is ShardState.TRUNCATED]
    parts = []
    if missing or not slices:
        parts.append(f"missing: {_some(missing)}" if missing else "no shard's results were given")
    if truncated:
        parts.append(f"cut short: {_some(truncated)}")
    code = ReasonCode.SHARD_MISSING if missing or not slices else ReasonCode.SHARD_TRUNCATED
    text = f"no shard reported this case ({'; '.join(parts) or 'though all ended'})"
    return Result(outcome=Outcome.NOT_RUN, reason=Reason(code=code, text=text, side="harness"))


def _some(names: Sequence[str]) -> str:
    more = len(names) - 8
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:8])} and {more} more"
