"""A dashboard is read back as it was rendered; the one in this repository is explained."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import FAILED, PLANNED_OUT, QUIC, YAMUX, attempt, merged_of

from ci.merged import Merged
from ci.model import Case, Outcome, Stack
from ci.report.dashboard import render
from ci.report.published import green_cases, published_cells

ROOT = Path(__file__).resolve().parents[2]


def run() -> Merged:
    green, flaky, red, out = (Case("go-v1", listener, YAMUX) for listener in ("go-v1", "js-v1", "py-v1", "c-v1"))
    alone = Case("py-v1", "go-v1", QUIC)
    return merged_of(
        {
            green: [attempt(green)],
            flaky: [attempt(flaky, FAILED), attempt(flaky)],
            red: [attempt(red, FAILED)],
            out: [attempt(out, Outcome.NOT_RUN, PLANNED_OUT)],
            alone: [attempt(alone)],
        }
    )


def colours(merged: Merged) -> dict[Case, str]:
    words = {Outcome.PASSED: "green", Outcome.FAILED: "red", Outcome.TIMED_OUT: "red", Outcome.UNSUPPORTED: "red"}
    return {
        Case(it.dialer, it.listener, it.stack): "yellow" if it.result.flaky else words.get(it.result.outcome, "white")
        for it in merged.cases
    }


@pytest.mark.parametrize("run_url", [None, "https://example.org/runs/1"])
def test_what_was_rendered_is_read_back(run_url: str | None) -> None:
    merged = run()
    cells = published_cells(render(merged, run_url=run_url))
    wanted = colours(merged)
    coloured = {case: colour for case, colour in cells.items() if colour != "white"}
    assert coloured == {case: colour for case, colour in wanted.items() if colour != "white"}
    assert coloured
    assert green_cases(render(merged)) == {case for case, colour in wanted.items() if colour == "green"}


def test_what_is_no_dashboard_is_passed_over() -> None:
    text = "| a | b |\n| - | - |\n| c | :green_circle: |\n\n## Using: tcp\nwords\n| x | :red_circle: |\n"
    assert published_cells(text) == {}
    text = "## Using: tcp, noise, yamux\n\n| x | b |\n| - | - |\n| c | :green_circle: |\n\n| y | d |\n"
    assert published_cells(text) == {Case("c", "b", Stack("tcp", "noise", "yamux")): "green"}


def test_every_red_cell_of_the_readme_is_explained() -> None:
    cells = published_cells((ROOT / "README.md").read_text(encoding="utf-8"))
    findings = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert "green" in cells.values()
    unexplained = [case.name for case, colour in cells.items() if colour in ("red", "yellow")]
    assert [name for name in unexplained if f"`{name}`" not in findings] == []
