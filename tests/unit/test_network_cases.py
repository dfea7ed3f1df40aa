"""Which cases the suites over a simulated network have, how they are chosen, planned and kept apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ci.config.catalogue import Catalogue
from ci.errors import ConfigurationError
from ci.model import Outcome, Part, PublishedImage, Reason, ReasonCode, Version
from ci.plan.cover import covering
from ci.plan.plan import make_plan
from ci.results.aggregate import CaseVerdict, Result, aggregate_run, verdict
from ci.results.plan_file import Plan, read_plan
from ci.suites.quic.attempt_specs import test_case as find_test_case
from ci.suites.quic.auxiliary_images import IPERF, SIMULATOR, simulator_of
from ci.suites.quic.cases import shown_by
from ci.suites.quic.testcases.registry import cases_of
from ci.suites.registry import SUITES, known_suites
from ci.suites.transport.words import Stack

NETWORK_SUITES = ("quic", "webtransport")


def names_of(suite: str) -> tuple[str, ...]:
    return SUITES[suite].words.params[0].words


def version(name: str, part: Part = "both", suites: tuple[str, ...] = ("quic",)) -> Version:
    source = PublishedImage(reference=f"example.org/{name}:1")
    return Version(id=name, family=name[:-1], source=source, transports=(), suites=suites, part=part)


VERSIONS = (version("a1"), version("b1", "client"), version("c1", "server"), version("w1", suites=("webtransport",)))
CATALOGUE = Catalogue(suites=known_suites(), versions=VERSIONS, aliases={"lossy": ("handshakeloss", "transferloss")})
KEYS = {"impls/simulator": "s", "impls/iperf": "i"}
NETWORK = (SIMULATOR, IPERF)


def plan(*selects: str, suite: str = "quic", keys: dict[str, str] | None = None) -> Plan:
    return make_plan(CATALOGUE, suite=SUITES[suite], selects=selects, auxiliary=NETWORK, fingerprints=keys or KEYS)


# --- the matrix -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", NETWORK_SUITES)
def test_every_test_case_is_described(suite: str) -> None:
    names = names_of(suite)
    assert tuple(test.name for test in cases_of(SUITES[suite].words)) == names
    for name in names:
        assert find_test_case(SUITES[suite].words.case("a", "b", name)).name == name


def test_a_transport_case_has_no_test_case() -> None:
    with pytest.raises(TypeError, match="simulated network"):
        find_test_case(Stack("tcp").case("a", "b"))


parts = st.sampled_from(("client", "server", "both"))


@given(st.dictionaries(st.sampled_from("abcdef"), parts, max_size=6), st.sampled_from(NETWORK_SUITES))
def test_all_clients_meet_all_servers_in_every_test_case(roles: dict[str, Part], suite: str) -> None:
    cases = SUITES[suite].cases([version(name, part, (suite,)) for name, part in roles.items()])
    assert len(set(cases)) == len(cases) == len({case.name for case in cases})
    expected = {
        (client, server, name)
        for name in names_of(suite)
        for client, part in roles.items()
        if part != "server"
        for server, other in roles.items()
        if other != "client"
    }
    assert {(case.first, case.second, case.words[0]) for case in cases} == expected
    assert list(cases) == sorted(
        cases, key=lambda case: (names_of(suite).index(case.words[0]), case.first, case.second)
    )


def test_the_same_words_in_two_suites_are_two_cases() -> None:
    here, there = (SUITES[suite].words.case("a", "b", "handshake") for suite in NETWORK_SUITES)
    assert here.name == there.name == "a x b (handshake)"
    assert here.key != there.key
    assert here.versions == {"client": "a", "server": "b"}


# --- selection --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("client:a1", 48),
        ("server:c1 and retry", 2),
        ("dialer:b1", 48),
        ("test:rebind-*", 8),
        ("~lossy", 8),
        ("a1 x c1 (v2)", 1),
        ("not test:*", None),
        ("tcp", None),
        ("w1", None),
        ("transfer-datagram-send", None),
    ],
)
def test_one_language_selects_here_too(expression: str, count: int | None) -> None:
    if count is None:
        with pytest.raises(ConfigurationError):
            plan(expression)
    else:
        assert len(plan(expression).selected) == count


def test_quick_shows_each_pair_and_each_test_case_of_each_version() -> None:
    cases = SUITES["quic"].cases([version(name) for name in ("a1", "b1", "c1")])
    chosen = covering(cases, shown_by)
    assert {fact for case in chosen for fact in shown_by(case)} == {fact for case in cases for fact in shown_by(case)}
    assert len(chosen) == 3 * len(names_of("quic"))


# --- the plan ---------------------------------------------------------------------------------------------


def test_a_plan_reads_back() -> None:
    made = plan("retry")
    document = json.loads(made.to_json())
    assert document["suite"] == "quic"
    assert document["cases"][0] | {"key": "", "seconds": 0} == {
        "name": "a1 x a1 (handshake)",
        "key": "",
        "client": "a1",
        "server": "a1",
        "testCase": "handshake",
        "selected": False,
        "why": "no --select fits",
        "seconds": 0,
    }
    assert read_plan(made.to_json().encode(), known_suites()) == made


def test_the_network_is_part_of_the_plan() -> None:
    assert plan().digest == plan().digest
    assert plan().digest != plan(keys=KEYS | {"impls/simulator": "another"}).digest
    assert plan().digest != plan(suite="webtransport").digest
    with pytest.raises(ConfigurationError, match="simulator"):
        plan(keys={"impls/iperf": "i"})


def test_only_those_take_part_who_are_needed() -> None:
    plain = SUITES["quic"].words.case("a", "b", "retry")
    crowded = SUITES["quic"].words.case("a", "b", "crosstraffic")
    assert SUITES["transport"].auxiliary_images.needed([Stack("tcp").case("a", "b")], None) == ()
    needed = SUITES["quic"].auxiliary_images.needed
    assert needed([], None) == ()
    assert needed([plain], None) == (SIMULATOR,)
    assert needed([plain, crowded], None) == (SIMULATOR, IPERF) == SUITES["quic"].auxiliary_images.all(None)
    theirs = simulator_of("example.org/simulator:1")
    assert theirs.source == PublishedImage(reference="example.org/simulator:1")
    assert needed([plain], "example.org/simulator:1") == (theirs,)


# --- what results mean ------------------------------------------------------------------------------------


def result(outcome: Outcome, code: ReasonCode | None = None) -> Result:
    return Result(outcome=outcome, reason=None if code is None else Reason(code=code, text=""))


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        (Outcome.UNSUPPORTED, ReasonCode.EXIT_127, CaseVerdict.UNSUPPORTED),
        (Outcome.UNSUPPORTED, ReasonCode.NO_KEY_LOG, CaseVerdict.UNSUPPORTED),
        (Outcome.UNSUPPORTED, ReasonCode.BAD_RESULT, CaseVerdict.UNEXPECTED),
        (Outcome.NOT_RUN, ReasonCode.NOT_COMPLIANT, CaseVerdict.GREY),
        (Outcome.ERROR, ReasonCode.SIMULATOR, CaseVerdict.ERROR),
        (Outcome.FAILED, ReasonCode.WRONG_TRAFFIC, CaseVerdict.UNEXPECTED),
    ],
)
def test_what_an_endpoint_does_not_do_is_not_red(outcome: Outcome, code: ReasonCode, expected: CaseVerdict) -> None:
    assert verdict(result(outcome, code)) is expected


def test_a_run_with_unsupported_cells_is_green() -> None:
    results = [result(Outcome.PASSED), result(Outcome.UNSUPPORTED, ReasonCode.EXIT_127)]
    assert aggregate_run([(it, verdict(it)) for it in results], shards_complete=True) == 0


def test_the_lists_of_words_do_not_overlap() -> None:
    """A bare word of the selection language must have one meaning in a suite."""
    for suite in NETWORK_SUITES:
        assert len(set(names_of(suite))) == len(names_of(suite))


def test_the_committed_rows_have_their_folders() -> None:
    for built in NETWORK:
        assert built.source.folder  # type: ignore[union-attr]
        assert (Path(__file__).parents[2] / built.source.folder / "Makefile").is_file()  # type: ignore[union-attr]
