"""The file of merged results, a case a line: read case by case, and of its attempts no more than is asked for."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import unhurried
from runs import FAILED, QUIC, YAMUX, attempt, bytes_of, merged_of

from ci.errors import ConfigurationError
from ci.model import Case, Proof
from ci.results.factors import VERSION, groups
from ci.results.merged import Merged
from ci.results.merged_file import merged_from, read_merged, write_merged
from ci.results.stored_attempts import StoredAttempts
from ci.suites.registry import known_suites

GREEN, RED = YAMUX.case("a", "b"), QUIC.case("b", "c")


def run() -> Merged:
    return merged_of(
        {GREEN: [attempt(GREEN, FAILED), attempt(GREEN, attempt=2, kind="retry")], RED: [attempt(RED, FAILED)]}
    )


def written(folder: Path, change: tuple[bytes, bytes] = (b"", b"")) -> Path:
    path = folder / "merged.json"
    path.write_bytes(bytes_of(run()).replace(*change))
    return path


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "merged.json"
    write_merged(path, run())
    read = read_merged(path, known_suites())
    assert read == run() == merged_from(path.read_bytes(), known_suites())
    assert isinstance(read.cases[0].attempts, StoredAttempts)
    assert [len(case.attempts) for case in read.cases] == [2, 1]
    assert read.cases[0].attempts[1].kind == "retry"
    assert read.cases[0].attempts[:1] == run().cases[0].attempts[:1]
    assert read.cases[0].briefs == run().cases[0].briefs
    assert read.cases[0].result.proof is Proof.PROVED
    write_merged(tmp_path / "again.json", read)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_files_of_earlier_versions_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "merged.json"
    path.write_bytes(bytes_of(run()).replace(b"\n", b""))
    assert read_merged(path, known_suites()) == run()


def test_a_file_without_cases(tmp_path: Path) -> None:
    write_merged(tmp_path / "merged.json", merged_of({}))
    assert read_merged(tmp_path / "merged.json", known_suites()).cases == ()


def test_what_takes_its_place_later_is_another_file(tmp_path: Path) -> None:
    read = read_merged(written(tmp_path), known_suites())
    write_merged(tmp_path / "merged.json", merged_of({}))
    assert read == run()


def test_a_case_that_another_run_has_too_is_one_object(tmp_path: Path) -> None:
    known = {GREEN.key: GREEN, RED.key: YAMUX.case("somebody", "else")}
    one, other = (case.case for case in read_merged(written(tmp_path), known_suites(), known=known).cases)
    assert one is GREEN
    assert other == RED


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            (b'"outcome":"failed","params":{"muxer":null', b'"outcome":"odd","params":{"muxer":null'),
            "line 2: Invalid enum",
        ),
        ((b'"case":"b x c (quic-v1)","dialer"', b'"case":"b x d (quic-v1)","dialer"'), "line 2: name and key of"),
        (
            (b'"key":"' + RED.key.encode() + b'","listener"', b'"key":"0123456789abcdef","listener"'),
            "line 2: name and key",
        ),
        ((b'{"attempts"', b'"attempts"'), "line 1: it is not JSON"),
        ((b"\n],", b" ],"), "its end is missing"),
        ((b'"schema":1,"shards"', b'"schema":9,"shards"'), "format 9"),
        ((b'"suite":"transport","unreadable"', b'"suite":"odd","unreadable"'), "`suite` is none of"),
        ((b'"engine":{}', b'"engine":[1]'), "line 1: Expected `object`"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    tmp_path: Path, change: tuple[bytes, bytes], text: str
) -> None:
    path = written(tmp_path, change)
    assert path.read_bytes() != bytes_of(run())
    with pytest.raises(ConfigurationError, match=text):
        read_merged(path, known_suites())


def test_what_is_wrong_with_an_attempt_is_said_when_it_is_looked_at(tmp_path: Path) -> None:
    """Nobody else is concerned; whoever reads all of a stranger's file at once refuses it at once."""
    path = written(tmp_path, (b'"evidence":[]', b'"evidence":7'))
    read = read_merged(path, known_suites())
    assert read.counts == run().counts
    with pytest.raises(ConfigurationError, match=r"merged\.json: Expected `array`"):
        list(read.cases[0].attempts)
    with pytest.raises(ConfigurationError, match="Expected `array`"):
        merged_from(path.read_bytes(), known_suites())


def test_every_line_but_the_last_is_a_case() -> None:
    first, *cases, last = bytes_of(run()).splitlines()
    assert first == b'{"cases":['
    assert [json.loads(line.rstrip(b","))["case"] for line in cases] == [GREEN.name, RED.name]
    assert json.loads(b'{"cases":[' + last)["plan"] == run().plan


CASES = [stack.case(one, other) for stack in (YAMUX, QUIC) for one in "abc" for other in "abc"]


@unhurried
@given(st.sets(st.sampled_from(CASES)), st.sets(st.sampled_from(CASES)), st.sampled_from([0.2, 0.5, 1.0]))
def test_groups_say_how_many_cases_have_what_they_share(some: set[Case], others: set[Case], share: float) -> None:
    among = sorted(some | others, key=lambda case: case.name)
    wanted = sorted(some, key=lambda case: case.name)
    totals: Counter[frozenset[tuple[str, str]]] = Counter()
    for case in among:
        single = {("dialer", case.first), ("listener", case.second), *((VERSION, it) for it in case.pair)}
        single |= {(param.dimension, word) for param, word in zip(case.suite.params, case.params, strict=True) if word}
        totals.update(map(frozenset, (*combinations(single, 1), *combinations(single, 2))))
    found = list(groups(wanted, among, share=share))
    assert sorted(case.name for group in found for case in group.cases) == [case.name for case in wanted]
    for group in found:
        if group.factors:
            assert group.of == totals[frozenset(group.factors)]
            assert len(group.cases) >= 1
