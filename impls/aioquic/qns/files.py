"""Files to serve and files to write: nothing outside the two folders, nothing half written."""

from __future__ import annotations

from pathlib import Path


def read(folder: Path, name: str) -> bytes:
    """A file's content; `FileNotFoundError` also for what is not below the folder."""
    return inside(folder, name).read_bytes()


def write(folder: Path, name: str, content: bytes) -> None:
    """Write a complete file."""
    path = inside(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def inside(folder: Path, name: str) -> Path:
    """The path of a name that a peer or a URL gave."""
    folder = folder.resolve()
    path = (folder / name.lstrip("/")).resolve()
    if path == folder or not path.is_relative_to(folder) or path.is_dir():
        raise FileNotFoundError(f"there is no file {name!r} in {folder}")
    return path
