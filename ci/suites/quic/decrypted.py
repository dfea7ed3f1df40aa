"""Captures of a case that anybody can open: copies with the secrets of the connections in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.suites.quic.captures.key_logs import key_logs, tidied
from ci.suites.quic.captures.reading import opening_key_log
from ci.suites.quic.captures.tshark import with_secrets

if TYPE_CHECKING:
    from ci.spec.sandbox import OpenSandbox

__all__ = ["CAPTURES", "captures_below", "decrypted_copies"]

# Where a run of a test case keeps its captures, below its folder (quic-interop contract, section 5.5).
CAPTURES: Final = "sim/trace_node_*.pcap"


def captures_below(folder: Path) -> list[Path]:
    """The captures of an attempt, those of several repetitions in the order of these."""
    return sorted(folder.glob(CAPTURES)) + sorted(folder.glob(f"[0-9]*/{CAPTURES}"))


def decrypted_copies(folder: Path, open_sandbox: OpenSandbox) -> dict[Path, Path]:
    """Write a copy with the secrets in it beside each capture of an attempt, and return which is whose.

    A capture for which there is no valid key log, or which is empty, gets none. Where both sides have left one, it is
    that which opens the capture.

    :raises EngineError: editcap fails, or the engine; there are two key logs, and the capture cannot be read
    """
    copies: dict[Path, Path] = {}
    for capture in captures_below(folder):
        if capture.stat().st_size == 0:
            continue
        key_log = opening_key_log(capture, key_logs(capture.parents[1]), open_sandbox)
        if key_log is not None:
            copies[capture] = capture.with_suffix(".decrypted.pcapng")
            copies[capture].write_bytes(with_secrets(capture, tidied(key_log), open_sandbox))
    return copies
