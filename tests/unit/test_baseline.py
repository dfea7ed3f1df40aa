"""A run of some versions held against a published one of all."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkouts import Checkout, make_checkout
from interop_runs import outcomes
from runs import QUIC, attempt, merged_of

from ci.errors import ConfigurationError, ExitCode
from ci.model import Outcome
from ci.results.baseline import held_against
from ci.results.comparison import Change, compare


def run(**cells: Outcome) -> dict[str, Outcome]:
    return cells


def merged(cells: dict[tuple[str, str], Outcome]):  # type: ignore[no-untyped-def]
    return merged_of({(case := QUIC.case(*pair)): [attempt(case, outcome)] for pair, outcome in cells.items()})


BASE = merged(
    {
        ("go-v1", "go-v1"): Outcome.PASSED,
        ("go-v1", "py-v1"): Outcome.FAILED,
        ("py-v1", "go-v1"): Outcome.PASSED,
        ("py-v1", "py-v1"): Outcome.PASSED,
    }
)


def test_what_was_not_run_now_is_not_gone() -> None:
    head = merged({("go-v1", "py-v1"): Outcome.FAILED, ("py-v1", "go-v1"): Outcome.FAILED})
    comparison = compare(held_against(BASE, head, {}), head)
    assert [(it.change, it.case.name) for it in comparison.differences] == [
        (Change.NEWLY_FAILING, "py-v1 x go-v1 (quic-v1)"),
        (Change.STILL_FAILING, "go-v1 x py-v1 (quic-v1)"),
    ]


def test_a_new_version_is_held_against_the_one_that_it_stands_for() -> None:
    head = merged(
        {
            ("go-head", "go-head"): Outcome.FAILED,
            ("go-head", "go-v1"): Outcome.PASSED,
            ("go-head", "py-v1"): Outcome.FAILED,
            ("py-v1", "go-head"): Outcome.PASSED,
        }
    )
    comparison = compare(held_against(BASE, head, {"go-head": "go-v1"}), head)
    assert [it.case.name for it in comparison.of(Change.NEWLY_FAILING)] == ["go-head x go-head (quic-v1)"]
    assert comparison.unchanged == 2
    # Without it, everything about it is new, and nothing of that fails.
    alone = compare(held_against(BASE, head, {}), head)
    assert {it.change for it in alone.differences} == {Change.NEW}


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(ConfigurationError, match="has nothing of rust-v1, for which rust-head stands"):
        held_against(BASE, BASE, {"rust-head": "rust-v1"})
    with pytest.raises(ConfigurationError, match="suite quic, and this is one of transport"):
        held_against(outcomes({("c", "s", "retry"): Outcome.PASSED}), BASE, {})


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return make_checkout(tmp_path, {"a-v1": "nobody/a:v1", "b-v1": "nobody/b:v1"}, str)


def test_another_image_makes_another_plan(checkout: Checkout) -> None:
    _, usual = checkout.run("list")
    code, replaced = checkout.run("list", "--replace", "a-v1=mine:pr")
    assert code == ExitCode.GREEN
    assert usual.splitlines()[-2] != replaced.splitlines()[-2]
    assert "next: nox -s interop -- --replace a-v1=mine:pr" in replaced.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--replace", "a-v2=mine:pr"), "there is no version `a-v2`: did you mean `a-v1`"),
        (("list", "--replace", "mine:pr"), "is no version and image"),
        (("list", "--replace", "a-v1="), "is no version and image"),
        (("interop", "--stands-for", "a-v1"), "is no pair of versions"),
        (("interop", "--baseline", "nowhere"), "nowhere"),
        (("interop", "--fail-on", "newly-falling"), "did you mean `newly-failing`"),
    ],
)
def test_a_slip_is_named(checkout: Checkout, words: tuple[str, ...], said: str) -> None:
    code, output = checkout.run(*words)
    assert code == ExitCode.CONFIGURATION
    assert said in output
