"""The folder of one attempt: files go in, and what went in is known by size and hash."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING

from ci.errors import EngineError
from ci.results.records import EvidenceFile
from ci.util.host_trouble import host_trouble
from ci.util.portable_names import original_name, portable_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ci.model import Case

__all__ = ["EvidenceFolder", "case_folder", "unwritable"]


def case_folder(case: Case) -> str:
    """Where the evidence of a case lies in its shard's folder: of no two cases, on any file system, the same.

    `<dialer>_<listener>/<stack>`, or in the established layout of the suites over a simulated network
    `<server>_<client>/<test case>`. Pairs that such a name does not tell apart have a digest behind it: `_` stands in
    an id too, and some file systems take `A` for `a`.
    """
    pair = case.pair[::-1] if case.suite.second_named_first else case.pair
    name = portable_name("_".join(pair))
    if name.count("_") > 1 or name != name.lower():
        name += f"~{hashlib.sha256(' x '.join(pair).encode()).hexdigest()[:12]}"
    return f"{name}/{'-'.join(case.words)}"


class EvidenceFolder:
    """One attempt's own folder, made where it is not there.

    :param root: the shard's folder
    :param where: of the case, relative to the root, `/` between parts
    :param attempt: 1-based; retries get a folder of their own inside the first one's
    :raises OSError: from every method: the disk is full or not ours
    """

    def __init__(self, root: Path, where: str, *, attempt: int) -> None:
        self._where = where if attempt == 1 else f"{where}/attempt-{attempt}"
        self.path = root / self._where
        self._files: list[EvidenceFile] = []
        # Left by a run that was killed in the middle of this very attempt, which no record names.
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True, exist_ok=True)

    @property
    def files(self) -> tuple[EvidenceFile, ...]:
        """What is in it, in the order it went in."""
        return tuple(self._files)

    def write(self, name: str, data: bytes, *, role: str, stream: str, truncated: bool = False) -> None:
        (self.path / name).write_bytes(data)
        self._note(name, hashlib.sha256(data), len(data), role=role, stream=stream, truncated=truncated)

    def write_json(self, name: str, facts: Mapping[str, object]) -> None:
        data = (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode()
        self.write(name, data, role="harness", stream=name.partition(".")[0])

    def note_rest(self, owner: Callable[[str], str]) -> None:
        """Count in whatever else lies in it, gathered under portable names.

        :param owner: whose a file is, by its name relative to the folder
        """
        known = {file.path for file in self._files}
        for path in sorted(self.path.rglob("*")):
            name = path.relative_to(self.path).as_posix()
            if path.is_file() and f"{self._where}/{name}" not in known:
                self.note(name, role=owner(name), stream=original_name(path.name))

    def note(self, name: str, *, role: str, stream: str, truncated: bool = False) -> None:
        """Count a file in that something else has put there."""
        digest, size = hashlib.sha256(), 0
        with (self.path / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
        self._note(name, digest, size, role=role, stream=stream, truncated=truncated)

    def _note(self, name: str, digest: hashlib._Hash, size: int, *, role: str, stream: str, truncated: bool) -> None:
        self._files.append(
            EvidenceFile(
                role=role,
                stream=stream,
                path=f"{self._where}/{name}",
                size=size,
                sha256=digest.hexdigest(),
                truncated=truncated,
                name=original if (original := original_name(name)) != name else None,
            )
        )


def unwritable(case: Case, error: OSError) -> EngineError:
    """What to raise when the files of a case cannot be written or read."""
    what = f"the files of {case.name} cannot be written: {error}"
    if isinstance(known := host_trouble(error), EngineError):
        return EngineError(known.reference, what, why=known.why, hint=known.hint)
    return EngineError(
        "files-unwritable",
        what,
        why="a name is too long or a file too large for this file system, or the folder was removed meanwhile",
        hint="look at the file that is named; if it is fine, `--results` names a folder elsewhere",
    )
