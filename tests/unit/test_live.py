"""What both sides write, shown as it comes."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminals import File

from ci.commands.repro_output import SHOWN_BYTES, LiveOutput
from ci.model import Role
from ci.spec.capture import Capture, interleave
from ci.suites.transport.words import TRANSPORT
from ci.terminal.console import Console


def test_whole_lines_with_their_time_and_side() -> None:
    file = File()
    live = LiveOutput(file.console, TRANSPORT.roles)
    live.output(0.5, "listener", "stderr", b"listen")
    live.output(1.0, "dialer", "stdout", b"{}\n")
    live.output(2.0, "listener", "stderr", b"ing\n  indented\nno end")
    live.close()

    assert file.text.splitlines() == [
        "+   1.000 dialer/stdout   | {}",
        "+   0.500 listener/stderr | listening",
        "+   2.000 listener/stderr |   indented",
        "+   2.000 listener/stderr | no end",
    ]


@given(st.lists(st.tuples(st.sampled_from(["dialer", "listener"]), st.text("ab \n\r", max_size=9)), max_size=12))
def test_the_same_lines_as_in_the_evidence(writes: list[tuple[Role, str]]) -> None:
    file, captures = File(), {f"{role}/stderr": Capture() for role in ("dialer", "listener")}
    live = LiveOutput(file.console, TRANSPORT.roles)
    for number, (role, text) in enumerate(writes):
        live.output(float(number), role, "stderr", text.encode())
        captures[f"{role}/stderr"].write(float(number), text.encode())
    live.close()

    shown = [line.rstrip() for line in file.text.splitlines()]
    assert sorted(shown) == sorted(line.rstrip() for line in interleave(captures).splitlines())


def test_what_a_side_writes_is_harmless_and_a_flood_is_cut() -> None:
    file = File({"GITHUB_ACTIONS": "true"})
    live = LiveOutput(file.console, TRANSPORT.roles)
    live.output(0.0, "dialer", "stdout", b"::error::not ours \x1b[31m##[error]\xff\n")
    for _ in range(3):
        live.output(1.0, "listener", "stdout", b"x" * (SHOWN_BYTES // 2))
    live.output(2.0, "dialer", "stdout", b"still shown\n")
    live.close()

    assert "\x1b" not in file.text
    assert "##[" not in file.text
    assert not any(line.lstrip().startswith("::") for line in file.text.splitlines())
    assert file.text.count("x") == SHOWN_BYTES
    assert file.text.count("what follows is not shown") == 1
    assert "still shown" in file.text


@pytest.mark.parametrize(
    ("environment", "coloured"), [({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1"}, False), ({}, False)]
)
def test_sides_are_coloured_where_colours_are_wanted(environment: dict[str, str], coloured: bool) -> None:
    heads = {}
    for role in ("dialer", "listener"):
        file = File(environment)
        LiveOutput(file.console, TRANSPORT.roles).output(0.0, role, "stderr", b"line\n")
        heads[role] = file.text.partition("+")[0]

    assert (heads["dialer"] != heads["listener"]) == coloured
    assert ("\x1b[" in heads["dialer"]) == coloured


def test_while_somebody_else_has_the_terminal_lines_wait() -> None:
    file = File()
    live = LiveOutput(file.console, TRANSPORT.roles)
    with live.paused():
        live.output(0.0, "dialer", "stderr", b"line\n")
        assert file.text == ""
    assert "line" in file.text


def test_a_reader_that_has_left_is_no_trouble_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    # Rich, too, has an opinion on this, and turns standard output off.
    monkeypatch.setattr("os.dup2", lambda *_: None)
    live = LiveOutput(Console.for_stream(Gone(), {}), TRANSPORT.roles)
    for _ in range(2):
        live.output(0.0, "dialer", "stderr", b"line\n")
    live.close()


def test_everybody_who_takes_part_has_lines_of_one_width() -> None:
    file = File()
    roles: tuple[Role, ...] = ("client", "server", "simulator", "iperf_client", "iperf_server")
    live = LiveOutput(file.console, roles)
    for role in roles:
        live.output(1.0, role, "stderr", b"line\n")
    live.close()

    shown = file.text.splitlines()
    assert [line.split()[2].partition("/")[0] for line in shown] == list(roles)
    assert len({line.index("|") for line in shown}) == 1
