"""A suite in one file: a caller says a word, and the callee is to be there for it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ci.model import Case, Outcome, Param, Reason, ReasonCode, SuiteWords, Verdict, Version
from ci.reports.markers import section
from ci.reports.screen import Screen
from ci.results.merged import Merged
from ci.spec.attempt import AttemptSpec, Evidence, Participant, Surroundings
from ci.suites.base import Publication, Repetition, RunOptions, Suite, TryOut

WORDS = SuiteWords(
    name="echo",
    roles=("caller", "callee"),
    params=(Param(key="word", called="word", dimension="word", words=("hello", "bye")),),
    example="polite-v1 x polite-v1 (hello)",
    marker="ECHO",
    contract="echo",
    measurements=frozenset({"bye"}),
)


def cases(versions: Sequence[Version]) -> tuple[Case, ...]:
    names = sorted(version.id for version in versions)
    return tuple(WORDS.case(one, other, word) for word in WORDS.params[0].words for one in names for other in names)


def shown_by(case: Case) -> Iterable[Hashable]:
    yield case.pair


def why_excluded(first: Version, second: Version, words: Sequence[str]) -> Iterator[str]:
    yield f"{first.id} and {second.id} say one word, not {len(words)}"


@dataclass(frozen=True, kw_only=True)
class EchoCaseRun:
    case: Case
    images: Mapping[str, str]
    roles: tuple[str, ...] = WORDS.roles
    repetitions: tuple[str, ...] = ("",)
    has_files: bool = False
    seed: int | None = None
    settled: bool = True
    limits: Mapping[str, Any]

    def objection(self, try_out: TryOut) -> None: ...

    def write_inputs(self, number: int, folder: Path) -> None: ...

    def drop_inputs(self, folder: Path) -> None: ...

    def spec(self, number: int, folder: Path | None, surroundings: Surroundings) -> AttemptSpec:
        return AttemptSpec(
            case=self.case,
            participants=tuple(
                Participant(
                    role=role,
                    version=version,
                    image=self.images[version],
                    environment={"ROLE": role, "WORD": self.case.words[0]},
                )
                for role, version in self.case.versions.items()
            ),
            deadline=10,
            stop_timeout=1,
            outer=("callee",),
        )

    def has_result(self, stdout: str) -> bool:
        return bool(stdout)

    def early_verdict(
        self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings
    ) -> Verdict | None:
        return self.judge(number, evidence, folder, surroundings)

    def judge(self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings) -> Verdict:
        end = evidence.own_end("caller")
        if end is not None and end.exit_code == 0:
            return Verdict(outcome=Outcome.PASSED)
        reason = Reason(code=ReasonCode.CLIENT_EXIT, text="the caller said something else", side="caller")
        return Verdict(outcome=Outcome.FAILED, reason=reason)

    def concluded(self, verdicts: Sequence[Verdict]) -> Verdict:
        return verdicts[-1]

    def reconsidered(self, verdict: Verdict, evidence: Evidence, try_out: TryOut) -> Verdict:
        return verdict

    def facts(self, folder: Path, run: Sequence[tuple[Repetition, Mapping[str, Any]]]) -> Mapping[str, Any]:
        return {"roles": run[0][1]}

    def owner(self, name: str) -> str:
        return name


class EchoRun:
    def describe(self) -> Mapping[str, Any]:
        return {}

    def inputs(self, case: Case, images: Mapping[str, str]) -> Mapping[str, Any]:
        return {"word": case.words[0], **images}

    def captures_in(self, folder: Path) -> Sequence[Path]:
        return ()

    def decrypted(self, folder: Path) -> Mapping[Path, Path]:
        return {}

    def case_run(self, case: Case, images: Mapping[str, str], *, identity: str, number: int) -> EchoCaseRun:
        return EchoCaseRun(case=case, images=images, limits={})


def open_run(options: RunOptions) -> EchoRun:
    return EchoRun()


def render(merged: Merged, *, run_url: str | None = None) -> str:
    return "".join(f"* {case.name}: {case.verdict}\n" for case in merged.cases)


def cells(markdown: str) -> dict[Case, str]:
    known = {case.name: case for case in cases_in(markdown)}
    lines = [line[2:].rpartition(": ") for line in section(markdown, WORDS.marker).splitlines()]
    return {known[name]: "green" if verdict == "green" else "red" for name, _, verdict in lines}


def cases_in(markdown: str) -> Iterator[Case]:
    for line in section(markdown, WORDS.marker).splitlines():
        pair, _, word = line[2:].rpartition(": ")[0].partition(" (")
        first, _, second = pair.partition(" x ")
        yield WORDS.case(first, second, word.rstrip(")"))


PUBLICATION = Publication(
    render=render, alone=render, with_part=lambda text, now, sentence, url: text + render(now), cells=cells
)


def matrix_table(console: Screen, merged: Merged) -> None:
    console.info(render(merged))


ECHO = Suite(
    words=WORDS,
    cases=cases,
    definition=lambda version: {},
    shown_by=shown_by,
    why_excluded=why_excluded,
    opener="toy_suite:open_run",
    publication="toy_suite:PUBLICATION",
    matrix_table="toy_suite:matrix_table",
)
