"""A dashboard is read back as it was rendered; the one in this repository is explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interop_runs import case, mixed_run, outcomes, run_of, tried
from record_strategies import unhurried
from runs import FAILED, PLANNED_OUT, QUIC, YAMUX, attempt, merged_of

from ci.commands import merge_results
from ci.config.catalogue import load
from ci.errors import ConfigurationError
from ci.model import Case, Expected, Outcome
from ci.plan.expected import expected_cases
from ci.plan.findings import MARKED, explained, unexplained, written
from ci.reports.markers import Pair
from ci.results.merged import Merged
from ci.suites.dashboards import green_cases, published_cells, render
from ci.suites.quic.reports.auto_unsupported import auto_unsupported
from ci.suites.registry import SUITES, known_suites
from ci.suites.transport.words import TRANSPORT, Stack

P, F, U = Outcome.PASSED, Outcome.FAILED, Outcome.UNSUPPORTED
QUIC_WORDS = SUITES["quic"].words
ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = load(ROOT / "versions.yaml", known_suites())
EXPECTED = expected_cases(CATALOGUE)


def run() -> Merged:
    green, flaky, red, out = (YAMUX.case("go-v1", listener) for listener in ("go-v1", "js-v1", "py-v1", "c-v1"))
    alone = QUIC.case("py-v1", "go-v1")
    return merged_of(
        {
            green: [attempt(green)],
            flaky: [attempt(flaky, FAILED), attempt(flaky)],
            red: [attempt(red, FAILED)],
            out: [attempt(out, Outcome.NOT_RUN, PLANNED_OUT)],
            alone: [attempt(alone)],
        }
    )


def colours(merged: Merged) -> dict[Case, str]:
    words = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.TIMED_OUT: "red", Outcome.UNSUPPORTED: "red"}
    return {it.case: "yellow" if it.result.flaky else words.get(it.result.outcome, "white") for it in merged.cases}


@pytest.mark.parametrize("run_url", [None, "https://example.org/runs/1"])
def test_what_was_rendered_is_read_back(run_url: str | None) -> None:
    merged = run()
    cells = published_cells(render(merged, run_url=run_url), TRANSPORT)
    wanted = colours(merged)
    coloured = {case: colour for case, colour in cells.items() if colour != "white"}
    assert coloured == {case: colour for case, colour in wanted.items() if colour != "white"}
    assert coloured
    assert green_cases(render(merged), TRANSPORT) == {case for case, colour in wanted.items() if colour == "green"}


def test_what_is_no_dashboard_is_passed_over() -> None:
    text = "| a | b |\n| - | - |\n| c | :green_circle: |\n\n## Using: tcp\nwords\n| x | :red_circle: |\n"
    assert published_cells(text, TRANSPORT) == {}
    text = "## Using: tcp, noise, yamux\n\n| x | b |\n| - | - |\n| c | :green_circle: |\n\n| y | d |\n"
    assert published_cells(text, TRANSPORT) == {Stack("tcp", "noise", "yamux").case("c", "b"): "green"}


def test_every_red_cell_of_the_readme_is_expected() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert explained(readme, EXPECTED)
    assert unexplained(readme, EXPECTED) == []


def test_no_green_cell_of_the_readme_is_expected_to_fail() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stale = [
        case.name
        for suite in SUITES.values()
        for case, colour in published_cells(readme, suite.words).items()
        if colour == "green" and case.key in EXPECTED.by_key  # yellow is what was red as expected, too
        if EXPECTED.by_key[case.key].expect is Expected.FAIL
    ]
    assert stale == []


def test_each_expectation_has_its_section_of_the_findings_with_all_its_cells() -> None:
    page = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert sorted(it["id"] for it in MARKED.finditer(page)) == sorted(it.id for it in CATALOGUE.expectations)
    cells = explained((ROOT / "README.md").read_text(encoding="utf-8"), EXPECTED)
    assert written(page, cells) == page, "write it: nox -s documents"


# --- over a simulated network -----------------------------------------------------------------------------


def between_markers(merged: Merged) -> str:
    """A README that shows this run."""
    pair = Pair(merged.suite.marker)
    return (
        f"# Title\n{pair.start.decode()}\n{render(merged)}{pair.end.decode()}\n| | s |\n| --- | --- |\n| c | ✓(H) |\n"
    )


def wanted(merged: Merged) -> dict[Case, str]:
    words = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.TIMED_OUT: "red", Outcome.UNSUPPORTED: "grey"}
    seen = {name for it in merged.cases if it.result.outcome.conclusive for name in (it.first, it.second)}
    return {
        it.case: "yellow" if it.result.flaky else words.get(it.result.outcome, "white")
        for it in merged.cases
        if {it.first, it.second} <= seen
    }


def test_a_mixed_run_is_read_back() -> None:
    merged = mixed_run()
    assert auto_unsupported(merged)
    cells = published_cells(between_markers(merged), QUIC_WORDS)
    assert cells == wanted(merged)
    assert set(cells.values()) == {"green", "yellow", "red", "grey", "white"}
    assert green_cases(between_markers(merged), QUIC_WORDS) == {it for it, colour in cells.items() if colour == "green"}


@unhurried
@given(st.data(), st.sampled_from(("quic", "webtransport")))
def test_every_run_is_read_back(data: st.DataObject, suite: str) -> None:
    keys = st.tuples(
        st.sampled_from("abc"), st.sampled_from("bcd"), st.sampled_from(SUITES[suite].words.params[0].words)
    )
    merged = outcomes(data.draw(st.dictionaries(keys, st.sampled_from(Outcome), min_size=1)), suite)
    assert published_cells(between_markers(merged), SUITES[suite].words) == wanted(merged)


def test_only_its_own_markers_count() -> None:
    quic = between_markers(outcomes({("c", "s", "retry"): Outcome.PASSED}))
    other = between_markers(outcomes({("c", "s", "handshake"): Outcome.FAILED}, "webtransport"))
    assert [it.name for it in published_cells(quic + other, QUIC_WORDS)] == ["c x s (retry)"]
    assert list(published_cells(quic + other, SUITES["webtransport"].words).values()) == ["red"]
    assert published_cells(quic + other, TRANSPORT) == {}
    with pytest.raises(ConfigurationError, match="no line consists of <!--QUIC_DASHBOARD_START-->"):
        published_cells(other, QUIC_WORDS)


@unhurried
@given(st.text(st.sampled_from("|✓?✕!·()GHS2,:≈◷ <br>-ab\n±0kps")))
def test_whatever_stands_there_can_be_read(text: str) -> None:
    pair = Pair("QUIC")
    cells = published_cells(f"{pair.start.decode()}\n{text}\n{pair.end.decode()}\n", QUIC_WORDS)
    assert set(cells.values()) <= {"green", "yellow", "red", "grey", "white"}
    assert published_cells(f"## Using: tcp\n| x | b |\n{text}", TRANSPORT) == {}


def test_a_run_is_held_against_the_readme(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    before = {("c", "s", "retry"): P, ("c", "s", "ecn"): P, ("c", "s", "v2"): P, ("c", "s", "http3"): F}
    readme.write_text(between_markers(outcomes(before)), encoding="utf-8")
    now = {("c", "s", "retry"): F, ("c", "s", "ecn"): U, ("c", "s", "v2"): P, ("c", "s", "http3"): F}
    assert merge_results._worse(outcomes(now), readme) == ["c x s (retry)", "c x s (ecn)"]
    assert merge_results._worse(outcomes(before), readme) == []
    for other in (outcomes({("c", "new", "retry"): P}), outcomes({("c", "s", "handshake"): P}, "webtransport")):
        with pytest.raises(ConfigurationError):
            merge_results._worse(other, readme)


def test_a_readme_without_a_dashboard_cannot_be_compared_with(tmp_path: Path) -> None:
    one = case("c", "s", "retry")
    merged = run_of({one: [tried(one, Outcome.PASSED)]})
    with pytest.raises(ConfigurationError) as caught:
        merge_results._worse(merged, tmp_path / "none.md")
    assert caught.value.reference == "no-dashboard"
    (tmp_path / "README.md").write_text("# Title\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        merge_results._worse(merged, tmp_path / "README.md")
    assert caught.value.reference == "markers-missing"
