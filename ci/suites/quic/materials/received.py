"""Whether everything asked for has arrived, whole and unchanged, and nothing else (contract, sections 4.1 and 4.7)."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ci.suites.quic.captures.packets import Sender
from ci.suites.quic.materials.case_files import CaseFile, CaseFiles
from ci.suites.quic.testcases.base import Finding
from ci.suites.quic.testcases.checks import listed
from ci.util.text import counted

__all__ = ["PROTOCOL_FILE", "wrong_files"]

# Where both sides of a WebTransport handshake write what they agreed on.
PROTOCOL_FILE: Final = "negotiated_protocol.txt"
# A protocol's name is a word; what is longer is no name.
LONGEST_PROTOCOL: Final = 1024


def wrong_files(case_files: CaseFiles, folder: Path) -> Finding | None:
    """What is wrong with the files received, or None.

    The set of names comes first, then sizes, then contents. Folders are looked past. What is neither file nor folder
    counts as nothing received, a symbolic link above all: it would be followed on this side of the container's walls.

    :param folder: the exchange's, with `client_downloads` and `server_downloads`
    """
    if case_files.protocol is not None:
        return _wrong_protocol(case_files.protocol, folder)
    below = {file.name.rpartition("/")[0] for file in case_files.files}
    for path in sorted(below):
        wanted = {name: file for file in case_files.files for at, _, name in [file.name.rpartition("/")] if at == path}
        if finding := _wrong_folder(case_files, wanted, folder / f"{case_files.receiver}_downloads" / path):
            return finding
    return None


def _wrong_folder(case_files: CaseFiles, wanted: dict[str, CaseFile], folder: Path) -> Finding | None:
    receiver = case_files.receiver
    found = dict(_regular_files(folder))
    missing = [name for name in wanted if name not in found]
    if missing:
        text = f"the {receiver} lacks {len(missing)} of {counted(len(wanted), 'file')}: {listed(missing, most=3)}"
        return Finding(text=text, side=receiver)
    extra = sorted(found.keys() - wanted.keys())
    if extra:
        return Finding(text=f"the {receiver} has files nobody asked for: {listed(extra, most=3)}", side=receiver)
    for name, file in wanted.items():
        size = found[name].stat().st_size
        if size != file.size:
            return Finding(text=f"the {receiver}'s file {name} has {counted(size, 'byte')}, not {file.size}")
    for name, file in wanted.items():
        content, original = found[name].read_bytes(), file.content(case_files.seed)
        if content != original:
            at = next(place for place, pair in enumerate(zip(content, original, strict=True)) if pair[0] != pair[1])
            return Finding(text=f"the {receiver}'s file {name} is not what was sent, from byte {at} on")
    return None


def _regular_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Files directly in a folder by name, as far as it exists."""
    try:
        entries = list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    for path in entries:
        if stat.S_ISREG(path.lstat().st_mode):
            yield path.name, path


def _wrong_protocol(protocol: str, folder: Path) -> Finding | None:
    sides: tuple[Sender, ...] = ("client", "server")
    for side in sides:
        path = dict(_regular_files(folder / f"{side}_downloads")).get(PROTOCOL_FILE)
        if path is None:
            return Finding(text=f"the {side} wrote no {PROTOCOL_FILE}", side=side)
        with path.open(encoding="utf-8", errors="replace") as file:
            agreed = file.read(LONGEST_PROTOCOL).strip()
        if agreed != protocol:
            return Finding(text=f"the {side} says they agreed on {agreed!r}, it should be {protocol!r}", side=side)
    return None
