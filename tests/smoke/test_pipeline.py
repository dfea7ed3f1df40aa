"""The pipeline as its users start it, on a real engine, with fake peers for implementations.

`python -m ci …` in a folder that is a checkout of nothing but a versions.yaml and a README.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from checkouts import ROOT, Checkout, assert_nothing_is_left, make_checkout, own_run

from ci.engines.docker.daemon import LABEL, Daemon
from ci.errors import ExitCode

RUN = own_run("pipeline")

# What is played here are images.
pytestmark = pytest.mark.parametrize("engine_name", ["docker"], indirect=True, scope="session")


@pytest.fixture
def checkout(tmp_path: Path, peer_image: Any) -> Callable[[Mapping[str, str]], Checkout]:
    """`checkout({"a": "good"})`: a checkout whose versions behave so; an image named `…/…` is not made here."""
    return lambda behaviours: make_checkout(tmp_path, behaviours, peer_image)


@pytest.fixture(autouse=True)
def _nothing_of_the_commands_is_left(daemon: Daemon) -> Iterator[None]:
    yield
    assert_nothing_is_left(daemon, RUN, f"{RUN}-2")


def test_from_plan_to_readme(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    it = checkout({"a-v1": "good", "b-v1": "good", "c-v1": "exit-3"})

    code, listed = it.run("list", "--json")
    plan = json.loads(listed)
    assert (code, len(plan["cases"])) == (0, 9)

    codes = {it.run("run-shard", f"{n}/2", "--run", RUN, "--retries", "0")[0] for n in (1, 2)}
    assert codes <= {ExitCode.GREEN, ExitCode.FAILED}
    both = [*it.attempts(RUN, "1-of-2"), *it.attempts(RUN, "2-of-2")]
    assert sorted(record["case"] for record in both) == sorted(case["name"] for case in plan["cases"])

    code, said = it.run("merge-results", "--run", RUN)
    assert code == ExitCode.FAILED
    assert "red: a-v1 x c-v1 (tcp, noise, yamux): the listener exited 3" in said
    merged = json.loads((it.folder / f"results/{RUN}/merged.json").read_text())
    assert (merged["counts"]["passed"], merged["counts"]["failed"]) == (4, 5)

    assert it.run("update-readme", "--run", RUN, "--check")[0] == ExitCode.FAILED
    assert it.run("update-readme", "--run", RUN)[0] == ExitCode.GREEN
    assert it.run("update-readme", "--run", RUN, "--check")[0] == ExitCode.GREEN
    readme = (it.folder / "README.md").read_text()
    assert readme.startswith("# Before\n\n<!--INTEROP_DASHBOARD_START-->\n")
    assert "## Using: tcp, noise, yamux" in readme
    assert "| a-v1 | :green_circle: | :green_circle: | :red_circle: |" in readme
    # Results fetched from elsewhere merge into a run's folder that nobody has made yet.
    assert it.run("merge-results", f"results/{RUN}", "--run", "elsewhere")[0] == ExitCode.FAILED
    elsewhere, here = (it.folder / "results" / run / "merged.json" for run in ("elsewhere", RUN))
    assert elsewhere.read_bytes() == here.read_bytes()
    # The dashboard holds later runs to what it says.
    assert it.run("merge-results", "--run", RUN, "--accept-red", "--no-worse-than", "README.md")[0] == 0


def test_what_a_run_left_open_is_run_again_and_merged_with_it(
    checkout: Callable[[Mapping[str, str]], Checkout],
) -> None:
    it = checkout({"a-v1": "good", "b-v1": "good", "c-v1": "exit-3"})
    run = it.folder / "fetched" / "artifact"
    it.run("run-shard", "1/2", "--run", RUN, "--retries", "0")
    it.run("run-shard", "2/2", "--run", RUN, "--retries", "0")
    shutil.copytree(it.folder / "results" / RUN, run)

    code, said = it.run("rerun", "fetched", "--engine", "docker")
    assert code == ExitCode.FAILED
    assert ": 5 cases again\n" in said
    merged = json.loads((it.folder / "fetched" / "merged.json").read_text())
    assert (merged["counts"]["passed"], merged["counts"]["failed"]) == (4, 5)
    red = [case for case in merged["cases"] if case["outcome"] == "failed"]
    for case in red:
        old, new = case["attempts"]
        assert (old["kind"], new["kind"], case["superseded"]) == ("first", "rerun", [0])
        assert new["supersedes"] == f"{RUN}/{case['key']}/1"
        assert {role: one["imageDigest"] for role, one in new["roles"].items()} == {
            role: one["imageDigest"] for role, one in old["roles"].items()
        }

    code, said = it.run("rerun", "fetched", "a-v1 x b-v1 (tcp, noise, yamux)", "--engine", "docker")
    assert code == ExitCode.OUTSTANDING
    assert "what was run again is as it should be, but 5 cases of the run still outstanding\n" in said


def test_a_rerun_in_which_an_image_is_not_there_is_merged_with_its_run(
    checkout: Callable[[Mapping[str, str]], Checkout],
) -> None:
    it = checkout({"a-v1": "good", "b-v1": "127.0.0.1:1/nobody/listens:v1"})
    assert it.run("run-shard", "1/1", "--run", RUN, "--retries", "0")[0] == ExitCode.GREEN

    for again in (1, 2):  # what an earlier one has left is merged, too
        it.run("rerun", f"results/{RUN}", "a-v1", "--engine", "docker")
        merged = json.loads((it.folder / f"results/{RUN}/merged.json").read_text())
        tries = {case["case"]: [(one["kind"], one["outcome"]) for one in case["attempts"]] for case in merged["cases"]}
        first, *others, never = tries.values()
        assert first == [("first", "passed"), *[("rerun", "passed")] * again]
        assert others == [[("first", "not-run"), *[("rerun", "not-run")] * again]] * 2
        assert never == [("first", "not-run")]


def test_the_whole_job_ends_with_what_is_unexpected(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    """The same run is red the first time and not the second, when somebody has said so."""
    it = checkout({"a-v1": "good", "b-v1": "good", "c-v1": "exit-3"})
    words = ("interop", "--engine", "docker", "--retries", "0")

    code, said = it.run(*words, "--run", RUN, "--select", "dialer:b-v1", "--write")
    assert code == ExitCode.CONFIGURATION
    assert "this run has 3 of 9 cases" in said
    assert not (it.folder / "results").exists()

    code, said = it.run(*words, "--run", RUN, "--write", INTEROP_NOX=".venv/bin/nox")
    assert code == ExitCode.FAILED
    assert "\n4 passed; 5 red, all unexpected\n" in said
    assert said.splitlines()[-1].startswith(".venv/bin/nox -s repro -- 'a-v1 x c-v1", len("next: "))
    assert said.count("red: a-v1 x c-v1 (tcp, noise, yamux): ") == 1

    known = "expectations: [{id: c-exits, select: c-v1, expect: fail, reason: it exits 3, matches: exited 3}]\n"
    (it.folder / "known.yaml").write_text(known)
    code, said = it.run(*words, "--run", f"{RUN}-2", "--select", "dialer:a-v1", "--expectations", "known.yaml")
    assert code == ExitCode.GREEN
    assert "expected: c-exits, 1 case: it exits 3\n" in said
    assert "\n2 passed; 1 red, expected (c-exits): nothing unexpected\n" in said
    assert said.splitlines()[-1].startswith("next: nox -s update-readme -- --partial")
    # Its dashboard is a document of its own, and true wherever it lies.
    alone = (it.folder / "results" / "latest" / "README.md").read_text()
    assert "* " not in alone
    assert "Before" not in alone
    assert "3 cases, 2 passed, 1 failed." in alone
    assert re.findall(r"\]\((?!https://)", alone) == []

    before = (it.folder / "README.md").read_text()
    assert it.run("update-readme")[0] == ExitCode.CONFIGURATION
    assert it.run("update-readme", "--partial")[0] == ExitCode.GREEN
    after = (it.folder / "README.md").read_text()
    noted = "| a-v1 | :green_circle: | :green_circle: | :yellow_circle:[^c-exits] |"
    assert [line for line in after.splitlines() if line.startswith("|")] == [
        noted if line.startswith("| a-v1 | ") else line for line in before.splitlines() if line.startswith("|")
    ]
    assert "\n[^c-exits]: `c-exits`, expected: fail: `it exits 3`\n" in after
    assert (
        "These cells come from 2 runs: 9 cells with a result, 4 passed, 1 red as expected, 4 failed or timed out."
        in after
    )
    assert re.search(rf"\* Run `{RUN}-2` of .* put in place of what stood here: 3 cases, 2 passed, 1 failed\.", after)


def test_a_missing_shard_is_named(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    it = checkout({"a-v1": "good", "b-v1": "good"})
    assert it.run("run-shard", "1/2", "--run", RUN)[0] == ExitCode.GREEN
    code, said = it.run("merge-results", "--run", RUN, "--accept-red")
    assert code == ExitCode.INCOMPLETE
    missing = re.findall(r"^missing: (.*?\))", said, re.MULTILINE)
    reported = [record["case"] for record in it.attempts(RUN, "1-of-2")]
    assert len(missing) == 2
    assert not set(missing) & set(reported)


def test_an_image_that_cannot_be_pulled_is_said_once(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    nowhere = "127.0.0.1:9/nobody/nothing:v1"  # a closed port: refused at once, with and without a network
    it = checkout({"a-v1": "good", "b-v1": nowhere})
    code, said = it.run("run-shard", "1/1", "--run", RUN)
    assert code == ExitCode.GREEN
    assert said.count("cannot be pulled") == 1
    outcomes = {record["case"]: (record["outcome"], record["reason"]) for record in it.attempts(RUN)}
    assert outcomes.pop("a-v1 x a-v1 (tcp, noise, yamux)") == ("passed", None)
    assert len(outcomes) == 3
    assert {(outcome, reason["code"]) for outcome, reason in outcomes.values()} == {("not-run", "image-unavailable")}
    # The registry may answer the next time, so whoever resumes the shard asks it again; the case that ran stays done.
    code, said = it.run("run-shard", "1/1", "--run", RUN)
    assert code == ExitCode.GREEN
    assert said.count("cannot be pulled") == 1
    assert len(it.attempts(RUN)) == 1 + 2 * 3
    # A run in which nothing was tried is not green; this one tried something.
    nothing = it.run("run-shard", "1/1", "--run", f"{RUN}-2", "--select", "dialer:b-v1")
    assert nothing[0] == ExitCode.INCOMPLETE
    assert it.run("merge-results", "--run", RUN)[0] == ExitCode.GREEN
    assert it.run("merge-results", "--run", RUN, "--require-complete")[0] == ExitCode.INCOMPLETE


def test_t22_a_killed_run_goes_on(checkout: Callable[[Mapping[str, str]], Checkout], daemon: Daemon) -> None:
    it = checkout({"a-v1": "good", "b-v1": "good", "c-v1": "good"})
    process = it.start("run-shard", "1/1", "--run", RUN, "--workers", "1")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[3/9]"):
            break
    process.kill()
    process.communicate()
    first = it.attempts(RUN)
    assert 3 <= len(first) < 9
    assert daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={RUN}"})

    code, said = it.run("run-shard", "1/1", "--run", RUN)
    assert code == ExitCode.GREEN
    assert f"{len(first)} of them finished earlier" in said
    assert "a killed run had left behind" in said
    cases = [record["case"] for record in it.attempts(RUN)]
    assert len(cases) == len(set(cases)) == 9
    assert it.records(RUN)[-1]["type"] == "end"

    # Finished is finished, until one asks for more; and then nothing is thrown away.
    assert "--fresh" in it.run("run-shard", "1/1", "--run", RUN)[1]
    assert it.run("run-shard", "1/1", "--run", RUN, "--fresh")[0] == ExitCode.GREEN
    assert len(list((it.folder / "results").rglob("results.jsonl"))) == 2


def test_results_under_a_live_run_are_left_to_it(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    it = checkout({"a-v1": "good", "b-v1": "hang"})
    process = it.start("run-shard", "1/1", "--run", RUN, "--workers", "1")
    assert process.stdout is not None
    next(line for line in process.stdout if line.startswith("[1/4]"))

    code, said = it.run("run-shard", "1/1", "--run", RUN, "--fresh")
    assert code == ExitCode.CONFIGURATION
    assert "results-in-use" in said
    assert len(it.attempts(RUN)) >= 1

    # Whoever removes them all the same is told of it.
    shutil.rmtree(it.folder / "results")
    output, _ = process.communicate(timeout=120)
    assert process.returncode == ExitCode.ENGINE
    assert "results-gone" in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_cleans_up(
    checkout: Callable[[Mapping[str, str]], Checkout], daemon: Daemon, number: signal.Signals
) -> None:
    it = checkout({"a-v1": "good", "b-v1": "hang"})
    process = it.start("run-shard", "1/1", "--run", RUN, "--workers", "1")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("[1/4]"):
            break
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "stopping and cleaning up" in output
    assert "interrupted after 1 of 4 cases: 1 passed" in output
    assert daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={RUN}"}) == []
    assert it.records(RUN)[-1]["type"] == "attempt"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_that_nox_started_is_one_request(
    checkout: Callable[[Mapping[str, str]], Checkout], daemon: Daemon, number: signal.Signals
) -> None:
    """As `timeout` sends it: to nox, which passes it on, and to the whole group, nox among it."""
    it = checkout({"a-v1": "good", "b-v1": "hang"})
    paths = ("--versions", str(it.folder / "versions.yaml"), "--results", str(it.folder / "results"))
    command = [sys.executable, "-m", "ci", "run-shard", "1/1", "--run", RUN, "--workers", "1", *paths]
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys, noxfile; sys.exit(noxfile.supervised({command!r}))"],
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[1/4]"):
                break
        process.send_signal(number)
        os.killpg(process.pid, number)
        output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.count("stopping and cleaning up")) == (ExitCode.INTERRUPTED, 1)
    assert daemon.api.containers(all=True, filters={"label": f"{LABEL}.run={RUN}"}) == []
    assert daemon.api.networks(filters={"label": f"{LABEL}.run={RUN}"}) == []


def test_t23_passing_on_a_retry_is_flaky_and_never_green(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    # The key of the first attempt is known beforehand, so a peer can be made that fails in that one alone.
    first_key = hashlib.sha256(f"{RUN}/1/1/1 b-v1 x a-v1 (tcp, noise, yamux)\n".encode()).hexdigest()[:8]
    it = checkout({"a-v1": "good", "b-v1": f"not-when-{first_key}"})
    code, said = it.run("run-shard", "1/1", "--run", RUN, "--select", "dialer:b-v1 and listener:a-v1")
    assert code == ExitCode.GREEN, said
    first, second = it.attempts(RUN)
    assert (first["outcome"], first["kind"], first["attempt"]) == ("failed", "first", 1)
    assert (second["outcome"], second["kind"], second["attempt"]) == ("passed", "retry", 2)
    for record in (first, second):
        for evidence in record["evidence"]:
            assert (it.folder / f"results/{RUN}/shard-1-of-1" / evidence["path"]).stat().st_size == evidence["bytes"]

    selection = ("--run", RUN, "--select", "dialer:b-v1 and listener:a-v1")
    assert it.run("merge-results", *selection)[0] == ExitCode.GREEN
    assert it.run("merge-results", *selection, "--fail-on-flaky")[0] == ExitCode.FAILED
    assert it.run("update-readme", "--partial", *selection)[0] == ExitCode.GREEN
    assert ":yellow_circle:" in (it.folder / "README.md").read_text()
    assert "| :green_circle:" not in (it.folder / "README.md").read_text()

    def written(format_: str) -> str:
        assert it.run("report", f"results/{RUN}", "--format", format_, "-o", "report")[0] == ExitCode.GREEN
        return (it.folder / "report").read_text()

    assert "<flakyFailure " in written("junit")
    assert ",passed,flaky,1 of 2," in written("csv")
    assert json.loads(written("json-lines"))["verdict"] == "flaky"
    assert json.loads(written("badge"))["color"] == "yellow"
    assert 'interop_verdicts{suite="transport",verdict="flaky"} 1\n' in written("prometheus")
    assert "#### Flaky: 1\n" in written("step-summary")
    assert "<li><b>1</b> flaky</li>" in written("html")
    assert it.run("history", "--add", f"results/{RUN}")[0] == ExitCode.GREEN
    assert "  ≈\n" in it.run("history", first["case"])[1]


def test_the_evidence_of_a_case(checkout: Callable[[Mapping[str, str]], Checkout]) -> None:
    it = checkout({"a-v1": "good"})
    it.run("run-shard", "1/1", "--run", RUN)
    folder = it.folder / f"results/{RUN}/shard-1-of-1/a-v1_a-v1/tcp-noise-yamux"
    assert sorted(path.name for path in folder.iterdir()) == [
        "case.json",
        "dialer.stderr.txt",
        "dialer.stdout.txt",
        "listener.stderr.txt",
        "listener.stdout.txt",
        "output.txt",
    ]
    facts = json.loads((folder / "case.json").read_text())
    (record,) = it.attempts(RUN)
    assert facts["roles"]["dialer"]["image"] == record["roles"]["dialer"]["imageDigest"]
    assert facts["roles"]["dialer"]["environment"]["IS_DIALER"] == "true"
    assert facts["negotiated"] == {"transport": "tcp", "secureChannel": "noise", "muxer": "yamux"}
    assert "handshake_plus_one_rtt: 7.342" in (folder / "output.txt").read_text()
