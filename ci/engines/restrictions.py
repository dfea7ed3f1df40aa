"""What a container may do and use, said once: as options of the engine's interface, and as flags of its command.

Whatever `repro` prints for a shell is so what the engine is asked for, and a case fails there for the same reasons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ci.spec.attempt import MIB

if TYPE_CHECKING:
    from ci.spec.attempt import Limits

__all__ = ["Restrictions", "of_participant"]


@dataclass(frozen=True, kw_only=True)
class Restrictions:
    """No more rights than it starts with, a parent for its orphans, and an end to what it may use.

    :param drop: capabilities that are taken away; by default all
    :param add: capabilities that are given
    :param memory_bytes: with nothing to swap; None is no limit, as for the others
    :param processes: at once, threads included
    :param core_bytes: of a core dump
    :param file_bytes: of any file it writes
    :param locked_bytes: of memory that may not be swapped
    """

    drop: tuple[str, ...] = ("ALL",)
    add: tuple[str, ...] = ()
    memory_bytes: int | None = None
    processes: int | None = None
    core_bytes: int | None = None
    file_bytes: int | None = None
    locked_bytes: int | None = None

    def options(self) -> dict[str, Any]:
        """For `create_host_config` of the engine's client."""
        memory = {} if self.memory_bytes is None else dict.fromkeys(("mem_limit", "memswap_limit"), self.memory_bytes)
        return {
            "cap_drop": list(self.drop),
            "cap_add": list(self.add),
            "security_opt": ["no-new-privileges"],
            "init": True,
            "ulimits": [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in self._ulimits.items()],
            **memory,
            **({} if self.processes is None else {"pids_limit": self.processes}),
        }

    def flags(self) -> list[str]:
        """For `docker run` and `docker create`."""
        memory = [] if self.memory_bytes is None else [f"{self.memory_bytes // MIB}m"]
        return [
            *(word for name in self.drop for word in ("--cap-drop", name)),
            *(word for name in self.add for word in ("--cap-add", name)),
            *("--security-opt", "no-new-privileges", "--init"),
            *(word for name, limit in self._ulimits.items() for word in ("--ulimit", f"{name}={limit}:{limit}")),
            *(word for size in memory for word in ("--memory", size, "--memory-swap", size)),
            *([] if self.processes is None else ["--pids-limit", str(self.processes)]),
        ]

    @property
    def _ulimits(self) -> dict[str, int]:
        limits = {"core": self.core_bytes, "fsize": self.file_bytes, "memlock": self.locked_bytes}
        return {name: limit for name, limit in limits.items() if limit is not None}


def of_participant(
    limits: Limits, *, drop: tuple[str, ...] = ("ALL",), add: tuple[str, ...] = (), locked_bytes: int | None = None
) -> Restrictions:
    """Of a participant of a case: as its limits say, and without core dumps, whose size no limit bounds."""
    return Restrictions(
        drop=drop,
        add=add,
        memory_bytes=limits.memory_bytes,
        processes=limits.processes,
        core_bytes=0,
        locked_bytes=locked_bytes,
    )
