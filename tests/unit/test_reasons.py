"""Each reason code is explained, and the page says what the code says."""

from __future__ import annotations

from pathlib import Path

from ci.model import ReasonCode
from ci.reports.reasons import EXPLANATIONS, PAGE, page

ROOT = Path(__file__).resolve().parents[2]


def test_each_code_is_explained() -> None:
    assert list(EXPLANATIONS) == list(ReasonCode)
    for code, it in EXPLANATIONS.items():
        assert it.means.endswith("."), code
        assert not it.usually.endswith("."), code
        assert not it.advice.endswith("."), code


def test_the_page_is_made_of_them() -> None:
    assert page() == (ROOT / PAGE).read_text(encoding="utf-8"), "write it: nox -s documents"
    for code in ReasonCode:
        assert page().count(f"### {code}\n") == 1
