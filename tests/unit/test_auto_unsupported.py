"""Failures nobody escapes count as unsupported (quic-interop contract, section 5.4), and stay what they were."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from interop_runs import outcomes, run_of
from record_strategies import unhurried
from runs import bytes_of

from ci.errors import ConfigurationError
from ci.model import Outcome
from ci.results.merged import Merged
from ci.suites.quic.reports.auto_unsupported import auto_unsupported, default_exemption
from ci.suites.registry import SUITES

P, F, U, T, E, N = (
    Outcome.PASSED,
    Outcome.FAILED,
    Outcome.UNSUPPORTED,
    Outcome.TIMED_OUT,
    Outcome.ERROR,
    Outcome.NOT_RUN,
)


def square(rows: str, *, test: str = "retry", also: bool = True) -> Merged:
    """One row per client, one letter per server; a blank is no cell. All of them pass `handshake`."""
    letters = {"P": P, "F": F, "U": U, "T": T, "E": E, "N": N}
    cells = {}
    for client, row in enumerate(rows.split("/")):
        for server, letter in enumerate(row):
            if also:
                cells[f"c{client}", f"s{server}", "handshake"] = P
            if letter != " ":
                cells[f"c{client}", f"s{server}", test] = letters[letter]
    return outcomes(cells)


def found(merged: Merged, **options: frozenset[str]) -> set[str]:
    keys = auto_unsupported(merged, **options)
    return {f"{case.first}{case.second}" for case in merged.cases if case.key in keys}


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ("FF/PP", {"c0s0", "c0s1"}),  # a client that fails with every server
        ("FP/FP", {"c0s0", "c1s0"}),  # a server with which every client fails
        ("FP/PF", set()),
        ("FU/PP", {"c0s0"}),  # what was unsupported is so already
        ("TF/PP", {"c0s0", "c0s1"}),  # too late is failed
        ("FE/PP", set()),  # the harness broke: nobody knows, so the rule does not hold
        ("FN/PP", set()),
        ("F /PP", set()),
        ("FF/FF", {"c0s0", "c0s1", "c1s0", "c1s1"}),
        ("FFP/FPF/FPP", {"c0s0", "c1s0", "c2s0"}),
        ("UU/UU", set()),
        # What one side's rule turned into unsupported still counts for the other.
        ("FF/FP", {"c0s0", "c0s1", "c1s0"}),
    ],
)
def test_the_rule(rows: str, wanted: set[str]) -> None:
    assert found(square(rows), exempt=frozenset()) == wanted


def test_one_of_a_kind_is_looked_at_by_nobody() -> None:
    assert found(square("FF"), exempt=frozenset()) == {"c0s0", "c0s1"}
    assert found(square("F/F"), exempt=frozenset()) == {"c0s0", "c1s0"}
    assert found(square("F"), exempt=frozenset()) == set()
    # By default the only client or server is exempt.
    assert default_exemption(square("FF")) == {"c0"}
    assert default_exemption(square("F/F")) == {"s0"}
    assert default_exemption(square("FF/FF")) == frozenset()
    assert found(square("FF")) == found(square("F/F")) == found(square("F")) == set()


def test_exempt_versions_are_not_looked_at_but_count_for_others() -> None:
    assert found(square("FF/PP"), exempt=frozenset({"c0"})) == set()
    assert found(square("FP/FP"), exempt=frozenset({"c0"})) == {"c0s0", "c1s0"}
    assert found(square("FF/FP"), exempt=frozenset({"c0"})) == {"c0s0", "c1s0"}


def test_measurements_are_left_alone() -> None:
    assert found(square("FF/FF", test="goodput"), exempt=frozenset()) == set()


def test_versions_without_a_result_are_no_part_of_it() -> None:
    merged = square("FF/PP")
    unheard = outcomes({("c0", "s9", "retry"): N, ("c1", "s9", "retry"): N})
    both = Merged(plan=merged.plan, suite=SUITES["quic"].words, cases=(*merged.cases, *unheard.cases))
    assert found(both, exempt=frozenset()) == {"c0s0", "c0s1"}


def test_only_suites_with_test_cases_have_it() -> None:
    with pytest.raises(ConfigurationError, match="transport suite"):
        auto_unsupported(Merged(plan="p", suite=SUITES["transport"].words, cases=()))
    assert auto_unsupported(run_of({})) == frozenset()


@unhurried
@given(st.lists(st.sampled_from("PFUTEN"), min_size=9, max_size=9), st.frozensets(st.sampled_from(("c0", "s1", "s2"))))
def test_what_is_derived_follows_from_rows_and_columns(letters: list[str], exempt: frozenset[str]) -> None:
    rows = ["".join(letters[3 * number : 3 * number + 3]) for number in range(3)]
    merged = square("/".join(rows))
    before = bytes_of(merged)
    got = found(merged, exempt=exempt)
    assert bytes_of(merged) == before

    def hopeless(line: str) -> bool:
        return set(line) <= set("FUT")

    for client, server in itertools.product(range(3), range(3)):
        row = f"c{client}" not in exempt and hopeless(rows[client])
        column = f"s{server}" not in exempt and hopeless("".join(row[server] for row in rows))
        assert (f"c{client}s{server}" in got) == ((row or column) and rows[client][server] in "FT")
