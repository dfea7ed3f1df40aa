"""Commands are named as the person who reads it has typed them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from terminals import File

from ci.terminal.spelling import VARIABLE, say_next, spelled

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("`nox -s doctor`, or nox -s gc -- --yes", "`.venv/bin/nox -s doctor`, or .venv/bin/nox -s gc -- --yes"),
        (".venv/bin/nox -s doctor", ".venv/bin/nox -s doctor"),
        ("nox is fine; nox -l too", "nox is fine; nox -l too"),
        ("equinox -s x", "equinox -s x"),
    ],
)
def test_every_command_in_a_text(text: str, wanted: str) -> None:
    assert spelled(text, {VARIABLE: ".venv/bin/nox"}) == wanted
    assert spelled(text, {}) == text


def test_what_a_shell_would_take_apart_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nox -f ../noxfile.py")
    file = File()
    say_next(file.console, "repro", "a x b (tcp)", "--suite", "quic", purpose="once more")
    assert file.text == "next: nox -f ../noxfile.py -s repro -- 'a x b (tcp)' --suite quic   # once more\n"


@pytest.mark.parametrize(
    ("words", "started"),
    [
        ([".venv/bin/nox", "-s", "list"], ".venv/bin/nox"),
        (["./noxfile.py", "-s", "list"], "./noxfile.py"),
        ([".venv/bin/nox", "-f", "../noxfile.py", "-s", "list", "--", "-f", "x"], ".venv/bin/nox -f ../noxfile.py"),
        (["/somewhere/nox/__main__.py", "-s", "list"], f"{Path(sys.executable).name} -m nox"),
    ],
)
def test_how_nox_was_started(words: list[str], started: str) -> None:
    """In a process of its own, since the file asks for the words of its process."""
    code = f"import sys; sys.argv = {words!r}; import noxfile; print(noxfile.started_as())"
    environment = {**os.environ, "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == started
