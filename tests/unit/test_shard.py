"""Shards: what reads as one, and how cases are packed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.errors import ConfigurationError
from ci.model import Case
from ci.plan.shard import MAXIMUM_SHARDS, Shard, assign
from ci.suites.transport.words import Stack

CHECKOUT = Path(__file__).parents[2]


def case(number: int) -> Case:
    return Stack("quic-v1").case(f"a-v{number}", "b-v1")


WEIGHTS = st.lists(st.integers(min_value=0, max_value=600).map(lambda tenths: tenths / 10), max_size=60)
COUNTS = st.integers(min_value=1, max_value=12)


@pytest.mark.parametrize("text", ["1/1", "3/8", f"{MAXIMUM_SHARDS}/{MAXIMUM_SHARDS}"])
def test_reads_and_writes(text: str) -> None:
    assert str(Shard.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("0/8", "the first is 1/8"),
        ("9/8", "the last one is 8/8"),
        ("3-8", "did you mean 3/8?"),
        ("3 of 8", "did you mean 3/8?"),
        (" 3/8", "did you mean 3/8?"),
        ("3/8\n", "did you mean 3/8?"),
        ("a/b", "like 3/8"),
        (" ", "like 3/8"),
        ("", "like 3/8"),
        ("3", "like 3/8"),
        ("-1/8", "like 3/8"),
        ("３/８", "like 3/8"),
        ("1/0", "from 1 to 256"),
        ("0/0", "from 1 to 256"),
        ("1/257", "from 1 to 256"),
        ("1/" + "9" * 5000, "from 1 to 256"),
    ],
)
def test_refuses(text: str, advice: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Shard.parse(text)
    assert caught.value.reference == "no-such-shard"
    assert advice in caught.value.hint


@given(st.text(alphabet="0123456789/- ab", max_size=12))
def test_any_text_is_a_shard_or_refused(text: str) -> None:
    try:
        shard = Shard.parse(text)
    except ConfigurationError:
        return
    assert 1 <= shard.index <= shard.count <= MAXIMUM_SHARDS


def test_longest_first_ties_by_name() -> None:
    seconds = {case(1).name: 1.0, case(2).name: 5.0, case(3).name: 1.0, case(4).name: 3.0}
    assert assign([case(n) for n in (3, 4, 1, 2)], seconds, 2) == ((case(2),), (case(4), case(1), case(3)))


def test_cases_that_take_no_time_are_spread_too() -> None:
    cases = [case(n) for n in range(10)]
    assert [len(shard) for shard in assign(cases, dict.fromkeys((c.name for c in cases), 0.0), 5)] == [2] * 5


@given(WEIGHTS, COUNTS)
def test_each_case_in_exactly_one_shard_longest_first(weights: list[float], count: int) -> None:
    cases = [case(n) for n in range(len(weights))]
    seconds = {c.name: w for c, w in zip(cases, weights, strict=True)}
    shards = assign(cases, seconds, count)
    assert len(shards) == count
    assert sorted(c.name for shard in shards for c in shard) == sorted(seconds)
    for shard in shards:
        assert [(-seconds[c.name], c.name) for c in shard] == sorted((-seconds[c.name], c.name) for c in shard)


@given(WEIGHTS.filter(bool), COUNTS)
def test_no_shard_waits_for_more_than_one_case(weights: list[float], count: int) -> None:
    tenths = makespan_in_tenths(weights, count)
    ordered = [round(weight * 10) for weight in weights]
    # Graham 1966, true of every packing that gives the next case to the least loaded shard.
    assert tenths * count <= sum(ordered) + (count - 1) * max(ordered)


@given(st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=8), st.integers(1, 4))
def test_makespan_is_within_four_thirds_of_the_optimum(weights: list[int], count: int) -> None:
    # Graham 1969: (4/3 - 1/(3m)) times the optimum, true of longest processing time first.
    tenths = makespan_in_tenths([weight / 10 for weight in weights], count)
    assert tenths * 3 * count <= (4 * count - 1) * optimum(weights, count)


def makespan_in_tenths(weights: list[float], count: int) -> int:
    cases = [case(n) for n in range(len(weights))]
    seconds = {c.name: weight for c, weight in zip(cases, weights, strict=True)}
    return max(sum(round(seconds[c.name] * 10) for c in shard) for shard in assign(cases, seconds, count))


def optimum(weights: list[int], count: int) -> int:
    """The least makespan, by trying every packing."""
    loads = {(0,) * count}
    for weight in weights:
        loads = {tuple(sorted((*load[:i], load[i] + weight, *load[i + 1 :]))) for load in loads for i in range(count)}
    return min(load[-1] for load in loads)


@given(WEIGHTS, COUNTS, st.randoms(use_true_random=False))
def test_order_of_input_is_nothing(weights: list[float], count: int, random: Random) -> None:
    cases = [case(n) for n in range(len(weights))]
    seconds = {c.name: w for c, w in zip(cases, weights, strict=True)}
    shuffled = cases[:]
    random.shuffle(shuffled)
    again = dict(sorted(seconds.items(), key=lambda _: random.random()))
    assert assign(shuffled, again, count) == assign(cases, seconds, count)


def test_hash_seed_is_nothing() -> None:
    program = (
        "from pathlib import Path\n"
        "from ci.config.catalogue import load\n"
        "from ci.plan.plan import make_plan\n"
        "from ci.suites.registry import SUITES, known_suites\n"
        "from ci.plan.shard import slice_of\n"
        "from ci.plan.shard import Shard\n"
        "catalogue = load(Path('tests/data/versions-2026.yaml'), known_suites())\n"
        "plan = make_plan(catalogue, suite=SUITES['transport'], selects=['js', 'go'],"
        " ignores=['webrtc'], weights={'go-v0.46 x go-v0.47 (quic-v1)': 4.5})\n"
        "print(plan.to_json(), [one.case.name for one in slice_of(plan, Shard.parse('2/5'))])\n"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": locale},
            check=True,
            capture_output=True,
        ).stdout
        for seed, locale in (("1", "C"), ("2", "C.UTF-8"))
    }
    assert len(outputs) == 1
    assert b"sha256:" in outputs.pop()
