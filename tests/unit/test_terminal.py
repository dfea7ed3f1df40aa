from __future__ import annotations

import pytest
from runs import FAILED, PASSED, PLANNED_OUT, QUIC, YAMUX, attempt, merged_of
from terminals import File, pseudo_terminal

from ci.commands.closing_table import closing_table
from ci.model import Outcome
from ci.results.merged import Counts, Merged
from ci.suites.dashboards import matrix_table
from ci.terminal.console import Console


def run() -> Merged:
    flaky, red = YAMUX.case("go-v1", "js-v1"), YAMUX.case("js-v1", "go-v1")
    green, out = QUIC.case("go-v1", "go-v1"), YAMUX.case("js-v1", "js-v1")
    return merged_of(
        {
            red: [attempt(red, FAILED)],
            flaky: [attempt(flaky, FAILED), attempt(flaky)],
            green: [attempt(green)],
            out: [attempt(out, Outcome.NOT_RUN, PLANNED_OUT)],
        }
    )


def test_closing_table_has_every_count() -> None:
    file = File()
    closing_table(file.console, run())
    assert file.text.splitlines() == [
        "outcome                 cases    share",
        "passed                      2   50.0 %",
        "  of these flaky            1   25.0 %",
        "failed                      1   25.0 %",
        "timed-out                   0    0.0 %",
        "unsupported                 0    0.0 %",
        "not-run                     1   25.0 %",
        "  of these planned out      1   25.0 %",
        "error                       0    0.0 %",
        "planned                     4  100.0 %",
    ]


def test_closing_table_of_nothing() -> None:
    file = File()
    closing_table(file.console, Counts())
    assert file.text.splitlines()[-1].split() == ["planned", "0"]


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        (
            "utf-8",
            [
                "",
                "quic-v1",
                "dialer ↓ listener →  go-v1",
                "go-v1                 ✔ 12",
                "",
                "tcp, noise, yamux",
                "dialer ↓ listener →  go-v1  js-v1",
                "go-v1                        ≈ 12",
                "js-v1                    ✘      ·",
            ],
        ),
        (
            "ascii",
            [
                "",
                "quic-v1",
                "dialer \\ listener  go-v1",
                "go-v1              ok 12",
                "",
                "tcp, noise, yamux",
                "dialer \\ listener  go-v1     js-v1",
                "go-v1                     flaky 12",
                "js-v1               FAIL         -",
            ],
        ),
    ],
)
def test_matrix_in_a_log(encoding: str, lines: list[str]) -> None:
    file = File(encoding=encoding)
    matrix_table(file.console, run())
    assert file.text.splitlines()[:-1] == lines
    assert "milliseconds from dial to first pong" in file.text.splitlines()[-1]


def test_matrix_on_a_terminal_is_split_not_squeezed() -> None:
    cases = [QUIC.case("dialer-v1", f"listener-number-{n}") for n in range(9)]
    merged = merged_of({case: [attempt(case, PASSED)] for case in cases})
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, {"TERM": "xterm", "COLUMNS": "80", "LINES": "40"})
        matrix_table(console, merged)
        closing_table(console, merged)
    for case in cases:
        assert case.second in screen.text
    assert "…" not in screen.text
    assert screen.text.count("✔ 12") == 9
    assert screen.text.count("dialer-v1") == 5  # two listeners fit beside each other
    assert "\x1b[32m" in screen.text


def test_hostile_names_are_only_text() -> None:
    case = QUIC.case("[red]x[/]\x1b[2J", "a\n::error::b\u202e")
    merged = merged_of({case: [attempt(case)]})
    file = File({"GITHUB_ACTIONS": "true"})
    matrix_table(file.console, merged)
    assert "\x1b" not in file.text
    assert "[red]x[/]" in file.text
    assert not any(line.strip().startswith("::") for line in file.text.splitlines())


@pytest.mark.parametrize(
    ("encoding", "sign", "legend"), [("utf-8", "✔† 12", "† stack believed"), ("ascii", "ok? 12", "? stack believed")]
)
def test_a_believed_stack_is_marked_and_explained(encoding: str, sign: str, legend: str) -> None:
    case = QUIC.case("go-v1", "go-v1")
    file = File(encoding=encoding)
    matrix_table(file.console, merged_of({case: [attempt(case, negotiated=None)]}))

    assert sign in file.text
    assert legend in file.text
