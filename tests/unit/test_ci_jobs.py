"""How many jobs share a run, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from checkouts import Checkout, make_checkout
from hypothesis import given
from hypothesis import strategies as st

from ci.errors import ExitCode
from ci.plan.ci_jobs import Demand, JobLimits, choose_shards

LIMITS = JobLimits()


def demand(seconds: list[float], *, images: float = 0.0, wanted: int | None = None, name: str = "transport") -> Demand:
    total = sum(seconds)
    longest = max(seconds)
    return Demand(
        name=name,
        cases=len(seconds),
        longest=longest,
        load=lambda count: max(longest, total / count),
        image_bytes=images,
        wanted=wanted,
    )


@given(st.lists(st.floats(0.1, 600), min_size=1, max_size=400), st.floats(0, 10e9))
def test_no_shard_takes_longer_than_wanted_unless_none_can(seconds: list[float], images: float) -> None:
    [choice] = choose_shards([demand(seconds, images=images)], LIMITS)
    assert 1 <= choice.count <= min(LIMITS.jobs, len(seconds))
    start = LIMITS.start_seconds + images / LIMITS.bytes_per_second
    possible = start + max(seconds) <= LIMITS.minutes * 60
    if possible and choice.count < min(LIMITS.jobs, len(seconds)):
        assert choice.seconds <= LIMITS.minutes * 60 + 1e-6


def test_one_shard_where_one_will_do() -> None:
    [choice] = choose_shards([demand([1.0] * 600)], LIMITS)
    assert choice.count == 1
    assert choice.why == (
        "transport: 600 cases in 1 shard, so that none takes more than 15 min: 5.0 min of cases with 2 workers, and "
        "1.5 min to start and to fetch 0.0 GB of images"
    )


def test_where_jobs_are_short_all_take_longer_alike() -> None:
    choices = choose_shards([demand([60.0] * 9000), demand([60.0] * 3000, name="quic")], LIMITS)
    assert sum(it.count for it in choices) <= 256
    assert choices[0].count > choices[1].count > 1
    assert all("15 min would take more than the 256 jobs of a matrix" in it.why for it in choices)


def test_a_number_that_is_asked_for_is_taken_and_what_it_costs_is_said() -> None:
    [choice] = choose_shards([demand([60.0] * 900, images=20e9, wanted=2)], LIMITS)
    assert choice.count == 2
    assert "as asked for" in choice.why
    assert [it.partition(":")[0] for it in choice.warnings] == [
        "a shard will take 235 min, and a job is ended after 110",
        "the images take 20.0 GB, and a job has 14.0 GB of disk",
    ]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = make_checkout(tmp_path, {"a-v1": "nobody/a:v1", "b-v1": "nobody/b:v1"}, str)
    text = (made.folder / "versions.yaml").read_text()
    built = (
        "  - {id: c-v1, family: c, build: impls/c/v1, transports: [tcp], secureChannels: [noise], muxers: [yamux]}\n"
    )
    (made.folder / "versions.yaml").write_text(text + built)
    for folder in ("c/v1", "simulator", "iperf"):
        (made.folder / "impls" / folder).mkdir(parents=True)
        (made.folder / "impls" / folder / "Makefile").write_text("all:\n")
    return made


def test_the_matrices_of_the_workflow(checkout: Checkout) -> None:
    output = checkout.folder / "output"
    code, said = checkout.run("list", "--plan-ci", "all", "--shards", "3", GITHUB_OUTPUT=str(output))
    assert code == ExitCode.GREEN, said
    assert "transport: 9 cases in 3 shards, as asked for" in said
    found = dict(line.split("=", 1) for line in output.read_text().splitlines())
    assert json.loads(found["suites"]) == [{"suite": "transport"}]
    assert json.loads(found["images"]) == [{"suite": "transport", "folder": "impls/c/v1", "name": "c-v1"}]
    assert [it["name"] for it in json.loads(found["shards"])] == [f"transport-{n}-of-3" for n in (1, 2, 3)]
    assert [it["shard"] for it in json.loads(found["shards"])] == ["1/3", "2/3", "3/3"]


def test_what_needs_no_build_has_no_row(checkout: Checkout) -> None:
    output = checkout.folder / "output"
    words = ("list", "--plan-ci", "transport", "--select", "dialer:a-v1 and listener:b-v1")
    code, _ = checkout.run(*words, GITHUB_OUTPUT=str(output))
    assert code == ExitCode.GREEN
    assert "images=[]" in output.read_text().splitlines()


def test_an_output_that_cannot_be_written_is_named(checkout: Checkout) -> None:
    code, said = checkout.run("list", "--plan-ci", GITHUB_OUTPUT="/nowhere/output")
    assert code == ExitCode.CONFIGURATION
    assert "GITHUB_OUTPUT names /nowhere/output, which cannot be written" in said
