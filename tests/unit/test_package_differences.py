"""Why two images of one recipe differ: which packages Debian has replaced in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from runs import QUIC, attempt, merged_of

from ci.commands.package_lists import MOST_PACKAGES, package_differences
from ci.model import Outcome
from ci.results.comparison import Comparison, compare
from ci.results.merged import Merged
from ci.results.records import RoleRecord

THEN = ["image libc6 amd64 2.41-12", "build gcc-14 amd64 14.2.0-18", "build make amd64 4.4-1"]
NOW = ["image libc6 amd64 2.41-12", "build gcc-14 amd64 14.2.0-19", "build binutils amd64 2.44-3"]


def run(outcome: Outcome, digest: str, key: str = "k" * 64) -> Merged:
    case = QUIC.case("go-v1", "go-v1")
    roles = {
        role: RoleRecord(version="go-v1", family="go", image_digest=f"sha256:{digest}", build_key=key)
        for role in ("dialer", "listener")
    }
    return merged_of({case: [replace(attempt(case, outcome), roles=roles)]})


def kept(folder: Path, lines: list[str]) -> Path:
    (folder / "shard-1-of-1/packages").mkdir(parents=True)
    (folder / "shard-1-of-1/packages/go-v1.txt").write_text("\n".join(["sha256:1", *lines]) + "\n")
    return folder


@pytest.fixture
def comparison() -> Comparison:
    return compare(run(Outcome.PASSED, "1"), run(Outcome.FAILED, "2"))


def test_packages_that_were_replaced_are_named(comparison: Comparison, tmp_path: Path) -> None:
    base, head = kept(tmp_path / "base", THEN), kept(tmp_path / "head", NOW)
    assert list(package_differences(comparison, base, head)) == [
        "packages of go-v1: build gcc-14 amd64: 14.2.0-18 → 14.2.0-19",
        "packages of go-v1: build make amd64: 4.4-1 → none",
        "packages of go-v1: build binutils amd64: none → 2.44-3",
    ]


def test_where_they_are_the_same_it_is_something_else(comparison: Comparison, tmp_path: Path) -> None:
    base, head = kept(tmp_path / "base", THEN), kept(tmp_path / "head", THEN)
    [line] = package_differences(comparison, base, head)
    assert "the same, so it is something else" in line


def test_of_other_sources_and_without_lists_nothing_is_said(comparison: Comparison, tmp_path: Path) -> None:
    base, head = kept(tmp_path / "base", THEN), kept(tmp_path / "head", NOW)
    other = compare(run(Outcome.PASSED, "1"), run(Outcome.FAILED, "2", key="l" * 64))
    assert list(package_differences(other, base, head)) == []
    assert list(package_differences(comparison, None, head)) == []
    assert list(package_differences(comparison, base, tmp_path / "nowhere")) == []


def test_a_list_of_many_is_cut_and_a_strange_one_harms_nobody(comparison: Comparison, tmp_path: Path) -> None:
    base = kept(tmp_path / "base", [f"image p{n} amd64 1" for n in range(100)])
    head = kept(tmp_path / "head", ["image \x1b[31m amd64 2\x07"])
    lines = list(package_differences(comparison, base, head))
    assert len(lines) == MOST_PACKAGES + 1
    assert all(line.isprintable() for line in lines)
