"""Which key log opens the captures (contract, section 4.1): the client's if it is any good, else the server's."""

from __future__ import annotations

from pathlib import Path
from typing import Final

__all__ = ["choose_key_log", "valid_key_log"]

# Without this line a log says nothing about a QUIC connection that got anywhere.
NEEDED: Final = b"SERVER_HANDSHAKE_TRAFFIC_SECRET"


def choose_key_log(folder: Path) -> Path | None:
    """The key log for an exchange's captures, or None if neither side has left a valid one.

    :param folder: the exchange's, with `client/keys.log` and `server/keys.log`
    """
    for side in ("client", "server"):
        path = folder / side / "keys.log"
        if valid_key_log(path):
            return path
    return None


def valid_key_log(path: Path) -> bool:
    """Whether there is such a file, with the secrets of a handshake in it."""
    try:
        with path.open("rb") as file:
            return any(line.startswith(NEEDED) for line in file)
    except OSError:
        return False
