"""Which red cases a shard tries again, alone, at its end."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from runs import RED, attempt, merged_of, start, write_shard

from ci.engines.base import Slot
from ci.errors import ConfigurationError
from ci.images.base import Image, Unavailable
from ci.model import Case, Expectation, Expected, Outcome, Reason, ReasonCode, Verdict
from ci.results.aggregate import Flaky, aggregate_attempts
from ci.results.history import runs_of
from ci.results.reuse import Reusable, reusable
from ci.results.shard_file import ResultsWriter, read_shard, red_cases, tries
from ci.runner.attempt import AT_ONCE, Housekeeping
from ci.runner.base import AttemptContext, AttemptResult, CaseObserver, PreparedCase
from ci.runner.retry import retries
from ci.runner.schedule import Ready
from ci.runner.shard import Runner, Settings, Summary
from ci.suites.registry import SUITES
from ci.terminal.console import Console
from ci.terminal.progress import Progress

TESTS = ("handshake", "transfer", "retry", "http3", "ipv6", "blackhole", "keyupdate", "ecn")


def quic(client: str, *tests: str) -> list[Case]:
    return [SUITES["quic"].words.case(client, "server-v1", test) for test in tests]


class Scripted:
    """A runner of cases with which everything passes but what is named, as often as it is named."""

    def __init__(self, red: Sequence[Case]) -> None:
        self.left = Counter(red)
        self.played: list[tuple[str, int]] = []

    def describe(self) -> Mapping[str, str]:
        return {}

    def inputs(self, ready: Ready) -> Mapping[str, str]:
        return {"case": ready.case.name}

    @contextmanager
    def slot(self, _number: int) -> Iterator[Slot]:
        yield cast("Slot", self)

    def prepare(self, slot: Slot, ready: Ready, context: AttemptContext) -> PreparedCase | None:  # noqa: ARG002
        return None

    def run_case(
        self,
        slot: Slot,  # noqa: ARG002
        ready: Ready,
        context: AttemptContext,
        cancelled: threading.Event,  # noqa: ARG002
        observer: CaseObserver | None = None,  # noqa: ARG002
        *,
        prepared: PreparedCase | None = None,  # noqa: ARG002
        housekeeping: Housekeeping = AT_ONCE,  # noqa: ARG002
    ) -> AttemptResult:
        self.played.append((ready.case.name, context.number))
        return self.result(ready, context)

    def result(self, ready: Ready, context: AttemptContext) -> AttemptResult:  # noqa: ARG002 -- others look at it
        """What an attempt comes to; may raise what running a case may."""
        red = self.left[ready.case] > 0
        self.left[ready.case] -= 1
        reason = Reason(code=ReasonCode.CLIENT_EXIT, text="no", side="client")
        verdict = Verdict(outcome=Outcome.FAILED, reason=reason) if red else Verdict(outcome=Outcome.PASSED)
        return AttemptResult(verdict=verdict, roles={}, elapsed=0.0, keep=lambda _: ())


def run(
    folder: Path,
    stages: Scripted,
    cases: Sequence[Case],
    red: Mapping[Case, int] | None = None,
    retries: int = 1,
    workers: int = 1,
    tried: Mapping[str, int] | None = None,
    retry_cases: int = 100,
    retry_seconds: float = 1000,
    confirm: int = 0,
    expected: Sequence[Case] = (),
    code: ReasonCode | None = None,
    reusable: Reusable | None = None,
    verify: bool = False,
) -> Summary:
    images: dict[str, Future[Image | Unavailable]] = {}
    for case in [*cases, *(red or {})]:
        for version in (case.first, case.second):
            images[version] = Future()
            images[version].set_result(Image(digest="sha256:0"))
    console = Console(io.StringIO(), terminal=False, colour=False, github=False, environment={})
    with ResultsWriter(folder, start()) as writer, Progress(console, total=len(cases), workers=1) as progress:
        runner = Runner(
            case_runner=stages,
            writer=writer,
            start=start(),
            folder=folder,
            progress=progress,
            settings=Settings(
                workers=workers,
                retries=retries,
                retry_cases=retry_cases,
                retry_seconds=retry_seconds,
                confirm=confirm,
                expected={
                    case.key: Expectation(id="known", select=(), expect=Expected.FAIL, code=code) for case in expected
                },
                reusable=reusable or {},
                verify=verify,
                repro=lambda name: name,
            ),
            cancelled=threading.Event(),
        )
        return runner.run(cases, images, red=red or {}, tried=tried or {})


def test_a_red_case_is_tried_again_when_the_others_are_through(tmp_path: Path) -> None:
    cases = quic("client-v1", *TESTS)
    stages = Scripted([cases[2]])
    summary = run(tmp_path, stages, cases)
    assert stages.played == [*((case.name, 1) for case in cases), (cases[2].name, 2)]
    assert set(summary.outcomes.values()) == {Outcome.PASSED}


def test_a_pair_that_cannot_talk_is_not_asked_twice(tmp_path: Path) -> None:
    """And says so; what is red elsewhere is tried again."""
    broken, other = quic("broken-v1", *TESTS), quic("client-v1", *TESTS, "rebind-port", "rebind-addr", "v2")
    more = [case for number in range(6) for case in quic(f"more-v{number}", *TESTS)]
    stages = Scripted([*broken[:5], other[0], other[0]])
    summary = run(tmp_path, stages, [*broken, *other, *more])
    assert [played for played in stages.played if played[1] == 2] == [(other[0].name, 2)]
    assert summary.notes == [
        "broken-v1 x server-v1: 5 of 8 cases are red: that is no flake, so none of them was tried again"
    ]


@pytest.mark.parametrize(
    ("planned", "red", "tried"),
    [
        (40, 10, 10),  # as many as ten are no outage, whatever their share
        (40, 11, 0),
        (60, 12, 12),  # a fifth of them is none either
        (60, 13, 0),
    ],
)
def test_in_an_outage_nothing_is_asked_twice(planned: int, red: int, tried: int) -> None:
    """But errors, which say nothing of the versions, and do not make one."""
    cases = [quic(f"client-v{number}", "handshake")[0] for number in range(planned)]
    broken = cases[:red]
    error = cases[red : red + 20]
    found = retries(cases, [*broken, *error], is_error=set(error).__contains__)
    assert set(found.cases) == {*(broken if tried else ()), *error}
    said = f"{red} of {planned} cases are red: that is no flake, so none of them was tried again"
    assert found.notes == (() if tried else (said,))


@pytest.mark.parametrize(
    ("planned", "red", "tried"),
    [
        (8, 4, 4),  # four are few
        (6, 4, 4),
        (10, 5, 5),  # half of them is not most
        (9, 5, 0),
        (8, 5, 0),
    ],
)
def test_of_a_pair_most_of_which_is_red_nothing_is_asked_twice(planned: int, red: int, tried: int) -> None:
    names = SUITES["quic"].words.params[0].words[:planned]
    pair = quic("broken-v1", *names)
    others = [quic(f"client-v{number}", "handshake")[0] for number in range(90)]
    found = retries([*pair, *others], pair[:red], is_error=lambda _: False)
    assert len(found.cases) == tried
    assert bool(found.notes) is not bool(tried)


def red_of_many() -> tuple[list[Case], list[Case]]:
    """Three that are red, each of a pair of its own, among enough others."""
    cases = [quic(f"client-v{number}", "handshake")[0] for number in range(30)]
    return cases, cases[:3]


@pytest.mark.parametrize(("cases", "tried", "skipped"), [(0, 0, "3 red cases"), (2, 2, "1 red case"), (3, 3, None)])
def test_no_more_cases_are_tried_again_than_the_budget_has(
    tmp_path: Path, cases: int, tried: int, skipped: str | None
) -> None:
    planned, red = red_of_many()
    stages = Scripted(red)
    summary = run(tmp_path, stages, planned, retry_cases=cases, retry_seconds=60)
    assert [name for name, number in stages.played if number == 2] == [case.name for case in red[:tried]]
    said = f"{skipped} not tried again: the budget of a shard for that is {cases} case{'s' * (cases != 1)} and 1 min"
    assert summary.notes == ([] if skipped is None else [said])
    assert not summary.left
    # Another process has a budget of its own.
    assert len(red_cases(planned, read_shard(tmp_path).attempts)) == 3 - tried


def test_when_the_time_for_it_is_over_nothing_more_is_tried_again(tmp_path: Path) -> None:
    planned, red = red_of_many()
    stages = Scripted(red)
    summary = run(tmp_path, stages, planned, retry_seconds=0)
    assert not [name for name, number in stages.played if number == 2]
    assert summary.notes == ["3 red cases not tried again: the budget of a shard for that is 100 cases and 0 min"]
    assert (summary.lost, summary.cancelled, summary.left) == (None, False, 0)


def test_the_budget_is_of_all_rounds_together(tmp_path: Path) -> None:
    planned, red = red_of_many()
    stages = Scripted([*red, *red, *red])
    run(tmp_path, stages, planned, retries=3, retry_cases=4)
    assert len([name for name, number in stages.played if number > 1]) == 4


def test_what_passes_against_expectation_is_confirmed(tmp_path: Path) -> None:
    """As long as it passes; what is red as expected is neither tried again nor confirmed."""
    stale, lucky, red, other = (quic(f"client-v{number}", "handshake")[0] for number in range(4))

    class Lucky(Scripted):
        def result(self, ready: Ready, context: AttemptContext) -> AttemptResult:
            self.left[lucky] = int(context.number == 2)
            return super().result(ready, context)

    stages = Lucky([red, red])
    run(tmp_path, stages, [stale, lucky, red, other], confirm=3, expected=[stale, lucky, red])
    tried = Counter(name for name, _ in stages.played)
    assert tried == {stale.name: 4, lucky.name: 2, red.name: 1, other.name: 1}
    attempts = read_shard(tmp_path).attempts
    assert [it.kind for it in attempts if it.key == stale.key] == ["first", "confirm", "confirm", "confirm"]
    assert all(it.attempt <= it.of for it in attempts)
    result = aggregate_attempts([it for it in attempts if it.key == lucky.key])
    assert result is not None
    assert result.flaky == Flaky(passed=1, of=2)


def test_what_an_earlier_process_found_red_gets_the_tries_it_has_left(tmp_path: Path) -> None:
    once, often, new = quic("client-v1", "handshake", "retry", "http3")
    stages = Scripted([])
    run(tmp_path, stages, [new], {once: 1, often: 2})
    assert stages.played == [(new.name, 1), (once.name, 2)]
    [_, again] = read_shard(tmp_path).attempts
    assert (again.case, again.attempt, again.kind) == (once.name, 2, "retry")


@unhurried
@given(names=st.lists(st.sampled_from(["passed", "failed", "timed-out", "error", "unsupported"]), max_size=4))
def test_who_owes_a_retry(names: list[str]) -> None:
    [case] = quic("client-v1", "handshake")
    outcomes = [Outcome(name) for name in names]
    attempts = [
        attempt(case, outcome, RED if outcome is not Outcome.PASSED else None, attempt=number)
        for number, outcome in enumerate(outcomes, 1)
    ]
    red = {Outcome.FAILED, Outcome.TIMED_OUT}
    owed = bool(red & set(outcomes)) and not {Outcome.PASSED, Outcome.UNSUPPORTED} & set(outcomes)
    assert red_cases([case], attempts) == ({case: len(names)} if owed else {})


@pytest.mark.parametrize("retries", [0, 2])
def test_as_often_as_was_asked_for(tmp_path: Path, retries: int) -> None:
    cases = quic("client-v1", *TESTS)
    stages = Scripted([cases[0]] * 9)
    run(tmp_path, stages, cases, retries=retries)
    assert [number for name, number in stages.played if name == cases[0].name] == list(range(1, retries + 2))


def test_an_attempt_after_an_error_of_an_earlier_process_has_a_number_of_its_own(tmp_path: Path) -> None:
    """The evidence of the earlier one stays, and the new one has all its tries."""
    [case] = quic("client-v1", "handshake")
    write_shard(tmp_path, [attempt(case, Outcome.ERROR, RED)], begin=start(), ends=False)
    stages = Scripted([case])
    run(tmp_path, stages, [case], tried=tries(read_shard(tmp_path).attempts))
    assert stages.played == [(case.name, 2), (case.name, 3)]
    assert [(it.attempt, it.of) for it in read_shard(tmp_path).attempts] == [(1, 1), (2, 3), (3, 3)]


# --- reuse ------------------------------------------------------------------------------------------------


def earlier(folder: Path, cases: Sequence[Case], red: Sequence[Case] = ()) -> Reusable:
    """What a run of these cases leaves to be reused, nothing being expected."""
    run(folder, Scripted(red), cases)
    attempts = read_shard(folder).attempts
    return reusable(merged_of({it: [one for one in attempts if one.key == it.key] for it in cases}), {})


def test_what_was_green_at_first_on_equal_inputs_is_not_run_again(tmp_path: Path) -> None:
    cases = quic("client-v1", *TESTS)
    found = earlier(tmp_path / "one", cases, red=[cases[0], cases[1], cases[1]])  # flaky, and red twice
    again = Scripted([])
    summary = run(tmp_path / "two", again, cases, reusable=found)
    assert again.played == [(cases[0].name, 1), (cases[1].name, 1)]
    assert summary.notes == [f"reused, not run again: {len(TESTS) - 2} cases"]
    attempts = {it.key: it for it in read_shard(tmp_path / "two").attempts}
    assert [attempts[it.key].reused is not None for it in cases] == [False, False] + [True] * 6
    first, third = (next(iter(read_shard(tmp_path / "one").attempts)), attempts[cases[2].key])
    assert third.reused is not None
    assert (third.reused.run, third.reused.attempt, third.outcome) == (first.run, 1, Outcome.PASSED)


def test_other_inputs_are_another_experiment(tmp_path: Path) -> None:
    class Changed(Scripted):
        def inputs(self, ready: Ready) -> Mapping[str, str]:
            return {**super().inputs(ready), "image": "another"}

    cases = quic("client-v1", *TESTS)
    again = Changed([])
    run(tmp_path / "two", again, cases, reusable=earlier(tmp_path / "one", cases))
    assert len(again.played) == len(TESTS)


def test_what_is_verified_is_run_and_compared(tmp_path: Path) -> None:
    cases = quic("client-v1", *TESTS)
    again = Scripted([cases[3], cases[3]])
    summary = run(tmp_path / "two", again, cases, reusable=earlier(tmp_path / "one", cases), verify=True, retries=0)
    assert summary.notes == ["could have been reused, and was run: 8 cases, 1 of them not green this time"]


def test_what_is_expected_to_be_red_is_never_reused(tmp_path: Path) -> None:
    cases = quic("client-v1", *TESTS)
    run(tmp_path, Scripted([]), cases)
    merged = merged_of({it: [one for one in read_shard(tmp_path).attempts if one.key == it.key] for it in cases})
    assert {key for key, _ in reusable(merged, {cases[0].key: "known"})} == {it.key for it in cases[1:]}


def test_what_was_reused_names_the_run_that_measured_it_and_is_no_new_evidence(tmp_path: Path) -> None:
    cases = quic("client-v1", *TESTS)
    found = earlier(tmp_path / "one", cases)
    run(tmp_path / "two", Scripted([]), cases, reusable=found)
    attempts = read_shard(tmp_path / "two").attempts
    merged = merged_of({it: [one for one in attempts if one.key == it.key] for it in cases})
    assert {it.reused for it in reusable(merged, {}).values()} == {it.reused for it in attempts}
    with pytest.raises(ConfigurationError, match="nothing to remember"):
        runs_of(merged)


@pytest.mark.parametrize(("code", "attempts"), [(None, 1), (ReasonCode.CLIENT_EXIT, 1), (ReasonCode.SERVER_EXIT, 2)])
def test_what_fails_as_foreseen_is_not_tried_again(tmp_path: Path, code: ReasonCode | None, attempts: int) -> None:
    """It is no flake; but what fails in another way than was foreseen may be one."""
    case, *others = quic("client-v1", *TESTS)
    stages = Scripted([case, case])
    summary = run(tmp_path, stages, [case, *others], expected=[case], code=code)
    assert [number for name, number in stages.played if name == case.name] == list(range(1, attempts + 1))
    noted = ["1 red case as expected, and so not tried again"] if attempts == 1 else []
    assert summary.notes == noted
