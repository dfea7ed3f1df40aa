from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from terminals import File, pseudo_terminal

from ci.errors import ConfigurationError
from ci.terminal.console import ANNOTATIONS, Console, escape_data, escape_property

GITHUB = {"GITHUB_ACTIONS": "true"}


@pytest.mark.parametrize(
    ("environment", "terminal", "colour"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False, True),
        ({"TERM": "xterm", **GITHUB}, False, False),
    ],
)
def test_what_a_terminal_can_show(environment: dict[str, str], terminal: bool, colour: bool) -> None:
    with pseudo_terminal() as (stream, screen):
        console = Console.for_stream(stream, environment)
        assert (console.terminal, console.colour) == (terminal, colour)
        console.info("hello", style="red")
    assert ("\x1b[" in screen.text) == colour
    assert "hello" in screen.text


@pytest.mark.parametrize(
    ("environment", "written"),
    [
        ({}, "hello\n"),
        ({"FORCE_COLOR": "0"}, "hello\n"),
        ({"FORCE_COLOR": "1", "TERM": "xterm"}, "\x1b[31mhello\x1b[0m\n"),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, "hello\n"),
    ],
)
def test_what_a_file_gets(environment: dict[str, str], written: str) -> None:
    file = File(environment)
    file.console.info("hello", style="red")
    assert file.text == written


def test_lines_are_never_wrapped() -> None:
    file = File()
    file.console.info("word " * 100 + "end")
    assert file.text == "word " * 100 + "end\n"


@unhurried
@given(st.text(st.characters()), st.sampled_from(({}, GITHUB)), st.sampled_from(("utf-8", "ascii", "latin-1")))
def test_no_text_can_do_anything(text: str, environment: dict[str, str], encoding: str) -> None:
    file = File(environment, encoding)
    file.console.info(text)
    file.console.warn(text, title=text)
    file.console.error(text)
    with file.console.group(text):
        pass
    written = file.text
    assert "\x1b" not in written
    assert all(character == "\n" or character.isprintable() or ord(character) > 0x9F for character in written)
    if environment:
        commands = [line for line in written.split("\n") if line.strip().startswith("::")]
        assert [line.split("::")[1].split(" ")[0] for line in commands] == [
            "warning",
            "error",
            "group",
            "endgroup",
        ]


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[/]", "[link=http://x]y[/link]", ":smile:", "\\[x]"])
def test_markup_is_text(text: str) -> None:
    file = File()
    file.console.info(text)
    assert file.text == f"{text}\n"


def test_what_the_encoding_lacks_is_escaped() -> None:
    file = File(encoding="ascii")
    file.console.info("é 🎧")
    assert file.text == "\\xe9 \\U0001f3a7\n"
    assert not file.console.unicode
    assert file.console.symbol("✔", "ok") == "ok"


def test_errors_read_as_written() -> None:
    file = File()
    file.console.error(str(ConfigurationError("x", "it broke", why="it was old", hint="buy another")))
    assert file.text == "error: it broke\n  why: it was old\n  do this: buy another\n"


# --- GitHub -----------------------------------------------------------------------------------------------


def test_annotations() -> None:
    file = File(GITHUB)
    file.console.warn("50% of\nthem", title="a, b: c")
    file.console.error("bad")
    assert file.text == "::warning title=a%2C b%3A c::50%25 of%0Athem\n::error::bad\n"


def test_only_as_many_annotations_as_are_shown() -> None:
    file = File(GITHUB)
    for number in range(ANNOTATIONS + 2):
        file.console.warn(f"{number}")
    file.console.error("still an annotation")
    lines = file.text.splitlines()
    assert sum(line.startswith("::warning::") for line in lines) == ANNOTATIONS
    assert lines[-3:] == ["warning: 10", "warning: 11", "::error::still an annotation"]


def test_groups_fold_on_github_and_are_headings_elsewhere() -> None:
    for environment, written in ((GITHUB, "::group::images\nx\n::endgroup::\n"), ({}, "images\nx\n")):
        file = File(environment)
        with file.console.group("images"):
            file.console.info("x")
        assert file.text == written


def test_a_group_ends_when_its_work_fails() -> None:
    file = File(GITHUB)
    with pytest.raises(KeyError), file.console.group("images"):
        raise KeyError
    assert file.text.endswith("::endgroup::\n")


def test_strangers_cannot_give_commands() -> None:
    file = File(GITHUB)
    file.console.info("a\n  ::stop-commands::x\n::add-mask::e\r::error::y ##[error]z")
    assert file.text == "a\n  : :stop-commands::x\n: :add-mask::e\n: :error::y # #[error]z\n"


@unhurried
@given(st.text())
def test_escapes_leave_nothing_that_ends_a_command(text: str) -> None:
    assert not {"\r", "\n"} & set(escape_data(text))
    assert not {"\r", "\n", ":", ","} & set(escape_property(text))
