"""What a local process is started from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Program"]


@dataclass(frozen=True, kw_only=True)
class Program:
    """What a local process is started from: a command line (absolute program), extra variables, the folder to start in.

    :param command: the program's absolute path, then its arguments
    :param environment: what it needs besides the variables of the contract
    :param folder: where it is started; None where that does not matter
    """

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: str | None = None
