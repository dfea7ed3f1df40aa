"""The machine itself: Python, processors, memory, and room on its disks."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci.commands.doctor_checks.finding import Finding, State
from ci.results.host_load import most_load
from ci.spec.attempt import Limits
from ci.util.text import counted

__all__ = [
    "Disk",
    "Memory",
    "disk",
    "gigabytes",
    "judge_disk",
    "judge_load",
    "judge_memory",
    "judge_python",
    "memory",
    "writable",
]

OLDEST_PYTHON: Final = (3, 10)
NEWEST_PYTHON: Final = (3, 14)
# Both sides of a case and the runner itself.
_ONE_CASE: Final = 2 * Limits().memory_bytes
# The kernel's word for "no limit" in a cgroup of version 1 is a number near 2^63.
_NO_LIMIT: Final = 1 << 60


def gigabytes(count: float) -> str:
    """Bytes for people: `0.4 GB`, `48 GB`."""
    number = count / 1e9
    return f"{number:.1f} GB" if number < 10 else f"{number:.0f} GB"


def judge_python(version: Sequence[int] = sys.version_info[:3]) -> Finding:
    value = f"{'.'.join(map(str, version))} ({sys.executable})"
    if tuple(version[:2]) > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        return Finding(
            name="python",
            state=State.WARN,
            value=value,
            impact=f"newer than {newest}, the newest this project is tested with",
            advice=f"nothing, or take {newest} if something is odd",
        )
    return Finding(name="python", state=State.OK, value=value)


def judge_load(load: float, processors: int) -> Finding:
    """:param load: the load average of the last minute"""
    value = f"load {load:.1f} on {counted(processors, 'processor')}"
    if load <= most_load(processors):
        return Finding(name="load", state=State.OK, value=value)
    return Finding(
        name="load",
        state=State.WARN,
        value=value,
        impact="cases may run out of time because of what else runs here",
        advice="wait until it is quieter, or give cases more time (`--timeout-factor 3`)",
    )


# --- memory -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes there are and bytes that are free, within the limit this process is under."""

    total: int
    available: int


def memory(root: Path = Path("/")) -> Memory:
    """What this process may use.

    :param root: where `proc` and `sys` are found
    :raises OSError, ValueError: this system does not tell
    """
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    total = available = pages * page
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        total, available = fields["MemTotal"], fields["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        pass  # not Linux: the total will have to do
    for limit, used in (
        ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory.current"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            most = int((root / limit).read_text(encoding="ascii"))
            now = int((root / used).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue  # no such cgroup, or `max`
        if most < _NO_LIMIT:
            total, available = min(total, most), min(available, max(0, most - now))
    return Memory(total=total, available=available)


def judge_memory(found: Memory, processors: int) -> Finding:
    """One case per processor is what runs at once; each side may use its limit, and usually uses a tenth of it."""
    value = f"{gigabytes(found.available)} of {gigabytes(found.total)} free, for {counted(processors, 'case')} at once"
    if found.available >= _ONE_CASE:
        return Finding(name="memory", state=State.OK, value=value)
    return Finding(
        name="memory",
        state=State.WARN,
        value=value,
        impact="peers may be killed for lack of memory; builds of rust and chromium may fail",
        advice="close something, or run fewer cases at once (`--workers 1`)",
    )


# --- disk -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Room where a folder is, or would be made.

    :param free: bytes for this user
    """

    folder: Path
    free: int
    writable: bool


def disk(folder: Path) -> Disk:
    """:raises OSError: the file system does not tell"""
    return Disk(folder=folder, free=shutil.disk_usage(_there(folder)).free, writable=writable(folder))


def writable(folder: Path) -> bool:
    """Whether this user may write in the folder, or make it."""
    there = _there(folder)
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _there(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    there = folder.absolute()
    while not os.path.lexists(there) and there != there.parent:
        there = there.parent
    return there


def judge_disk(name: str, found: Disk, needed: float, *, must_write: bool = True, advice: str) -> Finding:
    """:param needed: bytes still to be stored there, an estimate"""
    want = f"about {gigabytes(needed)} needed" if needed else "nothing more needed"
    value = f"{found.folder}: {gigabytes(found.free)} free, {want}"
    if must_write and not found.writable:
        return Finding(
            name=name,
            state=State.MISSING,
            value=f"{found.folder} cannot be written by this user",
            impact="nothing can be stored there",
            advice=advice,
        )
    if found.free >= needed:
        return Finding(name=name, state=State.OK, value=value)
    return Finding(
        name=name,
        state=State.WARN,
        value=value,
        impact="the disk may fill up in the middle of a build or a run",
        advice="free some (`nox -s gc` lists what this project can give back)",
    )
