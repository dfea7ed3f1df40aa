"""The run begun last is what the commands after it take."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import QUIC, attempt, merged_of

from ci.__main__ import main
from ci.commands.latest import latest_run, mark_latest
from ci.errors import ExitCode
from ci.reports.markers import Pair
from ci.results.merged_file import write_merged

PAIR = Pair("INTEROP")


def test_the_last_one_counts(tmp_path: Path) -> None:
    assert latest_run(tmp_path) is None
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        mark_latest(tmp_path, name)
        assert latest_run(tmp_path) == name
    assert sorted(it.name for it in tmp_path.iterdir()) == ["first", "latest", "second"]
    assert (tmp_path / "latest").resolve() == (tmp_path / "second").resolve()
    (tmp_path / "second").rmdir()
    assert latest_run(tmp_path) is None


def test_what_somebody_calls_so_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "latest").mkdir()
    (tmp_path / "latest" / "kept").touch()
    mark_latest(tmp_path, "other")
    assert latest_run(tmp_path) is None
    assert (tmp_path / "latest" / "kept").exists()
    mark_latest(tmp_path, "latest")
    assert not (tmp_path / "latest").is_symlink()


def test_a_folder_that_cannot_be_written_costs_only_the_default(tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    mark_latest(tmp_path / "results", "x")
    assert latest_run(tmp_path / "results") is None


def test_update_readme_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("INTEROP_RUN", "GITHUB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("INTEROP_NOX", ".venv/bin/nox")
    monkeypatch.chdir(tmp_path)
    readme = Path("README.md")
    readme.write_text(f"{PAIR.start.decode()}\n{PAIR.end.decode()}\n", encoding="utf-8")
    for name in ("old", "new"):
        one = QUIC.case(f"{name}-v1", f"{name}-v1")
        write_merged(Path("results") / name / "merged.json", merged_of({one: [attempt(one)]}))
        mark_latest(Path("results"), name)
    versions = Path(__file__).resolve().parents[2] / "versions.yaml"
    assert main(["update-readme", "--versions", str(versions), "--check"]) == ExitCode.FAILED
    assert "next: .venv/bin/nox -s update-readme" in capsys.readouterr().out
    assert main(["update-readme", "--versions", str(versions)]) == ExitCode.GREEN
    assert "results: results/new/merged.json" in capsys.readouterr().out
    assert "| new-v1 | :green_circle: |" in readme.read_text(encoding="utf-8")
    assert main(["update-readme", "--versions", str(versions), "--run", "old"]) == ExitCode.GREEN
    assert "| old-v1 | :green_circle: |" in readme.read_text(encoding="utf-8")
