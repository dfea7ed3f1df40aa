from __future__ import annotations

from typing import Any

import pytest
from runs import YAMUX, attempt

from ci.commands.doctor_checks.finding import State
from ci.commands.doctor_checks.host import judge_load
from ci.results.host_load import load_note

CASE = YAMUX.case("a-v1", "b-v1")


def on_host(**host: Any) -> Any:
    return attempt(CASE, host=host)


def test_an_overloaded_host_is_told_with_the_worst_of_it() -> None:
    quiet = on_host(load1=7.9, cpus=2, workers=2)
    note = load_note([quiet, on_host(load1=14.2, cpus=2, workers=2), on_host(load1=23.1, cpus=2, workers=2)])

    assert note is not None
    assert note.startswith(
        "the host had too much to do: 2 of 3 attempts ran at a load of up to 23 on 2 processors; cells may be red"
    )
    assert "--timeout-factor" in note


@pytest.mark.parametrize(
    "host",
    [
        {},
        {"load1": 7.9, "cpus": 2, "workers": 2},  # what a run makes by itself
        {"load1": 200, "cpus": 128, "workers": 8},
        {"load1": "much", "cpus": 2, "workers": 2},  # of somebody else's results
        {"load1": 99, "cpus": None, "workers": []},
    ],
)
def test_nothing_is_told_of_a_host_that_is_not(host: dict[str, Any]) -> None:
    assert load_note([on_host(**host)]) is None


@pytest.mark.parametrize(("load", "state"), [(0.0, State.OK), (4.0, State.OK), (4.1, State.WARN), (90, State.WARN)])
def test_doctor_judges_a_load_by_the_processors(load: float, state: State) -> None:
    found = judge_load(load, 2)

    assert (found.state, found.value) == (state, f"load {load:.1f} on 2 processors")
    assert ("--timeout-factor" in found.advice) == (state is State.WARN)
