"""What the kernel of this machine says of itself."""

from __future__ import annotations

from pathlib import Path

__all__ = ["out_of_memory_kills"]


def out_of_memory_kills() -> int:
    """How many processes it has killed for want of memory since it started; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
