"""`update-readme`: each suite's dashboard goes to its own place in one file."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop_runs import outcomes
from runs import QUIC, attempt, merged_of

from ci.__main__ import main
from ci.errors import ExitCode
from ci.merged import Merged, write_merged
from ci.model import SUITES, Case, Outcome
from ci.report.markers import MARKERS, section
from ci.report.published import published_cells
from ci.report.readme import render

TRANSPORT = Case("a-v1", "a-v1", QUIC)
RUNS = {
    "transport": merged_of({TRANSPORT: [attempt(TRANSPORT)]}),
    "quic": outcomes({("c", "s", "retry"): Outcome.PASSED}),
    "webtransport": outcomes({("c", "s", "handshake"): Outcome.FAILED}, "webtransport"),
}


@pytest.fixture(autouse=True)
def nowhere_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_RUN_ID", raising=False)


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    pairs = "\n\n".join(f"{pair.start.decode()}\nold\n{pair.end.decode()}" for pair in MARKERS.values())
    path.write_text(f"# Title\n\n{pairs}\n\nend\n", encoding="utf-8")
    return path


def update(readme: Path, merged: Merged, *words: str) -> int:
    path = readme.with_name(f"{merged.suite}.json")
    write_merged(path, merged)
    return main(["update-readme", str(path), "--readme", str(readme), *words])


def test_every_suite_has_its_own_place(readme: Path) -> None:
    for merged in RUNS.values():
        assert update(readme, merged, "--check") == ExitCode.FAILED
        assert update(readme, merged) == ExitCode.GREEN
        assert update(readme, merged, "--check") == ExitCode.GREEN
    text = readme.read_text(encoding="utf-8")
    for suite in SUITES:
        assert section(text, suite) == render(RUNS[suite])
        assert published_cells(text, suite).keys() == {case.case for case in RUNS[suite].cases}
    assert text.startswith("# Title\n\n")
    assert text.endswith("\n\nend\n")


def test_one_suite_changes_nothing_of_another(readme: Path) -> None:
    before = readme.read_text(encoding="utf-8")
    update(readme, RUNS["quic"], "--suite", "quic")
    after = readme.read_text(encoding="utf-8")
    assert after == before.replace(
        "<!--QUIC_DASHBOARD_START-->\nold\n", f"<!--QUIC_DASHBOARD_START-->\n{render(RUNS['quic'])}"
    )


def test_results_of_another_suite_are_refused(readme: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = readme.read_bytes()
    assert update(readme, RUNS["quic"], "--suite", "webtransport") == ExitCode.CONFIGURATION
    assert "holds results of the suite quic, not webtransport" in capsys.readouterr().out
    assert readme.read_bytes() == before


def test_the_symbols_link_to_the_run_in_ci(readme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "a/b"),
        ("GITHUB_RUN_ID", "7"),
    ):
        monkeypatch.setenv(name, value)
    assert update(readme, RUNS["quic"]) == ExitCode.GREEN
    assert "https://github.com/a/b/actions/runs/7)" in section(readme.read_text(encoding="utf-8"), "quic")
