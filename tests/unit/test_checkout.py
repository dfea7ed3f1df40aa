"""The repository as others check it out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_every_line_ends_the_same_way_where_git_is_told_to_convert(tmp_path: Path) -> None:
    """`#!/bin/sh` with a carriage return behind it is a program that does not exist."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout

    clone = tmp_path / "clone"
    git("clone", "--quiet", "--shared", "-c", "core.autocrlf=true", str(ROOT), str(clone))
    rows = [row.split("\t")[0].split() for row in git("-C", str(clone), "ls-files", "--eol").splitlines()]
    assert len(rows) > 100
    assert {(index, tree) for index, tree, *_ in rows if index.removeprefix("i/") != tree.removeprefix("w/")} == set()
