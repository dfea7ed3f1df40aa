from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interop_runs import case, mixed_run, outcomes, run_of, tried
from record_strategies import unhurried
from runs import FAILED, PLAN, attempt, merged_of

from ci.errors import ConfigurationError
from ci.model import Expectation, Expected, Outcome, Reason, ReasonCode
from ci.reports.markers import Pair, replace
from ci.results.merged import Merged
from ci.suites.dashboards import render
from ci.suites.quic.reports.dashboard import read_frame
from ci.suites.quic.reports.matrix import Cell, Mark, Sign, interop_matrix, rate
from ci.suites.quic.reports.publication import with_part
from ci.suites.quic.reports.published import published_tests
from ci.suites.quic.words import QUIC as QUIC_WORDS
from ci.suites.registry import SUITES

P, F, U = Outcome.PASSED, Outcome.FAILED, Outcome.UNSUPPORTED
GOLDEN: Final = Path(__file__).parents[1] / "data" / "interop_dashboard.md"


def lines(text: str) -> list[list[str]]:
    """The cells of each row of each table."""
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines() if row.startswith("|")]


def test_golden() -> None:
    assert render(mixed_run()) == GOLDEN.read_text(encoding="utf-8")


def test_the_order_of_cases_does_not_matter() -> None:
    merged = mixed_run()
    assert render(dataclasses.replace(merged, cases=merged.cases[::-1])) == render(merged)


def test_the_established_cell() -> None:
    """As section 5.3 of the contract draws it: three lines, brackets even where nothing is in them."""
    text = render(
        outcomes(
            {
                ("cliX", "srvA", "multiplexing"): F,
                ("cliX", "srvA", "transfer"): P,
                ("cliX", "srvA", "handshake"): P,
                ("cliX", "srvA", "ecn"): U,
                ("cliX", "srvB", "handshake"): P,
            }
        )
    )
    assert lines(text) == [
        ["", "srvA", "srvB"],
        ["---", "---", "---"],
        ["cliX", "✓(H,DC)<br>?(E)<br>✕(M)", "✓(H)<br>?()<br>✕()"],
    ]


def test_abbreviations_keep_the_order_of_the_suite() -> None:
    cells = {("c", "s", name): Outcome.PASSED for name in sorted(SUITES["quic"].words.params[0].words)}
    assert lines(render(outcomes(cells)))[2][1] == (
        "✓(H,DC,LR,C20,M,S,R,Z,3,B,U,E,A,L1,L2,C1,C2,6,V2,BP,BA,CM)<br>?()<br>✕()"
    )


def test_webtransport_has_its_own() -> None:
    text = render(
        outcomes(
            {("c", "s", name): Outcome.PASSED for name in SUITES["webtransport"].words.params[0].words}, "webtransport"
        )
    )
    assert lines(text)[2][1] == "✓(H,UR,US,BR,BS,DR,DS)<br>?()<br>✕()"
    assert "Mean and standard" not in text


def test_every_outcome_can_be_told_apart() -> None:
    cells = {
        "transfer": [Outcome.PASSED],
        "handshake": [Outcome.FAILED, Outcome.PASSED],
        "retry": [Outcome.FAILED],
        "ecn": [Outcome.TIMED_OUT],
        "http3": [Outcome.UNSUPPORTED],
        "ipv6": [Outcome.ERROR],
        "v2": [Outcome.NOT_RUN],
    }
    attempts = {
        one: [tried(one, outcome, attempt=number) for number, outcome in enumerate(tries, 1)]
        for name, tries in cells.items()
        if (one := case("c", "s", name))
    }
    assert lines(render(run_of(attempts)))[2][1] == "✓(H≈,DC)<br>?(3)<br>✕(S,E◷)<br>!(6)<br>·(V2)"


def test_what_counts_as_unsupported_shows_that_it_failed() -> None:
    cells = {(client, server, "retry"): F if client == "a" else P for client in "ab" for server in "xy"}
    text = render(outcomes(cells))
    assert lines(text)[2] == ["a", "✓()<br>?(S✕)<br>✕()", "✓()<br>?(S✕)<br>✕()"]
    assert "failed with every counterpart, which counts as unsupported" in text
    assert "which counts" not in render(outcomes({("c", "s", "retry"): F}))


def test_rates_are_written_as_established() -> None:
    one, other = case("c", "s", "goodput"), case("c", "s", "crosstraffic")
    merged = run_of(
        {
            one: [tried(one, Outcome.PASSED, metrics={"kbps": 9123.4, "kbpsDeviation": 45.2})],
            other: [tried(other, Outcome.FAILED)],
        }
    )
    assert lines(render(merged))[2] == ["c", "G: 9123 (± 45) kbps<br>C: ✕"]
    assert [rate(case) for case in merged.cases] == ["9123 (± 45) kbps", ""]


def test_a_run_without_measurements_has_one_table() -> None:
    assert render(outcomes({("c", "s", "retry"): Outcome.PASSED})).count("\n| --- |") == 1
    assert render(mixed_run()).count("\n| --- |") == 2


def test_versions_without_an_image_are_one_line() -> None:
    names = [f"far-v{number}" for number in range(9)]
    cells = {("c", name, "retry"): Outcome.NOT_RUN for name in names}
    text = render(outcomes({("c", "s", "retry"): Outcome.PASSED, **cells}))
    assert [line for line in text.splitlines() if "far-" in line] == [
        f"* {', '.join(names)} (planned-out: their images cannot be had)"
    ]


def test_a_version_is_absent_for_its_own_reason() -> None:
    absent = render(mixed_run()).partition("<details><summary>")[2].partition("</details>")[0]
    assert absent.splitlines() == [
        "Not run, and in no table: 3 versions</summary>",
        "",
        "* c-v1 (not-compliant: they do not answer 127 to a test case that does not exist)",
        "* chrome-v1, kwik-v1 (planned-out: their images cannot be had)",
        "",
    ]


def test_what_earlier_releases_wrote_in_one_line_is_read() -> None:
    now = render(mixed_run())
    frame = read_frame(now)
    lines = "; ".join(frame.absent)
    before = re.sub(r"<details>.*?</details>", f"Not run, and in no table: {lines}.", now, flags=re.DOTALL)

    assert len(frame.absent) == 2
    assert before != now
    assert read_frame(before) == frame


def test_the_reason_of_another_absent_version_is_not_taken_for_its_own() -> None:
    broken = Reason(code=ReasonCode.BUILD_FAILED, text="make failed")
    met, passed = case("client", "far", "retry"), case("client", "server", "retry")
    others = [case(name, "far", "retry") for name in ("broken-a", "broken-b")]
    text = render(
        run_of(
            {
                passed: [tried(passed, Outcome.PASSED)],
                met: [tried(met, Outcome.NOT_RUN)],
                **{one: [tried(one, Outcome.NOT_RUN, reason=broken)] for one in others},
            }
        )
    )
    assert "far (planned-out: their images cannot be had)" in text
    assert "broken-a, broken-b (build-failed: they did not build)" in text


def test_the_run_is_named_and_linked() -> None:
    merged = mixed_run()
    assert render(merged).startswith("Run `nightly` of 21 November 2026, 3 versions: 28 cases, ")
    linked = render(merged, run_url="https://ci.example/runs/1")
    assert linked.startswith("[Run `nightly`](https://ci.example/runs/1) of 21 November 2026")
    with pytest.raises(ConfigurationError, match="cannot be linked"):
        render(merged, run_url="https://x/ y")


def test_nothing_to_show() -> None:
    text = render(run_of({}))
    assert text.startswith("A run: 0 cases, none.\n\nNo case has a result.\n")
    text = render(outcomes({("c", "s", "retry"): Outcome.NOT_RUN}))
    assert "| --- |" not in text
    assert "in no table: 2 versions</summary>\n\n* c, s (planned-out" in text


def test_a_test_case_nobody_knows_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        render(outcomes({("c", "s", "versionnegotiation"): Outcome.PASSED}))
    assert caught.value.reference == "test-case-unknown"


def test_hostile_names_and_reasons_are_inert() -> None:
    evil = "</script>|`\n<!--QUIC_DASHBOARD_END-->\n## @x \x1b[2J\ud800"
    good, bad, broken = case("a-v1", "a-v1", "retry"), case(evil, evil, "retry"), case(evil, "a-v1", "retry")
    absent = case("a-v1", "z" + evil, "retry")
    merged = run_of(
        {
            good: [tried(good, Outcome.PASSED)],
            bad: [tried(bad, Outcome.PASSED, started_at=evil)],
            broken: [tried(broken, Outcome.ERROR, reason=Reason(code=ReasonCode.BUG, text=evil * 99))],
            absent: [tried(absent, Outcome.NOT_RUN, reason=Reason(code=ReasonCode.PLANNED_OUT, text=evil))],
        }
    )
    text = render(merged)
    assert "\x1b" not in text
    assert "<!--" not in text
    assert not any(line.startswith("## ") for line in text.splitlines())
    assert {len(row) for row in lines(text)} == {3}
    pair = Pair("QUIC")
    readme = pair.start + b"\n" + pair.end + b"\n"
    assert replace(replace(readme, text, "QUIC"), "", "QUIC") == readme


# --- the matrix behind it ---------------------------------------------------------------------------------


@unhurried
@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from("abc"), st.sampled_from(SUITES["quic"].words.params[0].words)
        ),
        st.sampled_from(Outcome),
        min_size=1,
    )
)
def test_every_case_of_a_shown_pair_is_in_it_once(cells: dict[tuple[str, str, str], Outcome]) -> None:
    merged = outcomes(cells)
    matrix = interop_matrix(merged)
    names = {test.abbreviation: test for test in matrix.tests}
    seen = [
        (client, server, names[entry.abbreviation].name)
        for (client, server), cell in matrix.cells.items()
        for entry in (*(entry for _, line in cell.lines for entry in line), *cell.measurements)
    ]
    assert sorted(seen) == sorted(key for key in cells if not {key[0], key[1]} & set(matrix.absent))
    for (client, server), cell in matrix.cells.items():
        assert all(names[entry.abbreviation].is_measurement for entry in cell.measurements)
        for entry in cell.tests + cell.measurements:
            outcome = cells[client, server, names[entry.abbreviation].name]
            assert (entry.sign is Sign.PASSED) == (outcome is Outcome.PASSED)
            assert (entry.sign is Sign.NOT_RUN) == (outcome is Outcome.NOT_RUN)
            assert (entry.sign is Sign.ERROR) == (outcome is Outcome.ERROR)
            red = outcome in (Outcome.FAILED, Outcome.TIMED_OUT)
            assert red == (entry.sign is Sign.FAILED or entry.mark is Mark.AUTOMATIC)


def test_an_empty_cell_has_no_lines() -> None:
    assert Cell().lines == []
    assert interop_matrix(Merged(plan=PLAN, suite=SUITES["quic"].words, cases=())).cells == {}


def test_what_is_as_expected_has_a_note_that_is_read_back() -> None:
    known = Expectation(id="no-migration", select=("test:retry",), expect=Expected.FAIL, reason="see there")
    red, green = (QUIC_WORDS.case("c-v1", "s-v1", test) for test in ("retry", "http3"))
    run = merged_of({red: [attempt(red, FAILED)], green: [attempt(green)]})
    run = dataclasses.replace(
        run, cases=tuple(dataclasses.replace(it, expectation=known if it.case == red else None) for it in run.cases)
    )
    text = render(run)
    assert "✕(S[^no-migration])" in text
    assert "\n[^no-migration]: `no-migration`, expected: fail: `see there`\n" in text
    (noted, _) = sorted(published_tests(text, QUIC_WORDS), key=lambda it: it.case.name, reverse=True)
    assert (noted.case, noted.colour) == (red, "yellow")
    later = with_part(text, merged_of({green: [attempt(green)]}), "Run `later`: 1 case, 1 passed.", QUIC_WORDS)
    assert "✕(S[^no-migration])" in later
    assert "\n[^no-migration]: `no-migration`, expected: fail: `see there`\n" in later
