"""What the workflow hands from job to job, also when some of its jobs are run again."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ATTEMPT = "${{ github.run_attempt }}"


@pytest.fixture(scope="module")
def jobs() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/interop.yml").read_text(encoding="utf-8"))["jobs"]
    return found


def steps(jobs: dict[str, Any], action: str) -> list[tuple[str, dict[str, Any]]]:
    """Every use of an action: the job, and what it is given."""
    return [
        (name, step["with"])
        for name, job in jobs.items()
        for step in job["steps"]
        if step.get("uses", "").startswith(f"actions/{action}@")
    ]


def test_artifacts_of_two_attempts_are_never_unpacked_into_one_folder(jobs: dict[str, Any]) -> None:
    merged = [it["pattern"] for _, it in steps(jobs, "download-artifact") if it.get("merge-multiple")]
    uploads = [it for _, it in steps(jobs, "upload-artifact") for pattern in merged if fnmatchcase(it["name"], pattern)]
    assert uploads
    for upload in uploads:
        assert ATTEMPT not in upload["name"]
        assert upload["overwrite"] is True


def test_results_of_every_attempt_are_kept_apart(jobs: dict[str, Any]) -> None:
    [results] = [it for job, it in steps(jobs, "upload-artifact") if job == "run"]
    assert ATTEMPT in results["name"]
    [fetched] = [it for job, it in steps(jobs, "download-artifact") if job == "merge"]
    assert fnmatchcase(results["name"], fetched["pattern"])
    assert "merge-multiple" not in fetched


def test_only_what_the_last_merge_wrote_is_published(jobs: dict[str, Any]) -> None:
    [_report, merged] = [it for job, it in steps(jobs, "upload-artifact") if job == "merge"]
    assert jobs["merge"]["outputs"] == {"merged": merged["name"]}
    [fetched] = [it for job, it in steps(jobs, "download-artifact") if job == "update-readme"]
    assert fetched["name"] == "${{ needs.merge.outputs.merged }}"
    assert jobs["update-readme"]["needs"] == "merge"
    assert "always()" not in jobs["update-readme"]["if"]
    assert "cancelled()" not in jobs["update-readme"]["if"]
