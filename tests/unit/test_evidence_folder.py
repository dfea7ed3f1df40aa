"""The folder of an attempt: its own and nobody else's, everything in it counted, and accepted by merging."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from runs import attempt, plan_of, start, write_shard

from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, TRANSPORTS, Case
from ci.results.merge import merge
from ci.runner.evidence_folder import EvidenceFolder, case_folder
from ci.suites.registry import SUITES, known_suites
from ci.suites.transport.words import Stack

STACKS = [
    *(Stack(transport) for transport in STANDALONE),
    *itertools.starmap(Stack, itertools.product(set(TRANSPORTS) - set(STANDALONE), SECURE_CHANNELS, MUXERS)),
]
QUIC = SUITES["quic"].words
# Ids as versions.yaml takes them, made to be mistaken for each other.
IDS = st.from_regex(r"[aAb][aA_.b-]{0,4}", fullmatch=True)


def cases(stack: Stack) -> st.SearchStrategy[Case]:
    return st.builds(stack.case, IDS, IDS)


@given(st.lists(cases(STACKS[0]), min_size=2, max_size=12, unique_by=lambda case: case.key))
def test_no_two_pairs_share_a_folder_on_any_file_system(some: list[Case]) -> None:
    assert len({case_folder(case).lower() for case in some}) == len(some)


def test_no_two_cases_of_a_pair_share_a_folder() -> None:
    of_quic = [QUIC.case("a", "b", name) for name in QUIC.params[0].words]
    for some in ([one.case("a", "b") for one in STACKS], of_quic):
        folders = [case_folder(one) for one in some]
        assert len({folder.lower() for folder in folders}) == len(folders)


def test_the_established_layout() -> None:
    assert case_folder(Stack("tcp", "noise", "yamux").case("go-v0.51", "py-v0.8")) == "go-v0.51_py-v0.8/tcp-noise-yamux"
    assert case_folder(SUITES["quic"].words.case("client-v1", "server-v1", "retry")) == "server-v1_client-v1/retry"
    assert case_folder(Stack("quic-v1").case("a_b", "c")) == "a_b_c~89096abb331a/quic-v1"


def test_whatever_a_program_calls_its_files_is_kept_and_merged(tmp_path: Path) -> None:
    case = SUITES["quic"].words.case("a-v1", "b-v1", "handshake")
    shard = tmp_path / "shard-1-of-1"
    folder = EvidenceFolder(shard, case_folder(case), attempt=1)
    names = {"client/a%5Cb": "a\\b", "client/attempt-2/keys.log": None, "server/12%3A30.log": "12:30.log"}
    for name in names:
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / name).write_bytes(name.encode())
    folder.write("output.txt", b"", role="both", stream="output")
    folder.note_rest(lambda name: name.partition("/")[0])

    kept = {file.path.removeprefix("b-v1_a-v1/handshake/"): file.name for file in folder.files}
    assert kept == {
        "output.txt": None,
        "client/a%5Cb": "client/a\\b",
        "client/attempt-2/keys.log": None,
        "server/12%3A30.log": "server/12:30.log",
    }
    assert {(file.role, file.stream) for file in folder.files} >= {("client", "keys.log"), ("server", "12:30.log")}
    write_shard(shard, [attempt(case, evidence=folder.files)], begin=start())
    plan = plan_of([])
    plan |= {
        "suite": "quic",
        "cases": [{"name": case.name, "client": "a-v1", "server": "b-v1", "testCase": "handshake"}],
    }
    assert merge([shard], plan, suites=known_suites()).cases[0].attempts[0].evidence == folder.files


def test_an_attempt_cut_short_is_cleared_and_an_earlier_one_is_not(tmp_path: Path) -> None:
    first = EvidenceFolder(tmp_path, "a_b/retry", attempt=1)
    first.write("output.txt", b"first", role="both", stream="output")
    (EvidenceFolder(tmp_path, "a_b/retry", attempt=2).path / "half").write_bytes(b"of a killed run")
    EvidenceFolder(tmp_path, "a_b/retry", attempt=2)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["a_b/retry/output.txt"]
