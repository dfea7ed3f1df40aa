"""What tests of `repro` do as a person would: paste what it prints, type at its terminal, look for what it left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from checkouts import ROOT

from ci.engines.docker.daemon import LABEL

if TYPE_CHECKING:
    from checkouts import Checkout

    from ci.engines.docker.daemon import Daemon

__all__ = ["at_terminal", "commands_in", "folder_in", "left_of", "paste"]


def left_of(daemon: Daemon, run: str) -> list[str]:
    mine = {"label": f"{LABEL}.run={run}"}
    api = daemon.api
    return [
        *(it["Id"] for it in api.containers(all=True, filters=mine)),
        *(it["Id"] for it in api.networks(filters=mine)),
    ]


def commands_in(output: str, after: str = "the same by hand:") -> str:
    """The lines a person would paste: those between this title and the next blank line."""
    return output.split(f"{after}\n")[1].split("\n\n", maxsplit=1)[0] + "\n"


def paste(lines: str) -> str:
    done = subprocess.run(
        ["sh"], input=lines, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120
    )
    return done.stdout


def folder_in(it: Checkout) -> Path:
    (folder,) = (it.folder / "results").iterdir()
    return folder


def at_terminal(it: Checkout, words: list[str], cue: str, typed: bytes) -> tuple[int, str]:
    """Run a command on a pseudo-terminal, and type something once it has said its cue."""
    ours, theirs = os.openpty()
    environment: dict[str, Any] = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    environment.pop("GITHUB_ACTIONS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "ci", *words],
        cwd=it.folder,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, waiting = b"", True
    try:
        while chunk := os.read(ours, 4096):
            said += chunk
            # The shell's own prompt: before it, docker may not have taken over the terminal.
            if waiting and re.search(re.escape(cue.encode()) + rb".*[$#] ", said, re.DOTALL):
                os.write(ours, typed)
                waiting = False
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(ours)
        process.wait(60)
    return process.returncode, said.decode(errors="replace")
