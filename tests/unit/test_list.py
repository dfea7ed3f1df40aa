"""`list` as it is typed, and as the workflow types it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from checkouts import ROOT, Checkout, make_checkout

from ci.errors import ExitCode

WORKFLOW = ROOT / ".github/workflows/interop.yml"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path, {"a-v1": "nobody/a:v1", "b-v1": "nobody/b:v1"}, str)


def test_what_is_selected_is_listed_and_all_is_counted(checkout: Checkout) -> None:
    code, said = checkout.run("list", "--select", "dialer:a-v1 and listener:b-v1")

    case, count, plan, *_ = said.splitlines()
    assert code == ExitCode.GREEN
    assert case.endswith(" s  a-v1 x b-v1 (tcp, noise, yamux)")
    assert count.startswith("1 of 4 cases selected, ")
    assert count.endswith("; --why lists the other 3 too")
    assert plan.startswith("plan sha256:")


def test_why_lists_what_is_left_out_and_what_decided(checkout: Checkout) -> None:
    _, said = checkout.run("list", "--why", "--ignore", "dialer:a-v1")

    cases = said.splitlines()[:4]
    assert [line.split()[0] for line in cases] == ["ignored", "ignored", "selected", "selected"]
    assert cases[0].endswith("a-v1 x a-v1 (tcp, noise, yamux)  (--ignore dialer:a-v1)")
    assert cases[2].endswith("b-v1 x a-v1 (tcp, noise, yamux)  (everything is selected)")
    assert "--why lists" not in said


@pytest.mark.parametrize("flag", ["--select", "--ignore"])
def test_an_empty_selection_is_refused(checkout: Checkout, flag: str) -> None:
    code, said = checkout.run("list", flag, "")

    assert code == ExitCode.CONFIGURATION
    assert "an empty selection means nothing" in said


def selecting_steps() -> list[str]:
    jobs = yaml.safe_load(WORKFLOW.read_text())["jobs"].values()
    return [step["run"] for job in jobs for step in job["steps"] if "SELECT" in step.get("run", "")]


@pytest.mark.parametrize("step", selecting_steps())
@pytest.mark.parametrize("select", ["", "go and not 'x'"])
@pytest.mark.parametrize("quick", ["", "yes"])
def test_the_workflow_leaves_the_flag_of_an_empty_input_out(step: str, select: str, quick: str) -> None:
    words = subprocess.run(
        ["bash", "-c", f"nox() {{ printf '%s\\n' \"$@\"; }}; {step}"],
        env={"SELECT": select, "IGNORE": "", "SUITE": "quic", "SUITES": "quic", "SHARD": "1/8", "QUICK": quick},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()

    assert not {"--ignore", "--shards", "--reuse", ""} & set(words)
    assert words[words.index("--plan-ci" if "--plan-ci" in words else "--suite") + 1] == "quic"
    assert ("--select" in words) == bool(select)
    assert ("--quick" in words) == bool(quick)
    if select:
        assert words[words.index("--select") + 1] == select
