"""What a step of a GitHub workflow tells the ones after it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ci.errors import ConfigurationError
from ci.util.suggest import shown

__all__ = ["write_step_outputs"]


def write_step_outputs(values: Mapping[str, str], environment: Mapping[str, str]) -> None:
    """Add to the file that GITHUB_OUTPUT names; nothing where it names none.

    :raises ConfigurationError: `no-github-output`: it cannot be written
    """
    path = environment.get("GITHUB_OUTPUT")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as output:
            output.writelines(f"{name}={value}\n" for name, value in values.items())
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            "no-github-output",
            f"GITHUB_OUTPUT names {shown(path)}, which cannot be written: {getattr(error, 'strerror', None) or error}",
            why="the variable was set by hand, or its folder is gone",
            hint="unset it, or let it name a file",
        ) from None
