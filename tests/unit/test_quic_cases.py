"""The catalogue, held against the contract's tables (sections 4.2, 4.5 and 4.7)."""

from __future__ import annotations

import dataclasses

from ci.suites.quic.testcases import handshake as beginnings
from ci.suites.quic.testcases.checks import listed
from ci.suites.quic.testcases.registry import QUIC_CASES, QUIC_MEASUREMENTS, WEBTRANSPORT_CASES, cases_of
from ci.suites.registry import SUITES

K, M = 1024, 1024 * 1024
PLAIN = "simple-p2p --delay=15ms --bandwidth=10Mbps --queue=25"
LINK = "--delay=15ms --bandwidth=10Mbps --queue=25"
HEAVY = f"{LINK} --rate_to_server=30 --rate_to_client=30 --burst_to_server=3 --burst_to_client=3"
LIGHT = f"{LINK} --rate_to_server=2 --rate_to_client=2 --burst_to_server=3 --burst_to_client=3"

# name, abbreviation, TESTCASE of client and server, files, limit, scenario, key log
QUIC = [
    ("handshake", "H", "handshake", "handshake", [K], 60, PLAIN, False),
    ("transfer", "DC", "transfer", "transfer", [2 * M, 3 * M, 5 * M], 60, PLAIN, False),
    (
        *("longrtt", "LR", "handshake", "handshake", [K], 60),
        "simple-p2p --delay=750ms --bandwidth=10Mbps --queue=25",
        False,
    ),
    ("chacha20", "C20", "chacha20", "chacha20", [3 * M], 60, PLAIN, False),
    ("multiplexing", "M", "transfer", "transfer", [32] * 1999, 60, PLAIN, True),
    ("retry", "S", "retry", "retry", [10 * K], 60, PLAIN, False),
    ("resumption", "R", "resumption", "resumption", [5 * K, 10 * K], 60, PLAIN, True),
    ("zerortt", "Z", "zerortt", "zerortt", [32] * 40, 60, PLAIN, False),
    ("http3", "3", "http3", "http3", [5 * K, 10 * K, 500 * K], 60, PLAIN, False),
    ("blackhole", "B", "transfer", "transfer", [10 * M], 60, f"blackhole {LINK} --on=5s --off=2s", False),
    ("keyupdate", "U", "keyupdate", "transfer", [3 * M], 60, PLAIN, True),
    ("ecn", "E", "ecn", "ecn", [100 * K], 60, PLAIN, True),
    (
        *("amplificationlimit", "A", "transfer", "transfer", [5 * K], 60),
        f"droplist {LINK} --drops_to_server=2,3,4,5,6,7",
        True,
    ),
    ("handshakeloss", "L1", "multiconnect", "multiconnect", [K] * 50, 300, f"drop-rate {HEAVY}", False),
    ("transferloss", "L2", "transfer", "transfer", [2 * M], 60, f"drop-rate {LIGHT}", False),
    ("handshakecorruption", "C1", "multiconnect", "multiconnect", [K] * 50, 300, f"corrupt-rate {HEAVY}", False),
    ("transfercorruption", "C2", "transfer", "transfer", [2 * M], 60, f"corrupt-rate {LIGHT}", False),
    ("ipv6", "6", "transfer", "transfer", [5 * K, 10 * K], 60, PLAIN, False),
    ("v2", "V2", "v2", "v2", [K], 60, PLAIN, False),
    (
        *("rebind-port", "BP", "transfer", "transfer", [10 * M], 60),
        f"rebind {LINK} --first-rebind=1s --rebind-freq=5s",
        True,
    ),
    (
        *("rebind-addr", "BA", "transfer", "transfer", [10 * M], 60),
        f"rebind {LINK} --first-rebind=1s --rebind-freq=5s --rebind-addr",
        True,
    ),
    ("connectionmigration", "CM", "transfer", "connectionmigration", [2 * M], 60, PLAIN, True),
    ("goodput", "G", "transfer", "transfer", [10 * M], 60, PLAIN, False),
    ("crosstraffic", "C", "transfer", "transfer", [25 * M], 180, PLAIN, False),
]
RECEIVED, SENT = "transfer-{}-receive", "transfer-{}-send"
WEBTRANSPORT = [
    ("handshake", "H", "handshake", "handshake"),
    ("transfer-unidirectional-receive", "UR", "transfer-unidirectional-receive", "transfer"),
    ("transfer-unidirectional-send", "US", "transfer", "transfer-unidirectional-send"),
    ("transfer-bidirectional-receive", "BR", "transfer-bidirectional-receive", "transfer"),
    ("transfer-bidirectional-send", "BS", "transfer", "transfer-bidirectional-send"),
    ("transfer-datagram-receive", "DR", "transfer-datagram-receive", "transfer"),
    ("transfer-datagram-send", "DS", "transfer", "transfer-datagram-send"),
]


# --- the catalogue ----------------------------------------------------------------------------------------


def test_quic_is_what_the_contract_says() -> None:
    assert [
        (
            *(test.name, test.abbreviation, test.testcase("client"), test.testcase("server"), list(test.sizes)),
            *(test.limit, test.scenario, test.needs_key_log),
        )
        for test in cases_of(SUITES["quic"].words)
    ] == QUIC


def test_webtransport_is_what_the_contract_says() -> None:
    tests = cases_of(SUITES["webtransport"].words)
    assert [
        (test.name, test.abbreviation, test.testcase("client"), test.testcase("server")) for test in tests
    ] == WEBTRANSPORT
    assert {(test.scenario, test.limit, test.needs_key_log, test.suite) for test in tests} == {
        (PLAIN, 60, False, SUITES["webtransport"].words)
    }


def test_every_test_case_says_what_it_is_and_asks_for_something() -> None:
    for tests in (QUIC_CASES + QUIC_MEASUREMENTS, WEBTRANSPORT_CASES):
        assert len({test.name for test in tests}) == len({test.abbreviation for test in tests}) == len(tests)
        assert len({test.description for test in tests}) == len(tests)
        for test in tests:
            assert test.description.endswith(".")
            assert test.checks


def test_only_lots_are_random_and_only_measurements_repeated() -> None:
    assert [test.abbreviation for test in QUIC_CASES if test.random_network] == ["L1", "L2", "C1", "C2"]
    assert {test.abbreviation: test.repetitions for test in QUIC_MEASUREMENTS} == {"G": 5, "C": 5}
    assert {test.repetitions for test in (*QUIC_CASES, *WEBTRANSPORT_CASES)} == {1}
    assert [test.abbreviation for test in cases_of(SUITES["quic"].words) if test.is_measurement] == ["G", "C"]
    assert [test.abbreviation for test in cases_of(SUITES["quic"].words) if test.participants] == ["C"]
    assert QUIC_MEASUREMENTS[1].environment == (("IPERF_CONGESTION", "cubic"),)


# --- words ------------------------------------------------------------------------------------------------


def test_long_lists_are_cut() -> None:
    assert listed("abc") == "a, b, c"
    assert listed("abcdefg") == "a, b, c, d, e and 2 more"
    assert listed("abcdefg", most=1) == "a and 6 more"


def test_a_test_case_is_a_value() -> None:
    changed = dataclasses.replace(beginnings.HANDSHAKE, limit=1)
    assert changed != beginnings.HANDSHAKE
    assert changed.case_files(1) == beginnings.HANDSHAKE.case_files(1)
