"""Programs that build, which end with all they have started when we do, however we end: see `guard`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

__all__ = ["ask", "end", "start"]

_GUARD: Final = Path(__file__).with_name("guard.py")
_GRACE_SECONDS: Final = 2.0


def start(
    words: Sequence[str], *, output: IO[bytes], environment: Mapping[str, str], folder: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a program, in a group of its own: Ctrl-C is for us to pass on.

    :param output: a file for both of its streams
    """
    return subprocess.Popen(
        (sys.executable, "-I", "-S", str(_GUARD), *words),
        # Never written to: it is closed when we end.
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=dict(environment),
        start_new_session=True,
    )


def ask(process: subprocess.Popen[bytes]) -> None:
    """Ask it, and all it has started, to end soon. It may have ended already."""
    _signal(process, signal.SIGTERM)


def end(process: subprocess.Popen[bytes]) -> None:
    """End it, and all it has started: asked first, killed after a moment. It may have ended already."""
    for number, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        if process.poll() is not None:
            break
        _signal(process, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    if process.stdin is not None:
        process.stdin.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
