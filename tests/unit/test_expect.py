"""Proposed expectations: what they would say is true of the run, of all of it, and of nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from runs import FAILED, attempt, merged_of

from ci.__main__ import main
from ci.config.catalogue import load
from ci.config.expectations import appended
from ci.errors import ConfigurationError, ExitCode
from ci.model import Case, Expectation, Expected, Outcome
from ci.plan.expected import expected_cases
from ci.plan.proposals import as_yaml, propose, removable
from ci.results.aggregate import CaseVerdict
from ci.results.merged import Merged, MergedCase
from ci.results.merged_file import write_merged
from ci.suites.registry import known_suites
from ci.suites.transport.words import Stack

VERSIONS = """\
schema: 1
versions:
  # The first of them.
  - {id: a-v1, family: a, image: "a:1", transports: [tcp, ws], secureChannels: [tls, noise], muxers: [yamux]}
  - {id: b-v1, family: b, image: "b:1", transports: [tcp, ws], secureChannels: [tls, noise], muxers: [yamux]}
  - {id: c-v1, family: c, image: "example.org/c:1", transports: [tcp], secureChannels: [noise], muxers: [yamux]}
"""
KNOWN = "expectations: # those there are\n  - {id: known, select: version:c-v1, expect: fail}  # c is new\n"
STACKS = [Stack(transport, security, "yamux") for transport in ("tcp", "ws") for security in ("tls", "noise")]
CASES = [stack.case(one, other) for stack in STACKS for one in ("a-v1", "b-v1") for other in ("a-v1", "b-v1")]


def run(red: set[Case], flaky: frozenset[Case] = frozenset(), cases: list[Case] = CASES) -> Merged:
    return merged_of(
        {
            case: [attempt(case, FAILED), attempt(case, attempt=2, kind="retry")]
            if case in flaky
            else [attempt(case, FAILED if case in red else Outcome.PASSED, started_at="2026-11-02T10:00:00.000Z")]
            for case in cases
        }
    )


def held(merged: Merged, path: Path) -> Merged:
    """The run, against what is expected in a file."""
    known = expected_cases(load(path, known_suites())).by_key
    cases = tuple(
        MergedCase(case=it.case, result=it.result, attempts=it.attempts, expectation=known.get(it.key))
        for it in merged.cases
    )
    return Merged(plan=merged.plan, cases=cases, suite=merged.suite)


@pytest.mark.parametrize(
    ("red", "select"),
    [
        (
            [it for it in CASES if it.second == "b-v1"],
            ["dialer:a-v1 and listener:b-v1", "dialer:b-v1 and listener:b-v1"],
        ),
        ([it for it in CASES if "tls" in it.words], ["security:tls"]),
        (
            [it for it in CASES if it.second == "b-v1" and "tls" in it.words],
            ["listener:b-v1 and security:tls"],
        ),
        ([CASES[3]], ["b-v1 x b-v1 (tcp, tls, yamux)"]),
    ],
)
def test_cells_are_grouped_by_what_they_have_in_common(tmp_path: Path, red: list[Case], select: list[str]) -> None:
    """Limited to the cells there were: c-v1 took no part, and nothing is said of it."""
    (tmp_path / "versions.yaml").write_text(VERSIONS)
    [found] = propose(run(set(red)), load(tmp_path / "versions.yaml", known_suites()))
    assert list(found.select) == select
    assert set(found.cases) == set(red)
    assert (found.expect, found.since) == (Expected.FAIL, "2026-11-02")


@unhurried
@given(st.sets(st.sampled_from(CASES)), st.frozensets(st.sampled_from(CASES)))
def test_with_what_is_proposed_nothing_is_a_surprise(red: set[Case], flaky: frozenset[Case]) -> None:
    merged = run(red, flaky)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "versions.yaml"
        path.write_text(VERSIONS)
        proposals = propose(merged, load(path, known_suites()))
        path.write_text(appended(VERSIONS, "versions.yaml", as_yaml(proposals)) if proposals else VERSIONS)
        after = held(merged, path)
        expected = expected_cases(load(path, known_suites()))
    assert {it.verdict for it in after.cases} <= {CaseVerdict.GREEN, CaseVerdict.EXPECTED}
    assert set(expected.by_key) == {case.key for case in red | flaky}
    assert expected.idle == ()
    assert after.exit_code(strict=True) is ExitCode.GREEN


@pytest.mark.parametrize("end", ["", "\n", "\n# the end\n", "\n\naliases:\n  one: a-v1\n"])
def test_what_is_there_stays_as_it_is(end: str) -> None:
    entries = "\n  - id: one\n    select: b\n    expect: fail\n"
    text = VERSIONS + KNOWN.rstrip("\n") + end
    after = appended(text, "versions.yaml", entries)
    assert "".join(after.split()) == "".join(text.replace(KNOWN.rstrip("\n"), KNOWN + entries, 1).split())
    assert appended(VERSIONS, "versions.yaml", entries) == f"{VERSIONS}\nexpectations:{entries}"
    assert appended(f"{VERSIONS}expectations: []\n", "versions.yaml", entries) == f"{VERSIONS}expectations:{entries}"


def test_entries_in_brackets_are_left_to_whoever_wrote_them() -> None:
    text = VERSIONS + "expectations: [{id: known, select: c, expect: fail}]\n"
    with pytest.raises(ConfigurationError, match=r"versions\.yaml:7:15: a list in brackets cannot be added to"):
        appended(text, "versions.yaml", "\n  - id: one\n")


def test_the_command_shows_a_diff_and_writes_it_when_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("versions.yaml").write_text(VERSIONS + KNOWN)
    red = {it for it in CASES if "tls" in it.words}
    merged = run(red)
    write_merged(Path("results/one/merged.json"), merged)

    assert main(["expect", "results/one"]) == ExitCode.GREEN
    said = capsys.readouterr().out
    assert "+  - id: tls\n+    select: security:tls\n+    expect: fail\n" in said
    assert said.endswith("1 entry for 8 cells; --write adds them to versions.yaml\n")
    assert Path("versions.yaml").read_text() == VERSIONS + KNOWN

    assert main(["expect", "results/one", "--write"]) == ExitCode.GREEN
    text = Path("versions.yaml").read_text()
    assert text.startswith(VERSIONS + KNOWN)
    assert {it.verdict for it in held(merged, Path("versions.yaml")).cases} == {CaseVerdict.GREEN, CaseVerdict.EXPECTED}
    capsys.readouterr()

    write_merged(Path("results/two/merged.json"), held(merged, Path("versions.yaml")))
    assert main(["expect", "results/two"]) == ExitCode.GREEN
    assert capsys.readouterr().out == "nothing to add: whatever is red was expected to be\n"


def test_what_no_case_met_may_go() -> None:
    met, stale = (Expectation(id=name, select=("a",), expect=Expected.FAIL) for name in ("met", "stale"))
    merged = run({CASES[0]})
    cases = tuple(
        MergedCase(case=it.case, result=it.result, expectation=met if number < 2 else stale if number < 4 else None)
        for number, it in enumerate(merged.cases)
    )
    assert removable(Merged(plan=merged.plan, cases=cases, suite=merged.suite)) == ["stale"]
