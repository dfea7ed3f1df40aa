from __future__ import annotations

import threading

import pytest
from terminals import File, pseudo_terminal

from ci.terminal.console import Console
from ci.terminal.progress import Progress, humane
from ci.util.text import printable_lines

SHOW_CURSOR = "\x1b[?25h"
HIDE_CURSOR = "\x1b[?25l"
NAME = "go-v0.51 x js-v3.3 (tcp, noise, yamux)"


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (150, "2 min"),
        (3570, "1 h 00 min"),
        (3900, "1 h 05 min"),
    ],
)
def test_humane(seconds: float, said: str) -> None:
    assert humane(seconds) == said


def test_one_plain_line_per_case() -> None:
    file, clock = File(), Clock()
    with Progress(file.console, 340, 2, clock=clock) as progress:
        progress.started(0, NAME)
        clock.now += 6
        progress.finished(0, NAME, "passed", 1.2)
        progress.finished(1, NAME, "timed-out", 180.04, "dialer: still dialing")
    assert file.text.splitlines() == [
        # 6 s for the first, 339 to go, two at a time; then 93 s each on the average.
        f"[  1/340] passed        1.2 s  eta 17 min  {NAME}",
        f"[  2/340] timed-out   180.0 s  eta 4 h 22 min  {NAME}: dialer: still dialing",
    ]


def test_the_last_case_leaves_nothing_to_wait_for() -> None:
    file, clock = File(), Clock()
    with Progress(file.console, 1, 1, clock=clock) as progress:
        clock.now += 1000
        progress.finished(0, NAME, "passed", 1.2)
        progress.again(1)
        progress.finished(0, NAME, "passed", 1.2)
        progress.finished(0, NAME, "flaky", 1.2)
    assert [line.split("]")[0] for line in file.text.splitlines()] == [
        "[1/1",
        "1 red cell again, alone",
        "[2/2",
        "[3/3",
    ]
    assert file.text.count("eta 0 s") == 3


def test_what_is_skipped_counts_and_takes_no_time() -> None:
    file, clock = File(), Clock()
    with Progress(file.console, 14, 1, clock=clock) as progress:
        progress.skipped(NAME, "jvm-v1.3: image cannot be\n\x1b[2Jpulled")
        for _ in range(9):
            progress.skipped(NAME)
        clock.now += 20
        progress.finished(0, NAME, "passed", 20)
    assert file.text.splitlines() == [
        "not run: jvm-v1.3: image cannot be pulled",
        f"[11/14] passed       20.0 s  eta 1 min   {NAME}",
    ]


def test_what_took_long_before_is_expected_to_do_so_again() -> None:
    """The longest cases come first: at their pace, the others would take for ever."""
    file, clock = File(), Clock()
    expected = {"long": 60.0, "not here": 50.0, "short": 6.0, "shorter": 3.0}
    with Progress(file.console, 4, 1, clock=clock, expected=expected) as progress:
        progress.started(0, "long")
        clock.now += 120
        progress.finished(0, "long", "passed", 120)
        progress.skipped("not here", "nowhere to be had")
        progress.started(0, "short")
        clock.now += 12
        progress.finished(0, "short", "passed", 12)
    assert [line.split("eta ")[1].split("  ")[0] for line in file.text.splitlines() if "eta" in line] == [
        humane(118),
        "6 s",
    ]


def test_what_runs_alone_and_what_will_never_run_is_told_apart() -> None:
    file, clock = File(), Clock()
    expected = {"first": 10.0, "other": 10.0, "another": 20.0, "rate": 30.0, "rate of nobody": 3600.0}
    alone = ["rate", "rate of nobody"]
    with Progress(file.console, 5, 2, clock=clock, expected=expected, alone=alone) as progress:
        progress.never(["rate of nobody", "unheard of"])
        progress.started(0, "first")
        clock.now += 10
        progress.finished(0, "first", "passed", 10)
    # Two at once of the others, then the measurement.
    assert file.text.splitlines()[-1].split("eta ")[1].split("  ")[0] == "45 s"


def test_measurements_are_told_of_without_those_that_will_never_run() -> None:
    file = File()
    with Progress(file.console, 3, 2, alone=["rate", "rate of nobody"]) as progress:
        progress.never(["rate of nobody"])
        progress.alone()
        progress.never(["rate"])
        progress.alone()
    assert file.text.splitlines() == ["1 measurement, with nothing beside"]


def test_many_workers_count_each_case_once_and_in_order() -> None:
    file = File()
    with Progress(file.console, 80, 4) as progress:

        def work(worker: int) -> None:
            for _ in range(20):
                progress.started(worker, NAME)
                progress.finished(worker, NAME, "passed", 0.1)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [line[:7] for line in file.text.splitlines()] == [f"[{n:>2}/80]" for n in range(1, 81)]


def test_strangers_text_is_only_text() -> None:
    file = File({"GITHUB_ACTIONS": "true"})
    with Progress(file.console, 1, 1) as progress:
        progress.started(0, "\x1b[2J[red]x")
        progress.finished(0, "\x1b[2J[red]x\n::error::y", "failed", 1, "[/]\x00\u202e\r\n::stop")
    assert file.text == "[1/1] failed        1.0 s  eta 0 s     [red]x ::error::y: [/] ::stop\n"


def test_on_a_terminal_lines_live() -> None:
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"})
        with Progress(console, 3, 2) as progress:
            progress.started(0, "first")
            progress.started(1, "second")
            progress.finished(0, "first", "passed", 1)
            progress.finished(1, "second", "failed", 2, "dialer exited 1")
            progress.started(0, "th[bold]ird\x1b[2J")
            console.info("in between")
            console.rich.print()
    assert screen.text.startswith(HIDE_CURSOR)
    assert screen.text.rindex(SHOW_CURSOR) > screen.text.rindex(HIDE_CURSOR)
    assert "second: dialer exited 1" in screen.text
    assert "] passed" not in screen.text
    assert "in between" in screen.text
    assert "th[bold]ird" in screen.text
    assert "\x1b[2J" not in screen.text
    assert "2/3" in screen.text


@pytest.mark.parametrize("listed_later", [False, True])
def test_on_a_terminal_what_is_red_is_printed_once_and_last_if_at_all(listed_later: bool) -> None:
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, {"TERM": "xterm", "COLUMNS": "100", "LINES": "40", "NO_COLOR": "1"})
        with Progress(console, 9, 2) as progress:
            for number in range(7):
                progress.finished(0, f"case {number}", "failed", 2, "exit 1; SwarmError: no <- Refused: here")
            progress.again(7)
            progress.finished(0, "case 0", "failed", 3, "exit 1; SwarmError: no <- Refused: there")
            progress.finished(0, "case 1", "flaky", 3, "passed on attempt 2")
            assert progress._live is not None
            progress._live.refresh()
            if listed_later:
                progress.listed_later()
    live, _, after = screen.text.rpartition(SHOW_CURSOR)
    assert "failed        3.0 s  case 0: Refused: there" in live
    assert "and 2 before them" in live
    assert live.rstrip().endswith("1 flaky  6 failed")
    lines = [
        *(f"failed        2.0 s  case {number}: exit 1; SwarmError: no <- Refused: here" for number in range(2, 7)),
        "failed        3.0 s  case 0: exit 1; SwarmError: no <- Refused: there",
        "flaky         3.0 s  case 1: passed on attempt 2",
    ]
    assert [line for line in printable_lines(after).splitlines() if line] == ([] if listed_later else lines)


def interrupted_run(console: Console) -> None:
    with Progress(console, 3, 2) as progress:
        progress.started(0, NAME)
        raise KeyboardInterrupt


def test_an_interrupt_gives_the_cursor_back() -> None:
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, {"TERM": "xterm"})
        with pytest.raises(KeyboardInterrupt):
            interrupted_run(console)
    assert screen.text.rindex(SHOW_CURSOR) > screen.text.rindex(HIDE_CURSOR)


def test_many_workers_on_a_terminal_do_not_lock_up() -> None:
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, {"TERM": "xterm"})
        with Progress(console, 40, 4) as progress:

            def work(worker: int) -> None:
                for _ in range(10):
                    progress.started(worker, NAME)
                    progress.finished(worker, NAME, "failed", 0.1, "red")

            threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=30)
                assert not thread.is_alive()
    assert "40/40" in screen.text
