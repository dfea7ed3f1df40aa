"""What the commands print and write for stored input is what it was, byte for byte; see `yardsticks`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from yardsticks import GOLDEN, SUITES, checkout, helps, listings, results


def compare(said: Iterator[tuple[str, str]]) -> None:
    names = []
    for name, text in said:
        assert text == (GOLDEN / name).read_text(), f"{name} is not what it was; to record: python tests/yardsticks.py"
        names.append(name)
    assert names


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="Python 3.13 prints an option with a value otherwise")
def test_helps(tmp_path: Path) -> None:
    compare(helps(checkout(tmp_path)))


@pytest.mark.parametrize("suite", SUITES)
def test_listings(tmp_path: Path, suite: str) -> None:
    compare(listings(checkout(tmp_path), suite))


@pytest.mark.parametrize("suite", SUITES)
def test_results(tmp_path: Path, suite: str) -> None:
    compare(results(checkout(tmp_path), suite))
