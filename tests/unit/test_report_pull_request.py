"""What a pull request's run has made, said beside it; and what is refused of what it may have forged."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from checkouts import Checkout, make_checkout
from github_api import Api, github_api
from runs import attempt, merged_of

from ci.commands.workspace import Workspace
from ci.errors import ExitCode
from ci.model import Outcome
from ci.results.merged import Merged
from ci.results.merged_file import write_merged

COMMIT = "1" * 40
TOKEN = "t0ken"  # noqa: S105 -- of nobody


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Api]:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"workflow_run": {"head_sha": COMMIT, "event": "pull_request"}}))
    with github_api(TOKEN) as it:
        it.pulls = {7: COMMIT, 8: "2" * 40}
        for name, value in {
            "GITHUB_API_URL": it.url,
            "GITHUB_REPOSITORY": "owner/name",
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
            "no_proxy": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        yield it


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    (tmp_path / "checkout").mkdir()
    made = make_checkout(tmp_path / "checkout", {"a-v1": "nobody/a:v1", "b-v1": "nobody/b:v1"}, str)
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def plan(checkout: Checkout) -> Merged:
    """A run of the checkout's whole plan in which everything passed."""
    plan = Workspace.at(checkout.folder / "versions.yaml").plan
    merged = merged_of({one.case: [attempt(one.case)] for one in plan.selected})
    return dataclasses.replace(merged, plan=plan.digest)


def red(merged: Merged, *names: str) -> Merged:
    """The same run, in which these cases failed."""
    again = merged_of(
        {it.case: [attempt(it.case, Outcome.FAILED if it.name in names else Outcome.PASSED)] for it in merged.cases}
    )
    return dataclasses.replace(again, plan=merged.plan)


def submit(folder: Path, merged: Merged, name: str = "report-transport") -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    write_merged(folder / name / "merged.json", merged)
    return folder / name / "merged.json"


def test_a_sound_run_is_a_green_check_and_one_comment_however_often_it_runs(
    api: Api, checkout: Checkout, plan: Merged, tmp_path: Path
) -> None:
    submit(tmp_path / "downloaded", plan)
    api.comments[7] = [
        {"id": 1, "user": {"type": "User"}, "body": "<!-- interop-matrix: transport -->\nsomebody else's"},
        *({"id": 2 + n, "user": {"type": "User"}, "body": "hello"} for n in range(150)),
    ]
    for _ in range(2):
        code, said = checkout.run("report-pull-request", str(tmp_path / "downloaded"))
        assert code == ExitCode.GREEN, said
    assert [it["conclusion"] for it in api.checks] == ["success", "success"]
    assert all(it["head_sha"] == COMMIT and it["name"] == "interop: transport" for it in api.checks)
    ours = [it for it in api.comments[7] if it["user"]["type"] == "Bot"]
    assert len(ours) == 1
    assert ours[0]["body"].startswith("<!-- interop-matrix: transport -->\n### transport interoperability")
    assert api.comments[7][0]["body"].endswith("somebody else's")
    assert 8 not in api.comments
    assert TOKEN not in said
    assert "4 passed" in (tmp_path / "summary.md").read_text()


def test_what_is_newly_red_comes_first_and_fails(api: Api, checkout: Checkout, plan: Merged, tmp_path: Path) -> None:
    known, broken = "a-v1 x a-v1 (tcp, noise, yamux)", "b-v1 x a-v1 (tcp, noise, yamux)"
    write_merged(tmp_path / "base.json", red(plan, known))
    api.pages["/pages/transport/merged.json"] = (tmp_path / "base.json").read_bytes()
    words = ("report-pull-request", str(tmp_path / "downloaded"), "--baseline", f"{api.url}/pages")

    submit(tmp_path / "downloaded", red(plan, known))
    assert checkout.run(*words)[0] == ExitCode.GREEN

    submit(tmp_path / "downloaded", red(plan, known, broken))
    assert checkout.run(*words)[0] == ExitCode.GREEN  # the check says it
    check = api.checks[-1]
    assert (check["conclusion"], check["output"]["title"]) == ("failure", "1 case newly failing")
    [comment] = api.comments[7]
    assert comment["body"].index("newly failing") < comment["body"].index(broken) < comment["body"].index("####")


def large(file: Path, _: Merged) -> None:
    with file.open("wb") as target:
        target.truncate((64 << 20) + 1)


def no_results(file: Path, _: Merged) -> None:
    file.write_text('{"schema": 1, "suite": "transport", "cases": "all of them"}')


def a_link(file: Path, _: Merged) -> None:
    file.unlink()
    file.symlink_to("/etc/passwd")


def fewer_cases(file: Path, plan: Merged) -> None:
    write_merged(file, dataclasses.replace(plan, cases=plan.cases[1:]))


def a_case_twice(file: Path, plan: Merged) -> None:
    write_merged(file, dataclasses.replace(plan, cases=(*plan.cases, plan.cases[0])))


def of_another_suite(file: Path, _: Merged) -> None:
    document: dict[str, Any] = json.loads(file.read_text())
    file.write_text(json.dumps(document | {"suite": "quic"}))


def a_pipe(file: Path, _: Merged) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("forge", "why"),
    [
        (large, "larger than 64 MiB"),
        (no_results, "merged.json"),
        (a_link, "a link where a file should be"),
        (fewer_cases, "has other cases than that"),
        (a_case_twice, "twice"),
        (of_another_suite, "report-transport"),
        (a_pipe, "a pipe, not a file"),
    ],
)
def test_a_forged_artifact_is_refused_by_name_and_costs_the_others_nothing(
    api: Api, checkout: Checkout, plan: Merged, tmp_path: Path, forge: Callable[[Path, Merged], None], why: str
) -> None:
    forge(submit(tmp_path / "downloaded", plan), plan)
    code, said = checkout.run("report-pull-request", str(tmp_path / "downloaded"))
    assert code == ExitCode.FAILED
    assert "report-transport is refused" in said
    assert why in said
    [check] = api.checks
    assert check["conclusion"] == "failure"
    assert api.comments == {}
    assert "Traceback" not in said


@pytest.mark.parametrize("name", ["report-evil", "report-../x", "results-transport", "report-"])
def test_an_artifact_of_another_name_is_none_of_ours(
    api: Api, checkout: Checkout, plan: Merged, tmp_path: Path, name: str
) -> None:
    (tmp_path / "downloaded").mkdir()
    submit(tmp_path / "downloaded", plan, name.replace("/", "_"))
    _, said = checkout.run("report-pull-request", str(tmp_path / "downloaded"))
    assert [it["conclusion"] for it in api.checks] == ["failure" if name == "report-evil" else "neutral"]
    assert ("there is no suite `evil`" in said) == (name == "report-evil")


def test_another_plan_is_said_to_be_one(api: Api, checkout: Checkout, plan: Merged, tmp_path: Path) -> None:
    submit(tmp_path / "downloaded", dataclasses.replace(plan, plan="sha256:" + "b" * 64))
    assert checkout.run("report-pull-request", str(tmp_path / "downloaded"))[0] == ExitCode.GREEN
    assert "another plan than the branch has" in api.comments[7][0]["body"]


def test_a_commit_that_is_no_pull_requests_newest_gets_no_comment(
    api: Api, checkout: Checkout, plan: Merged, tmp_path: Path
) -> None:
    submit(tmp_path / "downloaded", plan)
    api.pulls = {7: "3" * 40}
    code, said = checkout.run("report-pull-request", str(tmp_path / "downloaded"))
    assert code == ExitCode.GREEN
    assert "nothing to comment on" in said
    assert api.comments == {}
    assert len(api.checks) == 1


def test_a_token_that_may_not_is_said_without_it(api: Api, checkout: Checkout, plan: Merged, tmp_path: Path) -> None:
    submit(tmp_path / "downloaded", plan)
    api.refuses = "check-runs"
    code, said = checkout.run("report-pull-request", str(tmp_path / "downloaded"))
    assert code == ExitCode.CONFIGURATION
    assert "GitHub does not do POST /check-runs: 403" in said
    assert TOKEN not in said


def test_outside_of_such_a_workflow_it_says_what_it_is_for(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
    code, said = checkout.run("report-pull-request", "nowhere")
    assert code == ExitCode.CONFIGURATION
    assert "GITHUB_EVENT_PATH names no event" in said
