from __future__ import annotations

import pytest
from interop_runs import case, mixed_run, outcomes, run_of, tried
from terminals import File, pseudo_terminal

from ci.commands.closing_table import closing_table
from ci.model import Outcome
from ci.suites.dashboards import matrix_table
from ci.suites.registry import SUITES
from ci.terminal.console import Console


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        (
            "utf-8",
            [
                "",
                "quic",
                "client ↓ server →  a-v10      b-v9     s-v1",
                "a-v10              ✓(H,S,V2)  ✓(H≈)    ✓()",
                "                   ?()        ?(S✕)    ?(S,V2✕)",
                "                   ✕()        ✕()      ✕(H◷)",
                "                              !(V2)",
                "b-v9               ✓(H,S,V2)  ✓(H,V2)  ✓(H)",
                "                   ?()        ?(S✕)    ?(S✕,V2)",
                "                   ✕()        ✕()      ✕()",
                "",
                "quic: mean and standard deviation",
                "client ↓ server →  a-v10                 b-v9  s-v1",
                "a-v10              G: 9123 (± 45) kbps   G: ✕  G: ?",
                "b-v9               G: 9123 (± 45) kbps≈  G: !",
                "not run, and in no table: c-v1, chrome-v1, kwik-v1",
            ],
        ),
        (
            "ascii",
            [
                "",
                "quic",
                "client \\ server  a-v10      b-v9     s-v1",
                "a-v10            +(H,S,V2)  +(H~)    +()",
                "                 ?()        ?(Sx)    ?(S,V2x)",
                "                 x()        x()      x(H@)",
                "                            !(V2)",
                "b-v9             +(H,S,V2)  +(H,V2)  +(H)",
                "                 ?()        ?(Sx)    ?(Sx,V2)",
                "                 x()        x()      x()",
                "",
                "quic: mean and standard deviation",
                "client \\ server  a-v10                    b-v9  s-v1",
                "a-v10            G: 9123 (\\xb1 45) kbps   G: x  G: ?",
                "b-v9             G: 9123 (\\xb1 45) kbps~  G: !",
                "not run, and in no table: c-v1, chrome-v1, kwik-v1",
            ],
        ),
    ],
)
def test_matrix_in_a_log(encoding: str, lines: list[str]) -> None:
    file = File(encoding=encoding)
    matrix_table(file.console, mixed_run())
    assert file.text.splitlines()[: len(lines)] == lines
    assert file.text.splitlines()[-1] == "H handshake, S retry, V2 v2, G goodput"


def test_closing_table_counts_them_too() -> None:
    file = File()
    closing_table(file.console, mixed_run())
    assert file.text.splitlines()[-1].split() == ["planned", "28", "100.0", "%"]


def test_matrix_on_a_terminal_is_split_and_broken_not_squeezed() -> None:
    servers = [f"server-number-{n}" for n in range(5)]
    cells = {
        ("client-v1", server, name): Outcome.PASSED
        for server in servers
        for name in SUITES["quic"].words.params[0].words
    }
    cells["client-v1", "server-number-4", "retry"] = Outcome.FAILED
    with pseudo_terminal() as (stream, screen):
        matrix_table(Console.for_stream(stream, {"TERM": "xterm", "COLUMNS": "110", "LINES": "40"}), outcomes(cells))
    assert "…" not in screen.text
    for server in servers:
        assert server in screen.text
    # Two servers fit beside each other, and of the measurements four.
    assert screen.text.count("client-v1") == 3 + 2
    assert "✓(H,DC,LR,C20,M,S,R,Z,3,B,U,E,A,L1," in screen.text
    assert "L2,C1,C2,6,V2,BP,BA,CM)" in screen.text
    assert "\x1b[32m" in screen.text
    assert "\x1b[31m✕(S)" in screen.text


def test_a_client_keeps_its_row_where_its_servers_are_in_another_part() -> None:
    one, other = case("first", "x", "retry"), case("second", "y", "handshake")
    merged = run_of({one: [tried(one, Outcome.PASSED)], other: [tried(other, Outcome.PASSED)]})
    with pseudo_terminal() as (stream, screen):
        matrix_table(Console.for_stream(stream, {"TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "30"}), merged)
    rows = [line.split() for line in screen.text.splitlines()]
    assert [row for row in rows if row[:1] in (["first"], ["second"])] == [
        ["first", "✓(S)"],
        ["second"],
        ["first"],
        ["second", "✓(H)"],
    ]


def test_hostile_names_are_only_text() -> None:
    one = case("[red]x[/]\x1b[2J", "a\n::error::b\u202e", "retry")
    file = File({"GITHUB_ACTIONS": "true"})
    matrix_table(file.console, run_of({one: [tried(one, Outcome.PASSED)]}))
    assert "\x1b" not in file.text
    assert "[red]x[/]" in file.text
    assert not any(line.strip().startswith("::") for line in file.text.splitlines())
