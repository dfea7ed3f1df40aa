"""What is red is held against the published dashboard: known with its finding, or new."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop_runs import case, outcomes
from runs import FAILED, PASSED, YAMUX, attempt, merged_of
from terminals import File

from ci.commands.merge_results import report
from ci.model import Case, Outcome, Reason, ReasonCode
from ci.results.aggregate import CaseVerdict
from ci.results.merged import Merged
from ci.suites.baseline import Baseline, read_baseline
from ci.suites.dashboards import published_cells, standalone
from ci.suites.registry import SUITES
from ci.suites.transport.words import Stack

ROOT = Path(__file__).resolve().parents[2]
TLS = Stack("tcp", "tls", "yamux")
# Findings 1, and a pair that is green in the dashboard of this repository.
KNOWN = [TLS.case(dialer, "py-v0.5") for dialer in ("go-v0.51", "js-v3.3", "rust-v0.57")]
GREEN = YAMUX.case("go-v0.51", "js-v3.3")


def run(red: list[Case], green: int = 22) -> Merged:
    passed = [YAMUX.case(f"v{number}", "w") for number in range(green)]
    return merged_of({it: [attempt(it)] for it in passed} | {it: [attempt(it, FAILED)] for it in red})


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return read_baseline(ROOT / "README.md", SUITES["transport"].words)


@pytest.mark.parametrize(
    ("red", "line"),
    [
        ([], "22 passed; none red"),
        (KNOWN[:1], "22 passed; 1 red, known (findings 1): nothing new"),
        (KNOWN[:2], "22 passed; 2 red, both known (findings 1): nothing new"),
        (KNOWN, "22 passed; 3 red, all known (findings 1): nothing new"),
        ([GREEN], "22 passed; 1 red, new"),
        ([*KNOWN, GREEN], "22 passed; 4 red: 3 known (findings 1), 1 new"),
    ],
)
def test_the_closing_line(baseline: Baseline, red: list[Case], line: str) -> None:
    assert baseline.closing(run(red)) == line
    assert [it.case for it in baseline.new(run(red))] == [it for it in red if it == GREEN]


def test_what_has_no_result_is_counted_too(baseline: Baseline) -> None:
    broken, flaky = YAMUX.case("a", "b"), YAMUX.case("b", "b")
    merged = merged_of(
        {broken: [attempt(broken, Outcome.ERROR)], flaky: [attempt(flaky, FAILED), attempt(flaky, PASSED)]}
    )
    assert baseline.closing(merged) == "1 passed, 1 of them flaky, 1 error; none red"


@pytest.mark.parametrize("suite", SUITES)
def test_every_red_cell_of_this_repository_is_known(suite: str) -> None:
    known = read_baseline(ROOT / "README.md", SUITES[suite].words)
    cells = published_cells((ROOT / "README.md").read_text(encoding="utf-8"), SUITES[suite].words)
    red = {one: [attempt(one, FAILED)] for one, colour in cells.items() if colour in ("red", "yellow")}
    merged = merged_of(red)
    assert red
    assert known.new(merged) == []
    assert known.sections(merged.cases)


def test_over_a_simulated_network_what_an_endpoint_does_not_do_is_not_red(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(standalone(outcomes({("c", "s", "retry"): FAILED})), encoding="utf-8")
    known = read_baseline(tmp_path / "README.md", SUITES["quic"].words)
    now = outcomes({("c", "s", "retry"): FAILED, ("c", "s", "ecn"): FAILED, ("c", "s", "v2"): Outcome.UNSUPPORTED})
    assert known.closing(now) == "0 passed, 1 unsupported; 2 red: 1 known, 1 new"
    assert [it.case for it in known.new(now)] == [case("c", "s", "ecn")]


@pytest.mark.parametrize("text", [None, "", "# Title\n", "<!--QUIC_DASHBOARD_START-->\n"])
def test_without_a_dashboard_everything_red_is_new(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "README.md"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    for suite in SUITES:
        assert read_baseline(path, SUITES[suite].words) == Baseline()
    assert read_baseline(path, SUITES["transport"].words).closing(run(KNOWN[:2])) == "22 passed; 2 red, both new"


def test_each_red_cell_is_printed_once_the_new_ones_last(baseline: Baseline) -> None:
    file = File()
    merged = run([GREEN, *KNOWN])
    report(merged, file.console, baseline)
    red = [line for line in file.text.splitlines() if line.startswith("red")]
    assert [line.partition(": ")[0] for line in red] == ["red, known"] * 3 + ["red, new"]
    assert red[0].startswith(f"red, known: findings 1: {KNOWN[0].name}: ")
    for one in merged.cases:
        assert file.text.count(one.name) == (one.verdict is CaseVerdict.UNEXPECTED)


def test_where_a_finding_tells_the_rest_the_cause_alone_is_printed(baseline: Baseline) -> None:
    file = File()
    chain = "the dialer exited 1 while dialing; its last line: SwarmError: no <- Refused: here"
    why = Reason(code=ReasonCode.DIALER_EXIT, text=chain, side="dialer")
    attempts = {it: [attempt(it, FAILED, why)] for it in (GREEN, *KNOWN[:2])}
    attempts[KNOWN[1]].append(attempt(KNOWN[1], attempt=2, kind="retry"))
    report(merged_of(attempts), file.console, baseline)
    assert f"flaky: findings 1: {KNOWN[1].name}: Refused: here\n" in file.text
    assert f"red, known: findings 1: {KNOWN[0].name}: Refused: here\n" in file.text
    assert f"red, new: {GREEN.name}: {chain}\n" in file.text
