"""What keeps a version from running as a process, and the room its build would take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ci.engines.requirements import toolchain_of

if TYPE_CHECKING:
    from ci.engines.requirements import HostFacts
    from ci.model import Version

__all__ = ["missing_requirement", "room"]


def missing_requirement(host: HostFacts, version: Version) -> str | None:
    """Why this version cannot run as a process; None where it can."""
    toolchain = toolchain_of(version)
    if toolchain is None:
        return "needs Docker"
    if not host.can_cache:
        return "needs a cache folder that can be written"
    wheels = host.reaches("PyPI") or host.cached
    if (missing := host.missing.get(version.local or "")) is not None:
        return f"needs {missing}"
    for program in ("redis-server", toolchain.program):
        if program is not None and program not in host.usable and not wheels:
            return f"needs {program}, or PyPI for a wheel of it"
    if not (host.reaches(toolchain.registry) or host.cached):
        return f"{toolchain.registry} is out of reach"
    return None


def room(host: HostFacts, version: Version) -> float:
    """Bytes that this version will take as a process, an estimate."""
    toolchain = toolchain_of(version)
    return 0 if toolchain is None or missing_requirement(host, version) is not None else toolchain.process_bytes
