from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from runs import FAILED, PASSED, PLAN, PLANNED_OUT, QUIC, YAMUX, attempt, merged_of

from ci.errors import ConfigurationError
from ci.model import Case, Expectation, Expected, Outcome, Reason, ReasonCode
from ci.reports.markdown import cell, code
from ci.reports.markers import replace
from ci.reports.order import words_order
from ci.results.merged import Merged, MergedShard, ShardState
from ci.results.records import Attempt
from ci.suites.dashboards import published_cells, render_partial
from ci.suites.transport.board import CORNER, read_board
from ci.suites.transport.dashboard import render, tables
from ci.suites.transport.words import TRANSPORT, Stack

GOLDEN: Final = Path(__file__).parents[1] / "data" / "dashboard.md"
LOST: Final = Reason(code=ReasonCode.ENGINE_LOST, text="the engine went away", side="harness")
MISSING: Final = Reason(code=ReasonCode.SHARD_MISSING, text="no shard reported this case (missing: 2/3)")


def mixed_run() -> Merged:
    """Every symbol, every kind of note, two versions without a result."""
    red = attempt(YAMUX.case("x", "x"), FAILED)
    cells: dict[Case, list[Attempt]] = {}

    def put(dialer: str, listener: str, stack: Stack, outcome: Outcome, reason: Reason | None = None) -> None:
        case = stack.case(dialer, listener)
        cells[case] = [attempt(case, outcome, reason)]

    put("go-v0.9", "go-v0.45", YAMUX, PASSED)
    put("go-v0.45", "go-v0.9", YAMUX, FAILED)
    put("go-v0.45", "go-v0.45", YAMUX, Outcome.ERROR, LOST)
    put("go-v0.9", "go-v0.9", YAMUX, Outcome.NOT_RUN, MISSING)
    flaky = YAMUX.case("go-v0.45", "rust-v0.56")
    cells[flaky] = [attempt(flaky, FAILED), attempt(flaky, PASSED, attempt=2, kind="retry")]
    put("rust-v0.56", "go-v0.45", YAMUX, Outcome.TIMED_OUT)
    put("chromium-v1", "rust-v0.56", Stack("webtransport"), PASSED)
    put("go-v0.9", "go-v0.9", QUIC, PASSED)
    put("go-v0.9", "go-v0.9", Stack("tcp", "noise", "mplex"), Outcome.UNSUPPORTED, red.reason)
    for other in ("go-v0.9", "jvm-v1.3"):
        put("jvm-v1.3", other, YAMUX, Outcome.NOT_RUN, PLANNED_OUT)
    put("nim-v1.14", "nim-v1.14", YAMUX, Outcome.NOT_RUN, PLANNED_OUT)
    put("c-v0.0.1", "c-v0.0.1", QUIC, Outcome.ERROR, LOST)
    merged = merged_of(cells)
    shards = (
        MergedShard(shard="1/3", state=ShardState.COMPLETE),
        MergedShard(shard="2/3", state=ShardState.MISSING),
        MergedShard(shard="3/3", state=ShardState.TRUNCATED),
    )
    return Merged(plan=PLAN, suite=TRANSPORT, cases=merged.cases, shards=shards)


def test_golden() -> None:
    assert render(mixed_run()) == GOLDEN.read_text(encoding="utf-8")


def test_the_order_of_cases_does_not_matter() -> None:
    merged = mixed_run()
    assert tables(Merged(plan=PLAN, suite=TRANSPORT, cases=merged.cases[::-1])) == tables(merged)


def test_the_bytes_of_the_established_format() -> None:
    case = QUIC.case("a-v1", "b-v1")
    self_case = QUIC.case("b-v1", "b-v1")
    merged = merged_of({case: [attempt(case)], self_case: [attempt(self_case, FAILED)]})
    corner = bytes.fromhex("e2ac87efb88f206469616c657220f09f939e205c2020e29ea1efb88f206c697374656e657220f09f8ea7")
    assert corner.decode() == CORNER
    assert tables(merged).encode() == (
        b"## Using: quic-v1\n"
        b"| " + corner + b" | a-v1 | b-v1 |\n"
        b"| " + b"-" * 30 + b" | ---- | ---- |\n"
        b"| a-v1 | :white_circle: | :green_circle: |\n"
        b"| b-v1 | :white_circle: | :red_circle: |\n\n"
    )
    assert f"\n\n{tables(merged)}Rows dial" in render(merged)


def test_every_symbol_links_to_the_run() -> None:
    case = QUIC.case("a-v1", "a-v1")
    text = tables(merged_of({case: [attempt(case)]}), run_url="https://ci.example/runs/1?a=b")
    assert "| a-v1 | [:green_circle:](https://ci.example/runs/1?a=b) |" in text


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "https://x/)", "https://x/ y", "https://x/|", "https://x\n"]
)
def test_an_address_that_breaks_a_table_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be linked"):
        render(mixed_run(), run_url=url)


def test_nothing_to_show() -> None:
    assert render(Merged(plan=PLAN, suite=TRANSPORT, cases=())).startswith(
        "A run: 0 cases, none.\n\nNo case has a result.\n\nRows dial"
    )
    case = QUIC.case("a-v1", "a-v1")
    text = render(merged_of({case: [attempt(case, Outcome.NOT_RUN, PLANNED_OUT)]}))
    assert "green_circle: |" not in text
    assert "* a-v1 (1 cell) – planned-out: `image cannot be pulled`\n" in text


def test_a_reason_keeps_its_end() -> None:
    """Behind an image's reference with its digest, and of what is too long."""
    reference = f"ghcr.io/libp2p/test-plans/transport-interop/c-v0.0.1:{'6cdc91c4' * 8}"
    for tail in ("no route to host", f"{'x' * 1000} refused"):
        one = QUIC.case("c-v0.0.1", "c-v0.0.1")
        reason = Reason(code=ReasonCode.PLANNED_OUT, text=f"image {reference} cannot be pulled: {tail}")
        text = render(merged_of({one: [attempt(one, Outcome.NOT_RUN, reason)]}))
        line = next(line for line in text.splitlines() if line.startswith("* c-v0.0.1"))
        assert line.startswith(f"* c-v0.0.1 (1 cell) – planned-out: `image {reference}")
        assert line.endswith(f"{tail[-16:]}`")
        assert ("left out" in line) == (len(tail) > 100)


def test_what_earlier_releases_did_not_fold_is_read() -> None:
    now = render(mixed_run())
    before = now.replace("<details><summary>", "").replace("no table: 3 versions</summary>", "no table:")
    before = before.replace("</details>\n\n", "")

    assert len(read_board(now).absent) == 2
    assert "<" not in before
    assert read_board(before) == read_board(now)


def test_a_cell_that_was_not_selected_is_said_to_be_white() -> None:
    merged = mixed_run()
    assert "not in the matrix, or without a result." in render(merged)
    part = render(dataclasses.replace(merged, unselected=3))
    assert part.replace("not in the matrix, not selected, or without", "not in the matrix, or without") == render(
        merged
    )
    assert read_board(part).text() == part


def test_tables_have_a_fixed_order() -> None:
    stacks = [Stack("ws", "noise", "yamux"), Stack("tcp", "tls", "mplex"), Stack("tcp", "noise", "yamux")]
    ordered = sorted([*stacks, Stack("webrtc-direct"), QUIC], key=lambda stack: words_order(stack.words))
    assert [stack.words[0] for stack in ordered] == ["quic-v1", "webrtc-direct", "tcp", "tcp", "ws"]


@unhurried
@given(
    st.dictionaries(
        st.builds(
            Stack.case,
            st.sampled_from((QUIC, YAMUX)),
            st.sampled_from("abcd"),
            st.sampled_from("abcd"),
        ),
        st.lists(st.sampled_from(Outcome), min_size=1, max_size=3),
    )
)
def test_only_what_always_passed_is_green(outcomes: dict[Case, list[Outcome]]) -> None:
    merged = merged_of({case: [attempt(case, one) for one in tried] for case, tried in outcomes.items()})
    text = tables(merged)
    always = [{one for one in tried if one.conclusive} == {PASSED} for tried in outcomes.values()]
    assert text.count(":green_circle:") == sum(always)
    for table in text.split("## Using: ")[1:]:
        rows = [row for row in table.splitlines() if row.startswith("| ")]
        assert len({row.count(" | ") for row in rows}) == 1
        assert len(rows) == rows[0].count(" | ") + 2


# --- strangers' text --------------------------------------------------------------------------------------


@unhurried
@given(st.text(st.characters()))
def test_escaped_text_stays_in_its_cell(text: str) -> None:
    for escaped in (cell(text), code(text)):
        assert escaped == text or (escaped[0] == escaped[-1] == "`" and "`" not in escaped[1:-1])
        assert "|" not in escaped
        assert "\n" not in escaped
        assert "<!--" not in escaped
        assert len(escaped) > 0


@pytest.mark.parametrize("name", ["go-v0.45", "chromium-js-v1.x", "a_b", "x"])
def test_names_are_left_alone(name: str) -> None:
    assert cell(name) == name


@pytest.mark.parametrize(
    "name", ["a|b", "</td>", "`", "a\nb", ":red_circle:", "@all", "-", "__x__", "[a](b)", "\\", ""]
)
def test_what_is_no_name_is_code(name: str) -> None:
    assert cell(name).startswith("`")


def test_hostile_names_and_reasons_are_inert() -> None:
    evil = "</script>|`\n<!--INTEROP_DASHBOARD_END-->\n## @x \x1b[2J\ud800"
    good, bad = QUIC.case("a-v1", "a-v1"), Stack(evil).case(evil, evil)
    absent = QUIC.case("z" + evil, "z" + evil)
    merged = merged_of(
        {
            good: [attempt(good)],
            bad: [attempt(bad, PASSED)],
            QUIC.case("a-v1", evil): [attempt(bad, Outcome.ERROR, Reason(code=ReasonCode.BUG, text=evil))],
            absent: [attempt(absent, Outcome.NOT_RUN, Reason(code=ReasonCode.PLANNED_OUT, text=evil * 99))],
        }
    )
    text = render(merged)
    assert "\x1b" not in text
    assert "<!--" not in text
    assert len([line for line in text.splitlines() if line.startswith("## ")]) == 2
    assert all(len(line) < 2000 for line in text.splitlines())
    readme = b"<!--INTEROP_DASHBOARD_START-->\n<!--INTEROP_DASHBOARD_END-->\n"
    assert replace(replace(readme, text, "INTEROP"), "", "INTEROP") == readme


# --- expectations -----------------------------------------------------------------------------------------

KNOWN = Expectation(
    id="a-forgets", select=("dialer:a-v1",), expect=Expected.FAIL, reason="it | forgets", link="https://x/1"
)


def noted() -> Merged:
    red, green, flaky = QUIC.case("a-v1", "a-v1"), QUIC.case("a-v1", "b-v1"), QUIC.case("b-v1", "a-v1")
    run = merged_of(
        {
            red: [attempt(red, FAILED)],
            green: [attempt(green)],
            flaky: [attempt(flaky, FAILED), attempt(flaky, attempt=2)],
        }
    )
    known = {red.key: KNOWN, flaky.key: dataclasses.replace(KNOWN, id="now-and-then", expect=Expected.FLAKY)}
    return dataclasses.replace(
        run, cases=tuple(dataclasses.replace(it, expectation=known.get(it.key)) for it in run.cases)
    )


def test_what_is_red_as_expected_is_yellow_with_a_note() -> None:
    text = render(noted())
    assert "| a-v1 | :yellow_circle:[^a-forgets] | :green_circle: |" in text
    assert "| b-v1 | :yellow_circle:≈[^now-and-then] | :white_circle: |" in text
    assert "\n[^a-forgets]: `a-forgets`, expected: fail: `it ¦ forgets`; [discussion](https://x/1)\n" in text
    assert "| a-v1 | :red_circle: | :green_circle: |" in tables(noted())


def test_notes_are_read_back_and_those_of_nobody_go() -> None:
    text = render(noted())
    cells = published_cells(text, TRANSPORT)
    assert Counter(cells.values()) == {"yellow": 2, "green": 1, "white": 1}
    fixed = QUIC.case("a-v1", "a-v1")
    later = render_partial(text, merged_of({fixed: [attempt(fixed)]}))
    assert "[^a-forgets]" not in later
    assert "\n[^now-and-then]: " in later
    assert "3 cells with a result, 2 passed, 1 flaky." in later


@pytest.mark.parametrize("name", ["]: x", "a b", "^", "<b>", "", "-", "x" * 81])
def test_an_id_that_is_no_label_makes_no_note(name: str) -> None:
    run = noted()
    cases = tuple(
        dataclasses.replace(it, expectation=it.expectation and dataclasses.replace(it.expectation, id=name))
        for it in run.cases
    )
    text = render(dataclasses.replace(run, cases=cases))
    assert "[^" not in text
    assert "| a-v1 | :red_circle: |" in text
