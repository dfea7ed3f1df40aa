"""Each format says the same as the results, whatever these hold."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from runs import FAILED, attempt, bytes_of, merged_of

from ci.__main__ import main
from ci.errors import ExitCode
from ci.model import Case, Expectation, Expected, Outcome, Reason, ReasonCode
from ci.reports.base import ReportOptions
from ci.reports.registry import load_report
from ci.results.aggregate import CaseVerdict
from ci.results.merged import Merged, MergedCase
from ci.results.merged_file import merged_from, write_merged
from ci.results.records import Attempt
from ci.suites.registry import known_suites
from ci.suites.transport.words import Stack

HOSTILE = st.text(max_size=30) | st.sampled_from(
    [
        *("]]>", "<script>alert(1)</script>", "=1+1", "@SUM(A1)", "`|@all", "<!-- x"),
        *('a"b\\c\nd', "\x00\x1b[31m", "\ud800", "\ufffe"),
    ]
)
NAMES = HOSTILE.filter(lambda it: it.strip() != "")
WORDS = ("green", "flaky", "red", "red twice", "unsupported", "missing", "error", "planned out")


def tries(case: Case, word: str, text: str) -> list[Attempt]:
    red = Reason(code=ReasonCode.DIALER_EXIT, text=text, side="dialer")

    def because(code: ReasonCode) -> Reason:
        return Reason(code=code, text=text, side="harness")

    return {
        "green": [attempt(case)],
        "flaky": [attempt(case, FAILED, red), attempt(case, attempt=2, kind="retry")],
        "red": [attempt(case, FAILED, red)],
        "red twice": [attempt(case, FAILED, red), attempt(case, FAILED, red, attempt=2, kind="retry")],
        "unsupported": [attempt(case, Outcome.UNSUPPORTED, because(ReasonCode.EXIT_127))],
        "missing": [attempt(case, Outcome.NOT_RUN, because(ReasonCode.SHARD_MISSING))],
        "error": [attempt(case, Outcome.ERROR, because(ReasonCode.ENGINE_LOST))],
        "planned out": [attempt(case, Outcome.NOT_RUN, because(ReasonCode.PLANNED_OUT))],
    }[word]


@st.composite
def runs(draw: st.DrawFn) -> Merged:
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    stacks = [Stack("tcp", "noise", "yamux"), Stack("quic-v1", None, None)]
    cases = [stack.case(one, other) for stack in stacks for one in names for other in names]
    merged = merged_of({case: tries(case, draw(st.sampled_from(WORDS)), draw(HOSTILE)) for case in cases})
    known = Expectation(id="known", select=("tcp",), expect=draw(st.sampled_from(Expected)), reason=draw(HOSTILE))
    return Merged(
        plan=merged.plan,
        suite=merged.suite,
        shards=merged.shards,
        cases=tuple(
            MergedCase(
                case=it.case, result=it.result, attempts=it.attempts, expectation=draw(st.sampled_from([None, known]))
            )
            for it in merged.cases
        ),
    )


def rendered(name: str, merged: Merged) -> str:
    found = load_report(name).render(merged, ReportOptions(urls={}, log_dir="."))
    return found if isinstance(found, str) else found.decode()


@unhurried
@given(runs())
def test_junit_holds_each_case_once(merged: Merged) -> None:
    root = Xml.fromstring(rendered("junit", merged).encode())  # noqa: S314 -- our own
    tests = root.findall("testsuite/testcase")
    assert len(tests) == int(root.get("tests", "")) == len(merged.cases)
    for name, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(name, "")) == len(root.findall(f"testsuite/testcase/{element}"))
        assert int(root.get(name, "")) == sum(int(it.get(name, "")) for it in root.findall("testsuite"))
    assert all(sum(test.find(it) is not None for it in ("failure", "error", "skipped")) <= 1 for test in tests)
    assert len(root.findall("testsuite/testcase/failure")) == sum(
        it.verdict is CaseVerdict.UNEXPECTED for it in merged.cases
    )
    # Flaky is never plainly passed.
    assert len(root.findall("testsuite/testcase/flakyFailure")) == merged.counts.flaky


@unhurried
@given(runs())
def test_csv_has_a_line_for_each_case_and_no_formula(merged: Merged) -> None:
    head, *rows = csv.reader(io.StringIO(rendered("csv", merged), newline=""))
    assert len(rows) == len(merged.cases)
    assert {len(row) for row in rows} == {len(head)}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    outcomes = Counter(row[head.index("outcome")] for row in rows)
    assert outcomes == Counter(it.result.outcome.value for it in merged.cases)


SAMPLE = re.compile(r'[a-z_]+\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\} -?[0-9.e+-]+')


@unhurried
@given(runs())
def test_prometheus_text_is_what_its_readers_take(merged: Merged) -> None:
    lines = rendered("prometheus", merged).splitlines()
    samples = [line for line in lines if not line.startswith("# ")]
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    total = sum(int(line.rpartition(" ")[2]) for line in samples if line.startswith("interop_cases{"))
    assert total == len(merged.cases)
    ran = sum(it.result.outcome.conclusive for it in merged.cases)
    assert sum(line.startswith("interop_case_passed{") for line in samples) == ran


@unhurried
@given(runs())
def test_json_lines_are_the_cases_of_merged_json(merged: Merged) -> None:
    lines = [json.loads(line) for line in rendered("json-lines", merged).splitlines()]
    assert lines == json.loads(bytes_of(merged))["cases"]
    assert merged_from(bytes_of(merged), known_suites()) == merged


@unhurried
@given(runs())
def test_a_badge_is_green_only_where_all_is(merged: Merged) -> None:
    badge = json.loads(rendered("badge", merged))
    verdicts = {it.verdict for it in merged.cases}
    green = verdicts <= {CaseVerdict.GREEN, CaseVerdict.EXPECTED, CaseVerdict.UNSUPPORTED, CaseVerdict.GREY}
    ran = any(it.result.outcome.conclusive for it in merged.cases)
    assert (badge["color"] == "brightgreen") is (green and ran)
    assert (badge["color"] == "red") is (CaseVerdict.UNEXPECTED in verdicts)
    assert badge["schemaVersion"] == 1


@unhurried
@given(runs())
def test_a_summary_is_inert(merged: Merged) -> None:
    text = rendered("step-summary", merged)
    outside = re.sub(r"`[^`\n]*`", "", text)
    # What is in the small table stands between bars of its own.
    outside = "\n".join(
        re.sub(r" \|( |$)", " ", line[1:]) if line[:2] == "| " else line for line in outside.split("\n")
    )
    assert not re.search(r"[<>@|\x00-\x09\x0b-\x1f]", outside)
    assert ("Unexpectedly red" in text) is any(it.verdict is CaseVerdict.UNEXPECTED for it in merged.cases)


def test_a_summary_is_never_refused_for_its_size() -> None:
    cases = [Stack("tcp", "noise", "yamux").case(f"version-{number}", "b") for number in range(10_000)]
    text = rendered("step-summary", merged_of({it: tries(it, "red", "x" * 900) for it in cases}))
    assert len(text.encode()) < 1 << 20
    assert re.search(r"… and \d+ lines more\n$", text)


@pytest.mark.parametrize("name", ["badge", "csv", "json-lines", "junit", "prometheus", "step-summary"])
def test_the_command_writes_beside_the_run(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    case = Stack("tcp", "noise", "yamux").case("a", "b")
    merged = merged_of({case: tries(case, "flaky", "refused")})
    write_merged(tmp_path / "merged.json", merged)
    assert main(["report", str(tmp_path), "--format", name]) == ExitCode.GREEN
    written = (tmp_path / load_report(name).file_name).read_bytes()
    assert written.decode() == rendered(name, merged)
    capsys.readouterr()
    assert main(["report", str(tmp_path / "merged.json"), "--format", name, "-o", "-"]) == ExitCode.GREEN
    assert capsys.readouterr().out == rendered(name, merged)


def a_wide_run(count: int, *, red: bool) -> Merged:
    """A third of it fails, if any does."""
    names = [f"x{number}-v1" for number in range(count)]
    cases = [Stack("quic-v1", None, None).case(one, other) for one in names for other in names]
    words = ["red twice" if red and number % 3 == 0 else "green" for number in range(len(cases))]
    return merged_of({it: tries(it, word, "y" * 300) for it, word in zip(cases, words, strict=True)})


@pytest.mark.parametrize(("name", "most"), [("comment", 60_000), ("step-summary", 1_000_000)])
def test_ten_thousand_cases_fit_with_the_difference_first(name: str, most: int) -> None:
    options = ReportOptions(urls={}, log_dir=".", baseline=a_wide_run(100, red=False))
    text = load_report(name).render(a_wide_run(100, red=True), options)
    assert isinstance(text, str)
    assert len(text.encode()) <= most + 100
    assert 0 < text.index("3334 newly failing") < 1500
    assert text.index("| dialer \\ listener |") < 32_000
    assert text.endswith(" more\n") or name == "step-summary"


def test_a_comment_can_be_found_again_and_has_the_matrix_in_small() -> None:
    text = load_report("comment").render(a_wide_run(3, red=True), ReportOptions(urls={}, log_dir="."))
    assert isinstance(text, str)
    assert text.startswith("<!-- interop-matrix: transport -->\n### transport interoperability\n")
    assert "| dialer \\ listener | x0-v1 | x1-v1 | x2-v1 |\n" in text
    assert "| x0-v1 | ❌ 0/1 | ✅ 1/1 | ✅ 1/1 |\n" in text
