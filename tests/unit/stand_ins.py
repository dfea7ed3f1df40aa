"""Tools that are small shell scripts, for tests of who calls which tool and what becomes of its failure."""

from __future__ import annotations

from pathlib import Path

__all__ = ["tool"]


def tool(folder: Path, name: str, script: str) -> Path:
    """A program in `folder` made of these lines."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path
