"""The merged results of a run, `merged.json`: one record per planned case, in the plan's order.

Reports are pure functions of this. The file says nothing of when or where it was merged, so the same shards
always give the same bytes; `docs/results-format.md` describes it for other consumers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Final

from ci.errors import ConfigurationError, ExitCode
from ci.model import Case, Outcome, Params, Proof, Stack, SuiteName
from ci.results.aggregate import CaseVerdict, Flaky, Result, fold_run, proof_in, verdict
from ci.results.case_json import case_from_json, pair_to_json, params_from_json, params_to_json, suite_from_json
from ci.results.record_lines import attempt_from_json, reason_from_json, signed
from ci.results.records import Attempt, changed, shard_numbers
from ci.util.atomic import write_atomically
from ci.util.given_files import read_given
from ci.util.json_fields import Fields, Json, canonical, decode

__all__ = ["Counts", "Merged", "MergedCase", "MergedShard", "ShardState", "read_merged", "write_merged"]

SCHEMA: Final = 1


class ShardState(str, Enum):
    COMPLETE = "complete"
    TRUNCATED = "truncated"  # no end line, or one that says cases were left out
    MISSING = "missing"  # no results at all

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class MergedShard:
    """What became of one shard.

    :param run: None for a missing one
    :param reported: cases it has records of
    :param torn: lines a killed process left unfinished
    :param rerun: it repeats single cases of another run and is no slice of the plan
    """

    shard: str
    state: ShardState
    run: str | None = None
    ci_attempt: int | None = None
    reported: int = 0
    torn: int = 0
    rerun: bool = False


@dataclass(frozen=True, kw_only=True)
class MergedCase:
    """One cell: what was planned, what it came to, and every attempt.

    :param attempts: in the order they were made, the superseded ones among them
    :param superseded: positions in `attempts` that no longer count
    """

    name: str
    key: str
    case: Case
    result: Result
    attempts: tuple[Attempt, ...] = ()
    superseded: frozenset[int] = frozenset()

    @property
    def dialer(self) -> str:
        return self.case.dialer

    @property
    def listener(self) -> str:
        return self.case.listener

    @property
    def params(self) -> Params:
        return self.case.params

    @property
    def stack(self) -> Stack:
        return self.case.stack

    @property
    def verdict(self) -> CaseVerdict:
        return verdict(self.result)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many cases had each outcome.

    `passed` includes the flaky ones and those whose stack is only believed, `not_run` the planned-out ones.
    """

    planned: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    flaky: int = 0
    planned_out: int = 0
    believed: int = 0

    def of(self, outcome: Outcome) -> int:
        return self.outcomes.get(outcome, 0)


@dataclass(frozen=True, kw_only=True)
class Merged:
    """A run, whole.

    :param plan: digest of the plan all shards were run with
    :param unreadable: a folder was given whose results hold not even a start line
    :param unselected: cases of the matrix that the plan left out; None where a file of an older version does not say
    :param altered: evidence that is not what its record says, `shard-3-of-8/…`
    """

    plan: str
    cases: tuple[MergedCase, ...]
    suite: SuiteName = "transport"
    shards: tuple[MergedShard, ...] = ()
    unreadable: bool = False
    unselected: int | None = 0
    altered: tuple[str, ...] = ()

    @cached_property
    def counts(self) -> Counts:
        outcomes = dict.fromkeys(Outcome, 0)
        flaky = planned_out = believed = 0
        for case in self.cases:
            outcomes[case.result.outcome] += 1
            flaky += case.result.flaky is not None
            planned_out += case.verdict is CaseVerdict.GREY
            believed += case.result.proof is Proof.BELIEVED
        return Counts(
            planned=len(self.cases), outcomes=outcomes, flaky=flaky, planned_out=planned_out, believed=believed
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
    ) -> ExitCode:
        """What the run comes to; see `ci.results.aggregate.fold_run`."""
        return fold_run(
            (case.result for case in self.cases),
            shards_complete=self.shards_complete,
            require_complete=require_complete,
            fail_on_flaky=fail_on_flaky,
            require_proof=require_proof,
            accept_red=accept_red,
        )

    def to_json(self) -> Json:
        return decode(self.to_bytes())

    def to_bytes(self) -> bytes:
        """The canonical form of the document, made case by case: the whole of it as objects would be huge."""
        cases = b",".join(canonical(_case_document(case)) for case in self.cases)
        # `cases` sorts before every other key.
        return b'{"cases":[' + cases + b"]," + canonical(self._summary())[1:]

    def _summary(self) -> dict[str, Json]:
        counts = self.counts
        return {
            "schema": SCHEMA,
            "plan": self.plan,
            "suite": self.suite,
            "counts": {
                "planned": counts.planned,
                **{outcome.value: counts.of(outcome) for outcome in Outcome},
                "flaky": counts.flaky,
                "plannedOut": counts.planned_out,
                "believed": counts.believed,
            },
            "exitCode": int(self.exit_code()),
            "shards": [_shard_to_json(shard) for shard in self.shards],
            "unreadable": self.unreadable,
            "unselected": self.unselected,
            "evidenceAltered": list(self.altered),
        }

    @staticmethod
    def from_json(document: object) -> Merged:
        """The run a document stands for; its counts and exit code are computed again.

        :raises ConfigurationError: `record-malformed`, `record-schema`
        """
        fields = Fields(document, "merged results")
        suite = suite_from_json(fields)
        schema = fields.integer("schema")
        if schema != SCHEMA:
            raise ConfigurationError(
                "record-schema",
                f"merged results of format {schema}, but this version reads format {SCHEMA}",
                hint="merge the shards again with this version",
            )
        return Merged(
            plan=fields.text("plan"),
            suite=suite,
            shards=tuple(_shard_from_json(item) for item in fields.sequence("shards")),
            unreadable=fields.boolean("unreadable", default=False),
            unselected=fields.optional_integer("unselected"),
            altered=fields.texts("evidenceAltered"),
            cases=tuple(_case_from_json(item, suite) for item in fields.sequence("cases")),
        )


# --- the file ---------------------------------------------------------------------------------------------


def write_merged(path: Path, merged: Merged) -> None:
    """Write `merged.json`: canonical, so equal results are equal bytes, and whole or not at all.

    Its folder is made if it is not there: where results were fetched from elsewhere, nothing has made it yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, merged.to_bytes() + b"\n")


def read_merged(path: Path) -> Merged:
    """:raises ConfigurationError: `merged-unreadable`, `record-malformed`, `record-schema`"""
    try:
        return Merged.from_json(decode(read_given(path)))
    except OSError as error:
        raise ConfigurationError(
            "merged-unreadable",
            f"cannot read {path}: {error.strerror or error}",
            hint="write it with `merge-results`",
        ) from error
    except ValueError as error:
        raise ConfigurationError("record-malformed", f"{path} is not JSON: {error}") from error
    except ConfigurationError as error:
        raise ConfigurationError(error.reference, f"{path}: {error.message}", why=error.why, hint=error.hint) from error


# --- JSON of the parts ------------------------------------------------------------------------------------


def _shard_to_json(shard: MergedShard) -> dict[str, Json]:
    return {
        "shard": shard.shard,
        "state": shard.state.value,
        "run": shard.run,
        "ciAttempt": shard.ci_attempt,
        "reported": shard.reported,
        "torn": shard.torn,
        "rerun": shard.rerun,
    }


def _shard_from_json(document: object) -> MergedShard:
    fields = Fields(document, "shard")
    shard_numbers(fields.text("shard"))
    return MergedShard(
        shard=fields.text("shard"),
        state=fields.word("state", ShardState),
        run=fields.optional_text("run"),
        ci_attempt=fields.optional_integer("ciAttempt"),
        reported=fields.integer_or("reported", 0, least=0),
        torn=fields.integer_or("torn", 0, least=0),
        rerun=fields.boolean("rerun", default=False),
    )


def _case_document(case: MergedCase) -> dict[str, object]:
    result = case.result
    return {
        "case": case.name,
        "key": case.key,
        **pair_to_json(case.case),
        "params": params_to_json(case.params),
        "outcome": result.outcome,
        "verdict": case.verdict,
        "reason": result.reason and signed(result.reason),
        "flaky": result.flaky,
        "metrics": result.metrics,
        "proof": result.proof,
        "attempts": [_signed_attempt(attempt) for attempt in case.attempts],
        "superseded": sorted(case.superseded),
    }


def _signed_attempt(attempt: Attempt) -> Attempt:
    """By today's rules, whatever those of the version that wrote it were."""
    return attempt if attempt.reason is None else changed(attempt, reason=signed(attempt.reason))


def _case_from_json(document: object, suite: SuiteName) -> MergedCase:
    fields = Fields(document, "case")
    params = Fields(fields.mapping("params"), "case.params")
    positions = fields.sequence("superseded")
    attempts = tuple(attempt_from_json(item) for item in fields.sequence("attempts"))
    if not all(type(position) is int and 0 <= position < len(attempts) for position in positions):
        raise fields.refusal("superseded", "must hold only positions in `attempts`")
    outcome = fields.word("outcome", Outcome)
    passed = [it for at, it in enumerate(attempts) if at not in positions and outcome is Outcome.PASSED]
    return MergedCase(
        name=fields.text("case"),
        key=fields.text("key"),
        case=case_from_json(fields, params_from_json(params, suite)),
        result=Result(
            outcome=outcome,
            reason=fields.optional("reason", reason_from_json),
            flaky=fields.optional("flaky", _flaky),
            metrics=fields.numbers("metrics"),
            # Computed again, so that results of before this was written have it too.
            proof=proof_in(passed),
        ),
        attempts=attempts,
        superseded=frozenset(positions),  # type: ignore[arg-type]
    )


def _flaky(document: object) -> Flaky:
    fields = Fields(document, "case.flaky")
    return Flaky(passed=fields.integer("passed", least=1), of=fields.integer("of", least=2))
