"""Whatever comes up in one case is that case's error, and the shard goes on."""

from __future__ import annotations

import dataclasses
import errno
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from test_retries import Scripted, quic, run

from ci.commands.run_shard import exit_code
from ci.engines.base import Slot
from ci.errors import EngineError, ExitCode
from ci.model import Outcome, Reason, ReasonCode, Verdict
from ci.results.records import EvidenceFile
from ci.results.shard_file import ResultsWriter, read_shard
from ci.runner.base import AttemptContext, AttemptResult
from ci.runner.case_errors import error_verdict, judged, keep_traceback
from ci.runner.evidence_folder import EvidenceFolder
from ci.runner.schedule import Ready
from ci.runner.shard import HARNESS_TROUBLE, MOST_BROKEN_CASES, MOST_BROKEN_SLOTS, Summary

CASES = quic("client-v1", "handshake", "transfer", "retry", "http3", "ipv6")


class Stumbling(Scripted):
    """A runner of cases with which some cases end in an exception: when they are played, judged or kept."""

    def __init__(self, errors: Mapping[str, Exception], *, where: str) -> None:
        super().__init__([])
        self.errors = errors
        self.where = where
        self.made = 0

    @contextmanager
    def slot(self, _number: int) -> Iterator[Slot]:
        self.made += 1
        yield cast("Slot", self)

    def result(self, ready: Ready, context: AttemptContext) -> AttemptResult:
        result = super().result(ready, context)
        error = self.errors.get(ready.case.words[0])

        def stumble(*_: object) -> Verdict:
            if error is not None:
                raise error
            return result.verdict

        def keep(_: Mapping[str, float]) -> tuple[EvidenceFile, ...]:
            stumble()
            folder = EvidenceFolder(context.folder, ready.case.key, attempt=context.number)
            folder.write("output.txt", b"said", role="both", stream="output")
            return folder.files

        if self.where == "play":
            stumble()
        if self.where == "judge":
            told = judged(ready.case, stumble)
            return AttemptResult(verdict=told.verdict, error=told.error, roles={}, elapsed=0.0, keep=lambda _: ())
        return AttemptResult(verdict=result.verdict, roles={}, elapsed=0.0, keep=keep)


@pytest.mark.parametrize("where", ["play", "judge", "keep"])
def test_a_bug_costs_its_case_and_says_where_it_is(tmp_path: Path, where: str) -> None:
    bugs = {it.words[0]: KeyError("udp_udp_srcport") for it in CASES[:-1]}
    summary = run(tmp_path, Stumbling(bugs, where=where), CASES, retries=0)

    assert (summary.lost, summary.left) == (None, 0)
    *broken, last = read_shard(tmp_path).attempts
    assert last.outcome is Outcome.PASSED
    for attempt in broken:
        assert attempt.reason is not None
        assert (attempt.outcome, attempt.reason.code, attempt.reason.side) == ("error", "bug", "harness")
        assert "KeyError: 'udp_udp_srcport' (test_case_errors.py, line " in attempt.reason.text
        [told] = attempt.evidence
        assert told.stream == "traceback"
        text = (tmp_path / told.path).read_text()
        assert len(text) == told.size
        assert text.startswith("Traceback")
        assert "in stumble" in text
    assert exit_code(summary, accept_red=True) is ExitCode.BUG


@pytest.mark.parametrize("where", ["play", "judge", "keep"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENAMETOOLONG, ReasonCode.FILES_UNWRITABLE),
        (errno.EACCES, ReasonCode.FILES_UNWRITABLE),
        (errno.ENOENT, ReasonCode.FILES_UNWRITABLE),
        (errno.ENOSPC, ReasonCode.DISK_FULL),
        (errno.EDQUOT, ReasonCode.DISK_FULL),
    ],
)
def test_what_the_host_refuses_a_case_is_said_as_it_is(
    tmp_path: Path, where: str, number: int, code: ReasonCode
) -> None:
    errors = {it.words[0]: OSError(number, os.strerror(number), "/some/file") for it in CASES[:-1]}
    runner = Stumbling(errors, where=where)
    summary = run(tmp_path, runner, CASES)

    assert (summary.lost, summary.left) == (None, 0)
    attempts = read_shard(tmp_path).attempts
    # Each was tried again, and the ones in between were not harmed.
    assert [(it.outcome, it.attempt) for it in attempts] == [
        *[(Outcome.ERROR, 1)] * 4, (Outcome.PASSED, 1), *[(Outcome.ERROR, 2)] * 4
    ]  # fmt: skip
    for attempt in attempts:
        if attempt.reason is not None:
            assert attempt.reason.code is code
            assert f"{os.strerror(number)}: '/some/file'" in attempt.reason.text
    assert exit_code(summary, accept_red=True) is ExitCode.INCOMPLETE


@pytest.mark.parametrize("error", [None, KeyError("udp")])
def test_what_a_decision_took_is_known_however_it_ended(error: Exception | None) -> None:
    def judge() -> Verdict:
        began = time.monotonic()
        while time.monotonic() == began:
            pass
        if error is not None:
            raise error
        return Verdict(outcome=Outcome.PASSED)

    assert judged(CASES[0], judge).seconds > 0


def test_a_judgement_that_fails_does_not_cost_the_slot(tmp_path: Path) -> None:
    late = {it.words[0]: EngineError("tshark-late", "tshark was not through after 300 s") for it in CASES[:-1]}
    runner = Stumbling(late, where="judge")
    summary = run(tmp_path, runner, CASES, retries=0)

    assert (summary.lost, summary.left, runner.made) == (None, 0, 1)
    *failed, last = read_shard(tmp_path).attempts
    codes = {it.reason.code for it in failed if it.reason is not None}
    # After the second time it is the version's trouble; nothing else is there to be tried before.
    assert codes <= {ReasonCode.TSHARK_LATE, ReasonCode.SET_ASIDE}
    assert last.outcome is Outcome.PASSED


class Spoilt(Scripted):
    """A runner of cases with which the harness fails whenever a version takes part."""

    def __init__(self, version: str, code: ReasonCode) -> None:
        super().__init__([])
        self.version = version
        self.code = code

    def result(self, ready: Ready, context: AttemptContext) -> AttemptResult:
        result = super().result(ready, context)
        if self.version not in ready.case.versions.values():
            return result
        reason = Reason(code=self.code, text="not as it should be", side="harness")
        return AttemptResult(
            verdict=Verdict(outcome=Outcome.ERROR, reason=reason), roles={}, elapsed=0.0, keep=lambda _: ()
        )


@pytest.mark.parametrize("code", sorted(HARNESS_TROUBLE))
def test_a_version_that_spoils_the_simulator_or_its_captures_is_set_aside(tmp_path: Path, code: ReasonCode) -> None:
    versions = ("evil", "a-v1", "b-v1", "c-v1")
    cases = [
        dataclasses.replace(case, first=client, second=server)
        for client in versions
        for server in versions
        for case in CASES[:2]
    ]
    runner = Spoilt("evil", code)
    summary = run(tmp_path, runner, cases)

    assert (summary.lost, summary.left) == (None, 0)
    codes = Counter(it.reason.code for it in read_shard(tmp_path).attempts if it.reason is not None)
    assert codes.keys() == {code, ReasonCode.SET_ASIDE}
    assert codes[ReasonCode.SET_ASIDE] >= codes[code]
    innocent = {case.key for case in cases if "evil" not in case.versions.values()}
    assert {key for key, outcome in summary.outcomes.items() if outcome is Outcome.PASSED} == innocent
    # What cannot go well is not tried again.
    assert {number for _, number in runner.played} == {1}


def test_errors_are_no_outage_of_the_versions(tmp_path: Path) -> None:
    """However many there are, a red cell beside them is tried again."""
    cases = [
        dataclasses.replace(CASES[0], first=f"client-v{number}", second=f"server-v{number}") for number in range(40)
    ]
    in_trouble = [case for number, case in enumerate(cases) if number % 2]

    class Troubled(Scripted):
        def result(self, ready: Ready, context: AttemptContext) -> AttemptResult:
            if ready.case in in_trouble and context.number == 1:
                raise EngineError("redis-lost", "Redis does not answer")
            return super().result(ready, context)

    runner = Troubled([cases[0]])
    summary = run(tmp_path, runner, cases)
    assert set(summary.outcomes.values()) == {Outcome.PASSED}
    assert (cases[0].name, 2) in runner.played


def test_a_slot_that_breaks_is_made_anew_until_everything_breaks(tmp_path: Path) -> None:
    cases = [
        dataclasses.replace(CASES[0], first=f"client-v{number}", second=f"server-v{number}") for number in range(30)
    ]
    runner = Stumbling({"handshake": EngineError("redis-lost", "Redis does not answer")}, where="play")
    summary = run(tmp_path, runner, cases)

    assert summary.lost is not None
    assert summary.left == len(cases) - MOST_BROKEN_CASES
    assert exit_code(summary, accept_red=True) is ExitCode.ENGINE
    assert {it.reason.code for it in read_shard(tmp_path).attempts if it.reason} == {ReasonCode.REDIS_LOST}


class Unmade(Scripted):
    """No slot can be made any more after the first few."""

    def __init__(self, few: int) -> None:
        super().__init__([])
        self.few = few
        self.tries = 0

    @contextmanager
    def slot(self, _number: int) -> Iterator[Slot]:
        self.tries += 1
        if self.tries > self.few:
            raise EngineError("engine-lost", "no Docker engine answers")
        yield cast("Slot", self)


def test_a_slot_that_cannot_be_made_ends_the_shard_and_nothing_is_left_uncounted(tmp_path: Path) -> None:
    runner = Unmade(0)
    summary = run(tmp_path, runner, CASES)
    assert summary.lost is not None
    assert (runner.tries, summary.left) == (MOST_BROKEN_SLOTS, len(CASES))
    assert exit_code(summary, accept_red=True) is ExitCode.ENGINE


def test_one_worker_without_a_slot_is_no_lost_shard(tmp_path: Path) -> None:
    summary = run(tmp_path, Unmade(1), CASES, workers=2)
    assert (summary.lost, summary.left) == (None, 0)
    assert exit_code(summary, accept_red=False) is ExitCode.GREEN


def test_a_record_that_cannot_be_written_ends_the_shard(tmp_path: Path) -> None:
    """One write to a full disk; nobody would learn of what comes after it."""
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    original = ResultsWriter.append

    def fill(writer: ResultsWriter, *_: object) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._fd)
        os.close(full)
        original(writer, *_)  # type: ignore[arg-type]

    runner = Scripted([])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ResultsWriter, "append", fill)
        summary = run(tmp_path, runner, CASES)
    assert len(runner.played) == 1
    assert summary.lost is not None
    assert (summary.lost.reference, summary.left) == ("disk-full", len(CASES))


def test_a_traceback_that_cannot_be_written_is_no_further_error(tmp_path: Path) -> None:
    (tmp_path / "errors").touch()
    assert keep_traceback(tmp_path, "0123-1", KeyError("a")) == ()
    assert keep_traceback(tmp_path / "gone", "0123-1", KeyError("a")) == ()


def test_an_error_without_a_code_of_its_own_is_the_engines() -> None:
    [case] = quic("client-v1", "retry")
    for reference, code in (("participant-unstoppable", ReasonCode.ENGINE_LOST), ("redis-lost", ReasonCode.REDIS_LOST)):
        reason = error_verdict(case, EngineError(reference, "text")).reason
        assert reason == Reason(code=code, text="text", side="harness")


@pytest.mark.parametrize(
    ("outcomes", "left", "code"),
    [
        ({Outcome.PASSED}, 0, ExitCode.GREEN),
        ({Outcome.PASSED, Outcome.NOT_RUN}, 0, ExitCode.GREEN),
        ({Outcome.NOT_RUN}, 0, ExitCode.INCOMPLETE),  # nothing was tried
        ({Outcome.PASSED}, 1, ExitCode.INCOMPLETE),
        ({Outcome.PASSED, Outcome.ERROR}, 0, ExitCode.INCOMPLETE),
        ({Outcome.FAILED, Outcome.NOT_RUN}, 1, ExitCode.FAILED),
    ],
)
def test_what_a_shard_says_by_itself(outcomes: set[Outcome], left: int, code: ExitCode) -> None:
    summary = Summary(outcomes={str(number): it for number, it in enumerate(outcomes)}, left=left)
    assert exit_code(summary, accept_red=False) is code
