"""What runs on this host, as the tests see it: from `/proc` where there is one, else from `ps`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ci.engines.local.supervisor import from_proc, from_ps

__all__ = ["NEEDS_MAKE", "NEEDS_PS", "children", "command_lines", "descendants", "is_running"]

LINUX = sys.platform == "linux"
NEEDS_PS = pytest.mark.skipif(shutil.which("ps") is None, reason="there is no ps here")
NEEDS_MAKE = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def descendants(pid: int) -> set[int]:
    return set(from_proc(pid) if LINUX else from_ps(pid))


def children(pid: int) -> set[int]:
    return {it for it in descendants(pid) if _ask(it, "ppid") == str(pid)}


def is_running(pid: int) -> bool:
    """Not a zombie: whoever has to bury it is not ours."""
    return _ask(pid, "stat")[:1] not in ("", "Z")


def command_lines() -> list[str]:
    """Of every process there is."""
    if not LINUX:
        words = ["ps", "-A", "-ww", "-o", "args="]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has just ended
    return lines


def _ask(pid: int, what: str) -> str:
    """The state or the parent of a process; empty where it is gone."""
    if not LINUX:
        words = ["ps", "-o", f"{what}=", "-p", str(pid)]
        return subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()
    try:
        # The name, in brackets, may hold anything.
        state, parent = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:2]
        )
    except (OSError, ValueError):
        return ""
    return {"stat": state, "ppid": parent}[what]
