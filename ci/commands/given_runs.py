"""A run as a command is given it: its folder, its merged results, or the address of these."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.results.merged_file import merged_from, read_merged
from ci.suites.registry import known_suites

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from ci.model import Case
    from ci.results.merged import Merged

__all__ = ["add_run_argument", "folder_of", "given_run", "history_file"]

MERGED: Final = "merged.json"
_SECONDS: Final = 60
# As much as is read of a file.
_MOST_BYTES: Final = 1 << 30


def add_run_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run_given",
        nargs="?",
        default="results/latest",
        metavar="RUN",
        help="folder of a run, a merged.json, or the http(s) address of one; default: results/latest",
    )


def given_run(text: str, *, known: Mapping[str, Case] = MappingProxyType({})) -> Merged:
    """The run that a person named.

    :param known: cases by key, of which another run has the same
    :raises ConfigurationError: there is none, or what is there is none
    """
    if re.match(r"https?://", text):
        return merged_from(_fetched(text), known_suites(), where=text)
    path = Path(text)
    if path.is_dir():
        if not (path / MERGED).is_file():
            raise ConfigurationError(
                "merged-unreadable",
                f"{path} holds no {MERGED}",
                why="its shards have not been merged, or it is no folder of a run",
                hint=f"nox -s merge-results -- {path}",
            )
        path /= MERGED
    return read_merged(path, known_suites(), known=known)


def folder_of(text: str) -> Path | None:
    """The folder in which the evidence of a given run lies; None for one that was fetched."""
    path = Path(text)
    return path if path.is_dir() else path.parent if path.is_file() else None


def history_file(suite: str) -> Path:
    """Where the runs of a suite are remembered."""
    return Path("history") / f"{suite}.jsonl"


def _fetched(url: str) -> bytes:
    import requests  # noqa: PLC0415 -- a quarter of a second, for addresses alone

    try:
        with requests.get(url, stream=True, timeout=_SECONDS) as response:
            response.raise_for_status()
            data = b""
            for chunk in response.iter_content(1 << 20):
                data += chunk
                if len(data) > _MOST_BYTES:
                    raise ConfigurationError("merged-unreadable", f"{url} is larger than {_MOST_BYTES >> 30} GiB")
    except requests.RequestException as error:
        raise ConfigurationError(
            "merged-unreadable",
            f"cannot fetch {url}: {error}",
            why="the address is wrong, needs a login, or the network is down",
            hint=f"fetch it by other means, and name the file: it is the {MERGED} of a run",
        ) from error
    return data
