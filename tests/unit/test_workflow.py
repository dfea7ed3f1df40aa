"""What the workflows hand from job to job, also when some of their jobs are run again, and what each may do."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ATTEMPT = "${{ github.run_attempt }}"


def read(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    found: dict[str, Any] = read(ROOT / ".github/workflows/interop.yml")["jobs"]
    return found


def steps(jobs: dict[str, Any], action: str) -> list[tuple[str, dict[str, Any]]]:
    """Every use of an action: the job, and what it is given."""
    return [
        (name, step["with"])
        for name, job in jobs.items()
        for step in job["steps"]
        if step.get("uses", "").startswith(f"actions/{action}@")
    ]


def given(jobs: dict[str, Any], action: str, job: str) -> dict[str, Any]:
    [found] = [it for name, it in steps(jobs, action) if name == job]
    return found


def test_artifacts_of_two_attempts_are_never_unpacked_into_one_folder(jobs: dict[str, Any]) -> None:
    merged = [it["pattern"] for _, it in steps(jobs, "download-artifact") if it.get("merge-multiple")]
    uploads = [it for _, it in steps(jobs, "upload-artifact") for pattern in merged if fnmatchcase(it["name"], pattern)]
    assert uploads
    for upload in uploads:
        assert ATTEMPT not in upload["name"]
        assert upload["overwrite"] is True


def test_results_of_every_attempt_and_shard_are_kept_apart(jobs: dict[str, Any]) -> None:
    results, fetched = given(jobs, "upload-artifact", "run"), given(jobs, "download-artifact", "merge")
    assert ATTEMPT in results["name"]
    assert "${{ matrix.name }}" in results["name"]
    # A shard's name begins with that of its suite.
    name = results["name"].replace("${{ matrix.name }}", "quic-3-of-8")
    assert fnmatchcase(name, fetched["pattern"].replace("${{ matrix.suite }}", "quic"))
    assert not fnmatchcase(name, fetched["pattern"].replace("${{ matrix.suite }}", "transport"))
    assert "merge-multiple" not in fetched


def test_a_run_whose_images_are_all_in_a_cache_has_no_build_and_goes_on(jobs: dict[str, Any]) -> None:
    assert jobs["build"]["if"] == "${{ needs.plan.outputs.images != '[]' }}"
    assert jobs["run"]["if"] == "${{ !cancelled() && needs.plan.result == 'success' }}"
    fetch = next(it for it in jobs["run"]["steps"] if it.get("uses", "").startswith("actions/download-artifact@"))
    assert fetch["if"] == "${{ needs.build.result != 'skipped' }}"


def test_jobs_behind_one_that_may_be_skipped_say_themselves_when_they_run(jobs: dict[str, Any]) -> None:
    """GitHub skips whatever comes after a skipped job, at any distance, unless it asks for more than success."""
    behind = {"build"}
    while more := {name for name, job in jobs.items() if behind & {*_list(job.get("needs", []))}} - behind:
        behind |= more
    assert behind == {"build", "keep-images", "run", "merge", "publish"}
    for name in behind - {"build"}:
        assert "!cancelled()" in jobs[name]["if"]


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_only_what_the_last_merge_wrote_is_published(jobs: dict[str, Any]) -> None:
    report, fetched = given(jobs, "upload-artifact", "merge"), given(jobs, "download-artifact", "publish")
    assert fetched["name"] == report["name"]
    assert report["overwrite"] is True
    assert "merge" in jobs["publish"]["needs"]
    assert "github.event_name != 'pull_request'" in jobs["publish"]["if"]


def test_only_jobs_of_the_default_branch_may_write(jobs: dict[str, Any]) -> None:
    writing = {name for name, job in jobs.items() if "write" in job["permissions"].values()}
    assert writing == {"keep-images", "publish"}
    for name in writing:
        assert "github.ref_name == github.event.repository.default_branch" in jobs[name]["if"]
    for name, job in jobs.items():
        assert name in writing or "secrets." not in str(job)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda it: it.name)
def test_every_workflow_is_careful(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 120
        assert "permissions" in job
        for step in job["steps"]:
            # What somebody else can choose reaches a shell as a variable and never as a part of the script.
            assert "${{" not in step.get("run", "")
            if "uses" in step:
                assert re.fullmatch(r"[a-z-]+/[a-z-]+@[0-9a-f]{40}|\./.*", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_what_a_stranger_has_made_is_never_run_where_something_may_be_written() -> None:
    report = read(ROOT / ".github/workflows/report.yml")
    assert report[True]["workflow_run"] == {"workflows": ["interop"], "types": ["completed"]}
    [checkout] = [it for _, it in steps(report["jobs"], "checkout")]
    assert checkout == {"persist-credentials": False}
    [fetched] = [it for _, it in steps(report["jobs"], "download-artifact")]
    assert fetched["path"] == "downloaded"
    runs = [step["run"] for step in report["jobs"]["report"]["steps"] if "run" in step]
    assert len(runs) == 2
    assert runs[1].startswith("nox -s report-pull-request -- downloaded")
