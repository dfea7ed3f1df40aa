"""What an addition costs: a suite, an engine, a cache and a format, each in one file and one line of a registry."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from ci.__main__ import main
from ci.engines.registry import ENGINES, EngineKind
from ci.errors import ExitCode
from ci.images.caches.registry import CACHES
from ci.model import Outcome
from ci.reports.registry import REPORTS
from ci.results.merged_file import read_merged
from ci.suites.dashboards import published_cells
from ci.suites.registry import SUITES, known_suites

TOYS = Path(__file__).resolve().parents[1] / "toys"
VERSIONS = """\
schema: 1
versions:
  - {id: polite-v1, family: polite, image: 'toys/polite:1', suites: [echo]}
  - {id: rude-v1, family: rude, image: 'toys/rude:1', suites: [echo]}
"""
ECHO = ("--suite", "echo")
ON_TOYS = (*ECHO, "--engine", "toy", "--cache", "toy:kept", "--run", "toys")


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of toys, and the four lines."""
    monkeypatch.syspath_prepend(str(TOYS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INTEROP_RUN", raising=False)
    monkeypatch.setitem(SUITES, "echo", importlib.import_module("toy_suite").ECHO)
    monkeypatch.setitem(ENGINES, "toy", EngineKind(opener="toy_engine:open_backend", called="threads"))
    monkeypatch.setitem(CACHES, "toy", "toy_cache:ToyCache")
    monkeypatch.setitem(REPORTS, "toy", "toy_report:TOY")
    (tmp_path / "versions.yaml").write_text(VERSIONS)
    (tmp_path / "README.md").write_text("# Toys\n\n<!--ECHO_DASHBOARD_START-->\n<!--ECHO_DASHBOARD_END-->\n")
    return tmp_path


def test_the_pipeline_runs_with_them(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build-images", *ECHO, "--engine", "toy", "--cache", "toy:kept"]) == ExitCode.GREEN
    assert {path.name for path in (checkout / "kept").iterdir()} == {"toys_polite:1", "toys_rude:1"}
    for shard in ("1/2", "2/2"):
        assert main(["run-shard", shard, *ON_TOYS, "--accept-red"]) == ExitCode.GREEN
    assert main(["merge-results", *ECHO, "--run", "toys", "--accept-red"]) == ExitCode.GREEN
    assert main(["update-readme", *ECHO, "--run", "toys"]) == ExitCode.GREEN
    assert main(["export-results", *ECHO, "--run", "toys", "--format", "toy"]) == ExitCode.GREEN

    said = capsys.readouterr().out
    assert "engine: toys, as asked for" in said
    assert "the caller said something else" in said
    assert (checkout / "results" / "toys" / "toy.txt").read_text() == "echo: 4 of 8\n"
    merged = read_merged(checkout / "results" / "toys" / "merged.json", known_suites())
    passed = {case.case for case in merged.cases if case.result.outcome is Outcome.PASSED}
    assert {case.name for case in passed} == {
        f"polite-v1 x {other} ({word})" for other in ("polite-v1", "rude-v1") for word in ("hello", "bye")
    }
    cells = published_cells((checkout / "README.md").read_text(), SUITES["echo"].words)
    assert {case for case, colour in cells.items() if colour == "green"} == passed


def test_whoever_asks_for_cases_knows_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", *ECHO, "--select", "caller:polite and word:hello", "--json"]) == ExitCode.GREEN
    document = json.loads(capsys.readouterr().out)
    assert document["suite"] == "echo"
    case = next(it for it in document["cases"] if it["selected"])
    assert (case["caller"], case["callee"], case["word"]) == ("polite-v1", "polite-v1", "hello")

    words = ["repro", "rude-v1 x polite-v1 (bye)", *ECHO, "--engine", "toy"]
    assert main(words) == ExitCode.FAILED
    said = capsys.readouterr().out
    assert "caller" in said
    assert "echo bye" in said

    assert main(["repro", "polite-v1 x polite-v1 (helo)", *ECHO, "--engine", "toy"]) == ExitCode.CONFIGURATION
    assert "`helo` is no word of echo: did you mean `hello`?" in capsys.readouterr().out


def test_a_whole_run_in_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["interop", *ECHO, "--engine", "toy", "--select", "callee:polite-v1"]
    assert main(words) == ExitCode.FAILED
    said = capsys.readouterr().out
    assert "* polite-v1 x polite-v1 (hello): green" in said
    assert "2 passed; 2 red, both unexpected" in said
