"""Results of a later run in the place of published ones: those cells change, no others, and the section says so."""

from __future__ import annotations

import dataclasses
import difflib
import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interop_runs import case, mixed_run, outcomes, run_of, tried
from record_strategies import unhurried
from runs import FAILED, PASSED, PLANNED_OUT, QUIC, YAMUX, attempt, merged_of
from test_dashboard import mixed_run as mixed_stacks

from ci.errors import ConfigurationError
from ci.model import Case, Outcome, Reason, ReasonCode
from ci.reports.markers import Pair, section
from ci.reports.missing import fewer, without
from ci.results.merged import Merged, MergedShard, ShardState
from ci.suites.dashboards import published_cells, render, render_partial
from ci.suites.quic.reports import dashboard as interop_dashboard
from ci.suites.quic.reports.publication import as_case
from ci.suites.quic.reports.published import published_tests
from ci.suites.registry import SUITES
from ci.suites.transport.board import read_board
from ci.suites.transport.words import Stack

README: Final = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
ENGINE: Final = {"name": "docker", "version": "20.10.24", "cpus": 2}


def named(merged: Merged, run: str) -> Merged:
    shard = MergedShard(shard="1/1", state=ShardState.COMPLETE, run=run)
    return dataclasses.replace(merged, shards=(shard,))


def stacks(cells: dict[tuple[str, str], Outcome], run: str = "later", stack: Stack = YAMUX) -> Merged:
    attempts = {
        one: [attempt(one, outcome, started_at="2026-11-26T10:00:00.000Z", engine=ENGINE, host={"workers": 6})]
        for pair, outcome in cells.items()
        if (one := stack.case(*pair))
    }
    return named(merged_of(attempts), run)


def cells_of(text: str, suite: str) -> dict[Case, str]:
    pair = Pair(SUITES[suite].words.marker)
    return published_cells(f"{pair.start.decode()}\n{text}{pair.end.decode()}\n", SUITES[suite].words)


# --- what is published can be read whole ------------------------------------------------------------------


def test_a_dashboard_of_stacks_is_read_and_written_byte_for_byte() -> None:
    text = render(mixed_stacks())
    assert read_board(text).text() == text
    linked = render(mixed_stacks(), run_url="https://ci.example/runs/1")
    assert read_board(linked).text() == linked


def test_a_dashboard_of_test_cases_is_read_and_written_byte_for_byte() -> None:
    text = render(mixed_run())
    cases = tuple(map(as_case, published_tests(text, SUITES["quic"].words)))
    assert (
        interop_dashboard.text(dataclasses.replace(mixed_run(), cases=cases), interop_dashboard.read_frame(text))
        == text
    )


@pytest.mark.parametrize("suite", SUITES)
def test_one_cell_of_this_repository_measured_again_changes_one_line_of_its_tables(suite: str) -> None:
    before = section(README, SUITES[suite].words.marker)
    cells = cells_of(before, suite)
    red = next(one for one, colour in cells.items() if colour in ("red", "yellow"))
    after = render_partial(before, named(run_of({red: [tried(red, PASSED)]}), "again"))
    assert cells_of(after, suite) == cells | {red: "green"}
    diff = difflib.ndiff(before.splitlines(), after.splitlines())
    new = [line.removeprefix("+ ") for line in diff if line.startswith("+ ") and line != "+ "]
    tables = [line for line in new if line.startswith("|")]
    assert [line.split(" | ")[0] for line in tables] == [f"| {red.first}"]
    assert all(re.match(r"\||\* |These cells come from \d+ runs: ", line) for line in new)
    assert "* Run `again`, put in place of what stood here: 1 case, 1 passed." in after


# --- only what was measured changes -----------------------------------------------------------------------

PAIRS: Final = st.tuples(st.sampled_from("abc"), st.sampled_from("abcd"))
STACKS: Final = st.sampled_from((YAMUX, QUIC, Stack("ws", "tls", "mplex")))


@unhurried
@given(
    st.dictionaries(st.tuples(PAIRS, STACKS), st.sampled_from(Outcome), min_size=1),
    st.dictionaries(st.tuples(PAIRS, STACKS), st.sampled_from(Outcome), min_size=1),
)
def test_stacks_that_have_a_result_now_change_and_no_others(
    first: dict[tuple[tuple[str, str], Stack], Outcome], second: dict[tuple[tuple[str, str], Stack], Outcome]
) -> None:
    def run(cells: dict[tuple[tuple[str, str], Stack], Outcome], name: str) -> Merged:
        ran = {stack.case(*pair): outcome for (pair, stack), outcome in cells.items()}
        return named(merged_of({one: [attempt(one, outcome)] for one, outcome in ran.items()}), name)

    def results(text: str) -> dict[Case, str]:
        return {one: colour for one, colour in cells_of(text, "transport").items() if colour != "white"}

    before, later = render(run(first, "first")), run(second, "second")
    now = results(render(later))
    if not now:
        with pytest.raises(ConfigurationError, match="no case of this run has a result"):
            render_partial(before, later)
        return
    after = render_partial(before, later)
    assert results(after) == results(before) | now
    assert render_partial(after, later) == after
    assert read_board(after).text() == after
    # What has a result is in no list of what has none.
    assert not {
        version
        for line in read_board(after).absent
        for version in line.partition(" – ")[0].replace(" (", ", ").split(", ")
    } & {name for one in results(after) for name in (one.first, one.second)}


@unhurried
@given(st.data(), st.sampled_from(("quic", "webtransport")))
def test_test_cases_that_have_a_result_now_change_and_no_others(data: st.DataObject, suite: str) -> None:
    keys = st.tuples(
        st.sampled_from("abc"), st.sampled_from("bcd"), st.sampled_from(SUITES[suite].words.params[0].words[:4])
    )
    first, second = (
        data.draw(st.dictionaries(keys, st.sampled_from(Outcome), min_size=1)) for _ in ("first", "second")
    )
    before, later = render(named(outcomes(first, suite), "first")), named(outcomes(second, suite), "second")
    conclusive = {key: outcome for key, outcome in second.items() if outcome.conclusive}
    if not conclusive:
        with pytest.raises(ConfigurationError, match="no case of this run has a result"):
            render_partial(before, later)
        return
    after = render_partial(before, later)
    words = {PASSED: "green", FAILED: "red", Outcome.TIMED_OUT: "red", Outcome.UNSUPPORTED: "grey"}
    now = {case(*key, suite): words[outcome] for key, outcome in conclusive.items()}
    assert cells_of(after, suite) == cells_of(before, suite) | now
    assert render_partial(after, later) == after


def test_a_failure_counts_as_unsupported_by_all_cells_together() -> None:
    """One server answers after all: then the others' failures are failures again, though nobody ran them."""
    before = outcomes({(client, server, "retry"): FAILED for client in "a" for server in "xy"} | {
        ("b", server, "retry"): PASSED for server in "xy"
    })  # fmt: skip
    assert "| a | ✓()<br>?(S✕)<br>✕() | ✓()<br>?(S✕)<br>✕() |" in render(before)
    after = render_partial(render(before), outcomes({("a", "x", "retry"): PASSED}))
    assert "| a | ✓(S)<br>?()<br>✕() | ✓()<br>?()<br>✕(S) |" in after
    assert "counts as unsupported" not in after


def test_rates_and_marks_of_the_others_stay() -> None:
    before = render(mixed_run())
    after = render_partial(before, named(outcomes({("a-v10", "s-v1", "handshake"): PASSED}), "later"))
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert changed == [
        "These cells come from 2 runs: 23 cases, 13 passed, 5 failed or timed out, 3 unsupported, 2 error.",
        f"* {before.splitlines()[0]}",
        "* Run `later`, put in place of what stood here: 1 case, 1 passed.",
        "| a-v10 | ✓(H,S,V2)<br>?()<br>✕() | ✓(H≈)<br>?(S✕)<br>✕()<br>!(V2) | ✓(H)<br>?(S,V2✕)<br>✕() |",
        before.splitlines()[-5].replace(" ◷ not finished in time;", ""),
    ]


# --- what is said of it -----------------------------------------------------------------------------------


def test_each_run_has_its_line() -> None:
    pairs = {(dialer, listener): PASSED for dialer in "ab" for listener in "ab"}
    one = stacks(pairs, "first")
    text = render(one)
    first = "Run `first` of 26 November 2026 on docker 20.10.24 with 2 cores, 6 cases at once, 2 versions: 4 cases, "
    first += "4 passed."
    assert text.startswith(f"{first}\n\n#")
    broken = Reason(code=ReasonCode.ENGINE_LOST, text="the engine went away")
    lost = YAMUX.case("b", "b")
    later = stacks({("a", "b"): FAILED})
    later = dataclasses.replace(
        later, cases=(*later.cases, *merged_of({lost: [attempt(lost, Outcome.ERROR, broken)]}).cases)
    )
    text = render_partial(text, later)
    second = (
        "Run `later` of 26 November 2026 on docker 20.10.24 with 2 cores, 6 cases at once, put in place of what stood "
        "here: 1 case, 1 failed; 1 case had no result and changed nothing."
    )
    total = "These cells come from 2 runs: 4 cells with a result, 3 passed, 1 failed or timed out."
    assert text.startswith(f"{total}\n\n* {first}\n* {second}\n\n#")
    text = render_partial(text, stacks({("a", "b"): PASSED}, "third"))
    assert "These cells come from 3 runs: 4 cells with a result, 4 passed." in text
    assert len(read_board(text).runs) == 3


def test_what_was_published_without_a_sentence_is_counted() -> None:
    bare = render(stacks({("a", "a"): PASSED, ("a", "b"): PASSED})).partition("\n\n")[2]
    text = render_partial(bare, stacks({("a", "b"): FAILED}))
    assert "* Published before: 2 cases.\n* Run `later` " in text
    assert "Published before" not in render_partial("old\n", stacks({("a", "b"): FAILED}))


def test_older_cells_keep_the_link_to_their_own_run() -> None:
    before = render(stacks({("a", "a"): PASSED, ("a", "b"): PASSED}), run_url="https://ci.example/1")
    after = render_partial(before, stacks({("a", "b"): FAILED}, "second"), run_url="https://ci.example/2")
    assert "| a | [:green_circle:](https://ci.example/1) | [:red_circle:](https://ci.example/2) |" in after
    assert "* [Run `second`](https://ci.example/2) of" in after


def test_a_version_that_has_a_result_leaves_the_list_of_those_without() -> None:
    green, out, other = (YAMUX.case("a", listener) for listener in "abc")
    before = render(
        merged_of({green: [attempt(green)]} | {it: [attempt(it, Outcome.NOT_RUN, PLANNED_OUT)] for it in (out, other)})
    )
    assert "* b (1 cell), c (1 cell) – planned-out: `image cannot be pulled`" in before
    after = render_partial(before, stacks({("a", "b"): PASSED}))
    assert "* c (1 cell) – planned-out: `image cannot be pulled`" in after
    assert "b (1 cell)" not in after


@pytest.mark.parametrize(
    ("note", "now", "left"),
    [
        ("3 × error – bug: `x`", 0, "3 × error – bug: `x`"),
        ("3 × error – bug: `x`", 1, "2 × error – bug: `x`"),
        ("3 × error – bug: `x`", 3, ""),
        ("2 × error – a: `x`; 1 × not run – b: `y`", 1, "2 of these: 2 × error – a: `x`; 1 × not run – b: `y`"),
        ("2 of these: 2 × error – a: `x`; 1 × b – `y`", 1, "1 of these: 2 × error – a: `x`; 1 × b – `y`"),
        ("2 of these: 2 × error – a: `x`; 1 × not run – b: `y`", 2, ""),
        ("", 1, ""),
    ],
)  # fmt: skip
def test_what_still_has_no_result_is_counted(note: str, now: int, left: str) -> None:
    assert fewer(note, now) == left


def test_versions_are_taken_out_of_a_line() -> None:
    assert without("a-v1, b-v1 (planned-out: why)", {"a-v1"}, " (") == "b-v1 (planned-out: why)"
    assert without("a-v1 (planned-out: why)", {"a-v1"}, " (") == ""
    assert without("`x y` (1 cell), b (2 cells) – c: `a, b`", {"b"}, " – ") == "`x y` (1 cell) – c: `a, b`"


def test_one_cell_is_no_plural() -> None:
    red, green = (outcomes({("a", "b", "retry"): outcome}) for outcome in (FAILED, PASSED))
    text = render_partial(render(named(red, "first")), named(green, "again"))
    assert "These cells come from 2 runs: 1 case, 1 passed." in text
    text = render_partial(render(stacks({("a", "b"): FAILED}, "first")), stacks({("a", "b"): PASSED}, "again"))
    assert "These cells come from 2 runs: 1 cell with a result, 1 passed." in text
