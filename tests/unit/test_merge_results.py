"""`merge-results`: which plan the shards are held against, and what is said of evidence that was changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import attempt, plan_of, start, write_shard

from ci.__main__ import command_line, main
from ci.commands.workspace import Workspace
from ci.results.merged_file import read_merged
from ci.results.plan_file import Plan
from ci.runner.evidence_folder import EvidenceFolder, case_folder
from ci.suites.registry import known_suites

ROOT = Path(__file__).resolve().parents[2]
SELECT = "py-v0.8 and quic-v1"


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("INTEROP_RUN", raising=False)


def plan_for(*words: str) -> Plan:
    return Workspace.from_arguments(command_line(["list"]).parse_args(["list", *words])).plan


def shards_of(plan: Plan, root: Path, count: int = 2) -> list[str]:
    """All cases of the plan green, in so many shards, as `run-shard` writes them."""
    folders = []
    for index in range(1, count + 1):
        begin = start(f"{index}/{count}", plan=plan.digest)
        cases = [one.case for one in plan.selected][index - 1 :: count]
        folder = write_shard(root / f"shard-{index}-of-{count}", [attempt(case) for case in cases], begin=begin)
        (folder / "plan.json").write_text(plan.to_json(), encoding="utf-8")
        folders.append(str(folder))
    return folders


@pytest.mark.parametrize("words", [["--select", SELECT], ["--suite", "quic", "--select", "retry"]])
def test_a_selection_need_not_be_said_twice(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_for(*words)
    folders = shards_of(plan, tmp_path / "run")
    assert main(["merge-results", *folders, "--results", str(tmp_path)]) == 0
    assert f"plan: the shards' own, {plan.suite}, of {len(plan.selected)} cases" in capsys.readouterr().out
    merged = read_merged(tmp_path / "run" / "merged.json", known_suites())
    assert [case.name for case in merged.cases] == [one.case.name for one in plan.selected]

    # With it said the same comes out, and a shard that is missing is missed either way.
    assert main(["merge-results", *folders, "--results", str(tmp_path), "--run", "said", *words]) == 0
    assert read_merged(tmp_path / "said/merged.json", known_suites()) == merged
    assert main(["merge-results", folders[0], "--results", str(tmp_path)]) == 4
    assert "missing: 2/2" in capsys.readouterr().out


def test_the_whole_matrix_is_merged_by_the_checkouts_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = shards_of(plan_for(), tmp_path / "run", 1)
    assert main(["merge-results", *folders, "--results", str(tmp_path)]) == 0
    assert "the shards' own" not in capsys.readouterr().out


def test_copies_that_disagree_are_no_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = shards_of(plan_for("--select", SELECT), tmp_path / "one")
    other = shards_of(plan_for("--select", "py-v0.8 and tcp"), tmp_path / "other")
    assert main(["merge-results", one[0], other[1], "--results", str(tmp_path)]) == 2
    assert "reference: plan-mixture" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--select", "py-v0.8 and tcp"], ["--suite", "quic"]])
def test_what_is_said_must_be_what_was_run(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = shards_of(plan_for("--select", SELECT), tmp_path / "run")
    assert main(["merge-results", *folders, "--results", str(tmp_path), *words]) == 2
    told = capsys.readouterr().out
    assert "reference: plan-mixture" in told
    assert "with the selection they were run with or with none" in told


def test_a_run_of_a_stranger_cannot_name_a_folder_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of([], plan="sha256:../../outside")
    folders = [
        str(write_shard(tmp_path / f"{index}" / "run", [], begin=start(f"{index}/2", plan=plan["plan"]), plan=plan))
        for index in (1, 2)
    ]
    assert main(["merge-results", *folders, "--results", str(tmp_path / "results")]) == 2
    monkeypatch.setenv("INTEROP_RUN", "../outside")
    assert main(["merge-results", *folders, "--results", str(tmp_path / "results")]) == 2
    assert capsys.readouterr().out.count("reference: run-name") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2"]


def test_what_is_merged_lies_beside_its_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether the shards are given or what holds them; the commands after it are told where it is."""
    plan = plan_for("--select", SELECT)
    folders = shards_of(plan, tmp_path / "run")
    beside = tmp_path / "run" / "merged.json"
    for given in (folders, [str(tmp_path / "run")], [str(tmp_path)]):
        assert main(["merge-results", *given]) == 0
        told = capsys.readouterr().out.splitlines()
        assert told[-2:] == [f"merged: {beside}", f"next: nox -s update-readme -- {beside} --partial"]
        beside.unlink()
    monkeypatch.chdir(folders[0])
    assert main(["merge-results", ".", "--versions", str(ROOT / "versions.yaml")]) == 4
    assert f"merged: {beside}\n" in capsys.readouterr().out

    # As CI downloads them, each shard below a folder of its own: one folder given holds them all.
    monkeypatch.chdir(ROOT)
    for index in (1, 2):
        (tmp_path / "all" / str(index)).mkdir(parents=True)
        (tmp_path / "run" / f"shard-{index}-of-2").rename(tmp_path / "all" / str(index) / f"shard-{index}-of-2")
    assert main(["merge-results", str(tmp_path / "all")]) == 0
    assert f"merged: {tmp_path / 'all' / 'merged.json'}\n" in capsys.readouterr().out

    # Of what is given piece by piece no folder is the run's; nor where somebody names one.
    pieces = [str(tmp_path / "all" / index) for index in "12"]
    assert main(["merge-results", *pieces, "--results", str(tmp_path / "results")]) == 0
    assert (tmp_path / "results" / plan.digest.partition(":")[2][:12] / "merged.json").exists()
    monkeypatch.setenv("INTEROP_RUN", "4711")
    assert main(["merge-results", str(tmp_path / "all"), "--results", str(tmp_path / "results")]) == 0
    assert (tmp_path / "results" / "4711" / "merged.json").exists()


def test_evidence_that_is_not_what_was_kept_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = plan_for("--select", SELECT)
    case = plan.selected[0].case
    shard = tmp_path / "run"
    folder = EvidenceFolder(shard, case_folder(case), attempt=1)
    for name in ("whole.txt", "longer.txt", "other.txt", "absent.txt"):
        folder.write(name, b"12345", role="dialer", stream="stdout")
    tried = [attempt(one.case, evidence=folder.files if one.case is case else ()) for one in plan.selected]
    write_shard(shard, tried, begin=start(plan=plan.digest))
    (shard / "plan.json").write_text(plan.to_json(), encoding="utf-8")
    assert main(["merge-results", str(shard), "--results", str(tmp_path), "--run", "r"]) == 0
    assert "not what its record says" not in capsys.readouterr().out

    (folder.path / "longer.txt").write_bytes(b"123456")
    (folder.path / "other.txt").write_bytes(b"54321")
    (folder.path / "absent.txt").unlink()
    assert main(["merge-results", str(shard), "--results", str(tmp_path), "--run", "r"]) == 0
    named = [f"shard-1-of-1/{case_folder(case)}/{name}" for name in ("longer.txt", "other.txt")]
    assert "not what its record says; it was changed, or damaged on its way here:\n  " + "\n  ".join(named) in (
        capsys.readouterr().out
    )
    assert list(read_merged(tmp_path / "r/merged.json", known_suites()).altered) == named
