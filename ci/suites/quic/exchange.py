"""What one run of a test case has left behind: how everyone ended, and the folder with all that was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, TypeAlias

from ci.spec.attempt import End

__all__ = ["Ending", "Exchange", "Participant"]

Participant: TypeAlias = Literal["client", "server", "simulator", "iperf_client", "iperf_server"]


class Ending(str, Enum):
    """Why the runner stopped waiting: the first participant to end ends the run (contract, section 1.6)."""

    CLIENT_ENDED = "client-ended"
    SERVER_ENDED = "server-ended"
    SIMULATOR_ENDED = "simulator-ended"
    DEADLINE = "deadline"

    __str__ = str.__str__


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The evidence of one run.

    :param exits: how each participant ended, by itself or stopped by the runner; nothing for one that never started
    :param last_log_line: the last line each participant wrote, where it wrote any
    :param elapsed: seconds from the first start to the moment the runner stopped waiting
    :param folder: holds `client`, `server` and `sim` (each the `/logs` of that container; `sim` has both captures) and
        `server_www`, `client_www`, `server_downloads`, `client_downloads` (what was mounted)
    """

    ending: Ending
    exits: Mapping[Participant, End]
    last_log_line: Mapping[Participant, str]
    elapsed: float
    folder: Path

    def own_end(self, participant: Participant) -> End | None:
        """How this participant ended by itself; None if it ran until the runner stopped it."""
        end = self.exits.get(participant)
        return None if end is None or end.stopped else end

    def capture(self, side: Literal["left", "right"]) -> Path:
        return self.folder / "sim" / f"trace_node_{side}.pcap"
