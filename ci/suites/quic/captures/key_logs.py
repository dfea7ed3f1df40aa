"""Which key logs may open the captures (contract, section 4.1): the client's, then the server's, if any good."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

__all__ = ["key_logs", "tidied", "valid_key_log"]

# Without this line a log says nothing about a QUIC connection that got anywhere.
NEEDED: Final = b"SERVER_HANDSHAKE_TRAFFIC_SECRET"


def key_logs(folder: Path) -> list[Path]:
    """The valid key logs for an exchange's captures, the client's first.

    :param folder: the exchange's, with `client/keys.log` and `server/keys.log`
    """
    paths = [folder / side / "keys.log" for side in ("client", "server")]
    return [path for path in paths if valid_key_log(path)]


def valid_key_log(path: Path) -> bool:
    """Whether there is such a file, with the secrets of a handshake in it."""
    try:
        return any(line.startswith(NEEDED) for line in _lines(path))
    except OSError:
        return False


def tidied(path: Path) -> bytes:
    """The log as Wireshark's tools read it: a line feed after each line, one space between its words.

    :raises OSError: it cannot be read
    """
    return b"".join(line + b"\n" for line in _lines(path))


def _lines(path: Path) -> list[bytes]:
    """Whatever ends them, a carriage return alone too, and whatever separates their words."""
    return [b" ".join(line.split()) for line in re.split(rb"[\r\n]+", path.read_bytes()) if line.strip()]
