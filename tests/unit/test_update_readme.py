"""`update-readme`: each suite's dashboard goes to its own place in one file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from interop_runs import outcomes
from runs import QUIC, attempt, merged_of

from ci.__main__ import main
from ci.errors import ExitCode
from ci.model import Outcome
from ci.reports.markers import Pair, section
from ci.results.merged import Merged, MergedShard, ShardState
from ci.results.merged_file import write_merged
from ci.suites.dashboards import published_cells, render
from ci.suites.registry import SUITES

TRANSPORT = QUIC.case("a-v1", "a-v1")
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
    pairs = "\n\n".join(
        f"{pair.start.decode()}\nold\n{pair.end.decode()}" for pair in (Pair(it.words.marker) for it in SUITES.values())
    )
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
        assert section(text, SUITES[suite].words.marker) == render(RUNS[suite])
        assert published_cells(text, SUITES[suite].words).keys() == {case.case for case in RUNS[suite].cases}
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
    assert "https://github.com/a/b/actions/runs/7)" in section(readme.read_text(encoding="utf-8"), "QUIC")


# --- a part of the matrix ---------------------------------------------------------------------------------

PART = {suite: dataclasses.replace(merged, unselected=700) for suite, merged in RUNS.items()}


@pytest.mark.parametrize("suite", SUITES)
def test_a_part_of_the_matrix_does_not_replace_the_whole(
    readme: Path, suite: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = readme.read_bytes()
    for words in ((), ("--check",), ("--push", "main")):
        assert update(readme, PART[suite], *words) == ExitCode.CONFIGURATION
        said = capsys.readouterr().out
        assert "this run has 1 of 701 cases" in said
        assert "`--partial`" in said
    assert readme.read_bytes() == before


@pytest.mark.parametrize("suite", SUITES)
def test_a_part_goes_into_the_whole_when_asked_for(readme: Path, suite: str) -> None:
    assert update(readme, RUNS[suite]) == ExitCode.GREEN
    other = TRANSPORT if suite == "transport" else RUNS[suite].cases[0].case
    other = dataclasses.replace(other, second="new-v1")
    later = dataclasses.replace(merged_of({other: [attempt(other)]}), suite=RUNS[suite].suite, unselected=1)
    assert update(readme, later, "--partial", "--check") == ExitCode.FAILED
    assert update(readme, later, "--partial") == ExitCode.GREEN
    assert update(readme, later, "--partial", "--check") == ExitCode.GREEN
    cells = published_cells(readme.read_text(encoding="utf-8"), RUNS[suite].suite)
    assert {it.case for it in (*RUNS[suite].cases, *later.cases)} <= cells.keys()


def test_results_that_do_not_say_whether_they_are_whole_are_refused(
    readme: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = readme.with_name("merged.json")
    write_merged(path, RUNS["quic"])
    document = json.loads(path.read_text(encoding="utf-8"))
    del document["unselected"]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert main(["update-readme", str(path), "--readme", str(readme)]) == ExitCode.CONFIGURATION
    assert "merge the shards again" in capsys.readouterr().out


def test_interop_refuses_to_write_a_part_before_anything_runs(
    tmp_path: Path, readme: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = readme.read_bytes()
    checkout = Path(__file__).resolve().parents[2]
    monkeypatch.chdir(tmp_path)
    words = ["--versions", str(checkout / "versions.yaml"), "--engine", "local", "--all", "--select", "py"]
    assert main(["interop", *words, "--write", "--readme", str(readme)]) == ExitCode.CONFIGURATION
    assert "its dashboard in place of the published one would drop all others" in capsys.readouterr().out
    assert readme.read_bytes() == before
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("states", "code", "reason"),
    [
        ({"1/2": ShardState.COMPLETE, "2/2": ShardState.MISSING}, ExitCode.INCOMPLETE, "2/2 did not report all"),
        ({"1/1": ShardState.TRUNCATED}, ExitCode.INCOMPLETE, "1/1 did not report all"),
        ({}, ExitCode.INCOMPLETE, "every shard did not report all"),
        ({"1/1": ShardState.COMPLETE}, ExitCode.CONFIGURATION, "another plan than the whole matrix of this checkout"),
    ],
)
def test_what_is_unfinished_or_of_another_plan_is_not_pushed(
    states: dict[str, ShardState],
    code: ExitCode,
    reason: str,
    readme: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    shards = tuple(MergedShard(shard=shard, state=state) for shard, state in states.items())
    assert update(readme, dataclasses.replace(RUNS["transport"], shards=shards), "--push", "no-such-branch") == code
    assert reason in capsys.readouterr().out
