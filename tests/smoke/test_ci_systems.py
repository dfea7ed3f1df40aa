"""What CI systems and clusters do, step by step: the commands of their files, in their order, on a real engine."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from checkouts import ROOT, Checkout, assert_nothing_is_left, make_checkout, own_run

from ci.engines.docker.daemon import Daemon
from ci.errors import ExitCode

RUN = own_run("systems")

pytestmark = pytest.mark.parametrize("engine_name", ["docker"], indirect=True, scope="session")


@pytest.fixture
def checkout(tmp_path: Path, peer_image: Any) -> Checkout:
    return make_checkout(tmp_path, {"a-v1": "good", "b-v1": "good", "c-v1": "exit-3"}, peer_image)


@pytest.fixture(autouse=True)
def _nothing_of_the_commands_is_left(daemon: Daemon) -> Iterator[None]:
    yield
    assert_nothing_is_left(daemon, RUN, f"{RUN}-transport")


def play(checkout: Checkout, line: str, variables: Mapping[str, str]) -> tuple[int, str]:
    """A line of a script as a shell would read it, our command in the place of `nox -s`."""
    shell = f"nox() {{ shift; printf '%s\\n' \"$@\"; }}; {re.sub(r'^[.]venv/bin/nox', 'nox', line)}"
    words = subprocess.run(
        ["bash", "-c", shell], env=dict(variables), capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return checkout.run(*(it for it in words if it != "--"), **variables)


def test_gitlab(checkout: Checkout) -> None:
    pipeline = yaml.safe_load((ROOT / "docs/ci/gitlab.yml").read_text())
    variables = {"SUITE": "transport", "INTEROP_RUN": RUN}
    said = ""
    for job, count in (("build", 1), ("run", 2), ("merge", 1)):
        for index in range(1, count + 1):
            own = {"CI_NODE_INDEX": str(index), "CI_NODE_TOTAL": str(count)} if job == "run" else {}
            for line in pipeline[job]["script"]:
                if line.startswith(".venv/bin/nox"):
                    code, said = play(checkout, line.partition(" ||")[0], {**variables, **own})
                    assert code == ExitCode.GREEN, said
    assert (checkout.folder / "junit.xml").is_file()
    assert (checkout.folder / "site/index.html").is_file()
    assert len(checkout.attempts(RUN, "1-of-2")) + len(checkout.attempts(RUN, "2-of-2")) >= 9
    assert pipeline["run"]["parallel"] > 1
    assert "results/" in pipeline["run"]["artifacts"]["paths"]


def test_kubernetes(checkout: Checkout, tmp_path: Path) -> None:
    run, merge = yaml.safe_load_all((ROOT / "docs/ci/kubernetes.yaml").read_text())
    [shard] = run["spec"]["template"]["spec"]["containers"]
    given = {it["name"]: it["value"] for it in shard["env"]}
    assert int(given["COMPLETIONS"]) == run["spec"]["completions"] == run["spec"]["parallelism"]
    assert run["spec"]["completionMode"] == "Indexed"

    def command(container: Mapping[str, Any]) -> str:
        words = [word.replace("/results", str(tmp_path / "volume")) for word in container["command"]]
        return shlex.join(word.replace("nightly", RUN) for word in words)

    for index in range(2):
        own = {"JOB_COMPLETION_INDEX": str(index), "COMPLETIONS": "2", "INTEROP_RUN": RUN}
        code, said = play(checkout, command(shard), own)
        assert code == ExitCode.GREEN, said
    [merging] = merge["spec"]["template"]["spec"]["containers"]
    code, said = play(checkout, command(merging), {})
    assert code == ExitCode.GREEN, said
    assert (tmp_path / "volume" / RUN / "merged.json").is_file()


def test_a_shard_that_is_lost_and_run_again(checkout: Checkout, tmp_path: Path) -> None:
    """As the workflow does it: *re-run failed jobs* runs the lost shard, the merge and what comes after."""
    steps = [
        step.get("run", "")
        for job in yaml.safe_load((ROOT / ".github/workflows/interop.yml").read_text())["jobs"].values()
        for step in job["steps"]
    ]
    run = next(it for it in steps if it.startswith("nox -s run-shard"))
    merge = next(it for it in steps if it.startswith("nox -s merge-results"))
    publish = next(it for it in steps if it.startswith("nox -s update-readme"))
    variables = {"SUITE": "transport", "INTEROP_RUN": f"{RUN}-transport", "BRANCH": "main"}
    remote = tmp_path / "remote.git"
    for words in (
        ["init", "-q", "--bare", "-b", "main", str(remote)],
        ["init", "-q", "-b", "main"],
        ["remote", "add", "origin", str(remote)],
        ["add", "versions.yaml", "README.md"],
        ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "-m", "first"],
        ["push", "-q", "origin", "main"],
    ):
        subprocess.run(["git", *words], cwd=checkout.folder, check=True)

    def shard(number: int, attempt: int) -> None:
        own = {"SHARD": f"{number}/3", "GITHUB_RUN_ATTEMPT": str(attempt)}
        code, said = play(checkout, run, variables | own)
        assert code == ExitCode.GREEN, said
        artifact = checkout.folder / f"downloaded/results-transport-{number}-of-3-attempt-{attempt}"
        shutil.move(checkout.folder / "results", artifact)

    def merged(attempt: int) -> tuple[int, str]:
        return play(checkout, merge, variables | {"GITHUB_RUN_ATTEMPT": str(attempt)})

    def published() -> tuple[int, str]:
        (checkout.folder / "site").mkdir(exist_ok=True)
        shutil.copy(checkout.folder / f"results/{RUN}-transport/merged.json", checkout.folder / "site/merged.json")
        return play(checkout, publish, variables)

    shard(1, 1)
    shard(3, 1)
    code, said = merged(1)
    assert code == ExitCode.INCOMPLETE
    assert "shard 2/3" in said or "2/3" in said
    code, said = published()
    assert code == ExitCode.INCOMPLETE
    assert "is not published" in said

    shard(2, 2)
    code, said = merged(2)
    assert code == ExitCode.GREEN, said
    code, said = published()
    assert code == ExitCode.GREEN, said
    assert "pushed" in said
    code, said = published()
    assert code == ExitCode.GREEN
    assert "main is up to date" in said
