"""Proved or believed: from a report on stderr to the README."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runs import FAILED, PASSED, QUIC, YAMUX, attempt, merged_of
from terminals import File

from ci.commands.merge_results import report
from ci.errors import ExitCode
from ci.model import Case, Outcome, Proof, proof_of
from ci.results.aggregate import aggregate_attempts
from ci.results.merged import Merged
from ci.results.merged_file import read_merged, write_merged
from ci.results.record_lines import from_json, to_json
from ci.results.records import Attempt, with_proof
from ci.suites.dashboards import green_cases, published_cells, render_partial
from ci.suites.registry import SUITES, known_suites
from ci.suites.transport.board import read_board
from ci.suites.transport.dashboard import render, tables
from ci.suites.transport.words import TRANSPORT, Stack

CASE = YAMUX.case("a", "b")
OTHER = YAMUX.case("b", "a")


def believed(case: Case = CASE, **fields: Any) -> Attempt:
    return attempt(case, negotiated=fields.pop("negotiated", None), **fields)


def mixed() -> Merged:
    return merged_of({CASE: [believed()], OTHER: [attempt(OTHER)]})


@pytest.mark.parametrize(
    ("stack", "negotiated", "proof"),
    [
        (YAMUX, YAMUX.layers, Proof.PROVED),
        (YAMUX, {**YAMUX.layers, "more": "x"}, Proof.PROVED),
        (YAMUX, {"transport": "tcp", "secureChannel": "noise"}, Proof.BELIEVED),
        (YAMUX, {"transport": "tcp"}, Proof.BELIEVED),
        (YAMUX, {}, Proof.BELIEVED),
        (YAMUX, None, Proof.BELIEVED),
        (QUIC, {"transport": "quic-v1"}, Proof.PROVED),
        (QUIC, None, Proof.BELIEVED),
    ],
)
def test_a_stack_is_proved_when_every_layer_of_it_was_reported(
    stack: Stack, negotiated: dict[str, str] | None, proof: Proof
) -> None:
    assert proof_of(stack.case("a", "b").named_params, negotiated) is proof
    tried = believed(stack.case("a", "b"), negotiated=negotiated)
    assert with_proof(tried, TRANSPORT).proof is proof


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not PASSED])
def test_what_did_not_pass_has_no_proof(outcome: Outcome) -> None:
    assert with_proof(attempt(CASE, outcome, negotiated=YAMUX.layers), TRANSPORT).proof is None


def test_over_a_simulated_network_captures_are_the_proof() -> None:
    quic = SUITES["quic"].words
    assert with_proof(attempt(quic.case("a", "b", "transfer")), quic).proof is None


def test_a_record_says_it_and_one_that_does_not_is_read_all_the_same() -> None:
    document = to_json(believed())
    assert document["proof"] == "believed"
    assert to_json(attempt(CASE))["proof"] == "proved"
    assert to_json(attempt(CASE, FAILED))["proof"] is None

    older = {name: value for name, value in document.items() if name != "proof"}
    back = from_json(older)

    assert isinstance(back, Attempt)
    assert with_proof(back, TRANSPORT).proof is Proof.BELIEVED


def test_what_a_record_claims_of_it_is_not_believed() -> None:
    claimed = from_json({**to_json(believed()), "proof": "proved"})

    assert isinstance(claimed, Attempt)
    assert with_proof(claimed, TRANSPORT).proof is Proof.BELIEVED


def test_one_believed_attempt_makes_a_believed_case() -> None:
    result = aggregate_attempts([attempt(CASE), attempt(CASE, FAILED, attempt=2), believed(attempt=3)])

    assert result is not None
    assert result.proof is Proof.BELIEVED


def test_merged_results_hold_it_and_older_ones_are_read_with_it(tmp_path: Path) -> None:
    write_merged(tmp_path / "merged.json", mixed())
    document = json.loads((tmp_path / "merged.json").read_text())
    assert document["counts"]["believed"] == 1
    assert [case["proof"] for case in document["cases"]] == ["believed", "proved"]

    for case in document["cases"]:
        del case["proof"]
    (tmp_path / "older.json").write_text(json.dumps(document))

    assert read_merged(tmp_path / "older.json", known_suites()) == mixed()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({}, ExitCode.GREEN),
        ({"require_proof": True}, ExitCode.FAILED),
        ({"require_proof": True, "accept_red": True}, ExitCode.GREEN),
    ],
)
def test_a_run_of_believed_cases_is_red_only_where_proof_is_required(options: dict[str, bool], code: ExitCode) -> None:
    assert mixed().exit_code(**options) is code


def test_a_run_that_proved_everything_is_green_where_proof_is_required() -> None:
    assert merged_of({OTHER: [attempt(OTHER)]}).exit_code(require_proof=True) is ExitCode.GREEN


def test_the_dashboard_marks_and_explains_them() -> None:
    text = render(mixed())

    assert "| a | :white_circle: | :green_circle:† |" in text
    assert "| b | :green_circle: | :white_circle: |" in text
    assert "† believed, not proved: " in text
    assert "(1 of the 2 cells that passed)" in text
    assert "[:green_circle:](https://ci.example/1)† |" in render(mixed(), run_url="https://ci.example/1")


def test_of_cells_of_earlier_runs_no_more_is_claimed_than_is_known() -> None:
    """A dashboard of before this was looked at has green cells without a sign, and none of them is proved."""
    proved = render(merged_of({CASE: [attempt(CASE)], OTHER: [attempt(OTHER)]}))
    text = render_partial(proved, merged_of({CASE: [believed()]}))

    assert "| b | :green_circle: | :white_circle: |" in text
    assert "(1 cell; of an earlier run a cell without this sign need not be proved)" in text
    assert "cells that passed" not in text
    assert read_board(text).text() == text


def test_a_dashboard_without_them_says_nothing_of_it() -> None:
    proved = merged_of({CASE: [attempt(CASE)], OTHER: [attempt(OTHER)]})

    assert "†" not in render(proved)
    assert "believed" not in render(proved)


def test_the_established_tables_have_no_such_sign() -> None:
    assert "†" not in tables(mixed())


@pytest.mark.parametrize("run_url", [None, "https://ci.example/1"])
def test_a_marked_dashboard_is_read_back(run_url: str | None) -> None:
    text = render(mixed(), run_url=run_url)

    assert read_board(text).text() == text
    assert green_cases(text, TRANSPORT) == {CASE, OTHER}
    assert set(published_cells(text, TRANSPORT).values()) == {"green", "white"}


@pytest.mark.parametrize(("require_proof", "title"), [(False, "believed"), (True, "red")])
def test_they_are_counted_and_listed(require_proof: bool, title: str) -> None:
    file = File()
    report(mixed(), file.console, require_proof=require_proof)
    said = file.text

    assert f"{title}: {CASE.name}: passed, but neither side reported the stack that it negotiated" in said
    assert OTHER.name not in said
    assert "of these believed" in said
