"""A shard on an engine on which things go wrong: what it costs, and whom."""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

import pytest
from fake_peers import STACK, LocalPeers
from redis_servers import redis_program

from ci.engines.local.engine import LocalEngine
from ci.engines.programs import Program
from ci.images.base import Image, Unavailable
from ci.model import Case, Contract, Outcome, PublishedImage, ReasonCode, Transport, Version
from ci.results.records import Attempt, RunStart
from ci.results.shard_file import ResultsWriter, finished_cases, read_shard
from ci.runner.case import EngineCases
from ci.runner.shard import Runner, Settings, Summary
from ci.suites.transport.running import TransportRun
from ci.terminal.console import Console
from ci.terminal.progress import Progress

START = RunStart(run="tests", plan="sha256:" + "a" * 64, shard="1/1", tool_version="0.1.0")
OTHERS = ("a", "b", "c", "d")


def pairs(*versions: str) -> list[Case]:
    return [STACK.case(dialer, listener) for dialer in versions for listener in versions]


def run(
    folder: Path,
    peers: LocalPeers,
    cases: Sequence[Case],
    images: Mapping[str, str | Unavailable],
    *,
    workers: int = 1,
    redis_server: str | None = None,
) -> Summary:
    """Run cases of versions with these images; those that have none behave well."""
    versions, found = {}, {}
    for name in dict.fromkeys(version for case in cases for version in (case.first, case.second)):
        versions[name] = Version(
            id=name,
            family=name,
            source=PublishedImage(reference=name),
            transports=(Transport(name=STACK.transport),),
            contract=Contract.CLASSIC,
            timeout_seconds=20,
        )
        found[name] = Future[Image | Unavailable]()
        image = images.get(name) or peers("good")
        found[name].set_result(image if isinstance(image, Unavailable) else Image(digest=image))
    engine = LocalEngine(peers.program, redis_server=redis_server or str(redis_program()), run="tests")
    console = Console(io.StringIO(), terminal=False, colour=False, github=False, environment={})
    with ResultsWriter(folder, START) as writer, Progress(console, total=len(cases), workers=workers) as progress:
        runner = Runner(
            case_runner=EngineCases(engine=engine, suite=TransportRun(versions, deadline=20), versions=versions),
            writer=writer,
            start=START,
            folder=folder,
            progress=progress,
            settings=Settings(workers=workers, repro=str),
            cancelled=threading.Event(),
        )
        return runner.run(cases, found)


def by_code(attempts: Sequence[Attempt]) -> dict[ReasonCode, list[Attempt]]:
    found: dict[ReasonCode, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.reason is not None:
            found.setdefault(attempt.reason.code, []).append(attempt)
    return found


@pytest.mark.parametrize("workers", [1, 2])
def test_a_version_that_kills_redis_in_each_of_its_cases_costs_nobody_else_a_turn(
    tmp_path: Path, local_peers: LocalPeers, workers: int
) -> None:
    cases = pairs("evil", *OTHERS)  # its own stand first
    summary = run(tmp_path, local_peers, cases, {"evil": local_peers("kills-redis")}, workers=workers)

    assert summary.lost is None
    assert summary.left == 0
    attempts = read_shard(tmp_path).attempts
    innocent = [case for case in cases if "evil" not in (case.first, case.second)]
    assert {summary.outcomes[case.key] for case in innocent} == {Outcome.PASSED}
    codes = by_code([it for it in attempts if "evil" in it.case])
    assert codes.keys() <= {ReasonCode.REDIS_LOST, ReasonCode.SET_ASIDE}
    if workers == 1:  # several break things at the same time, which counts once
        # Of nine: two in each role, and one to tell it from its counterparts.
        assert len(codes[ReasonCode.REDIS_LOST]) <= 5
        assert len(codes[ReasonCode.SET_ASIDE]) >= 4
    by_key = {case.key: case for case in cases}
    for attempt in codes.get(ReasonCode.SET_ASIDE, ()):
        assert attempt.reason is not None
        sides = [role for role, version in by_key[attempt.key].versions.items() if version == "evil"]
        assert attempt.reason.side == ("both" if len(sides) == 2 else sides[0])
        assert attempt.reason.text.startswith("evil as ")
        assert "Redis" in attempt.reason.text
    # Nothing of it is finished, so a resumed shard gives it another chance.
    assert finished_cases(attempts) == {case.key for case in innocent}


def test_evidence_that_cannot_be_kept_costs_its_case_and_says_why(tmp_path: Path, local_peers: LocalPeers) -> None:
    """Files stand where the folders of the first three cases should be made: three in a row are no outage."""
    cases = pairs("a", "b")
    for case in cases[:3]:
        (tmp_path / f"{case.first}_{case.second}").touch()
    summary = run(tmp_path, local_peers, cases, {})

    assert (summary.lost, summary.left) == (None, 0)
    assert [summary.outcomes[case.key] for case in cases] == [Outcome.ERROR] * 3 + [Outcome.PASSED]
    lost = by_code(read_shard(tmp_path).attempts).pop(ReasonCode.FILES_UNWRITABLE)
    assert [it.attempt for it in lost] == [1, 1, 1, 2, 2, 2]  # each was tried again
    for attempt in lost:
        assert attempt.reason is not None
        assert attempt.reason.side == "harness"
        assert "File exists" in attempt.reason.text or "Not a directory" in attempt.reason.text
        assert "passed" in attempt.reason.text
        [told] = attempt.evidence
        assert "Traceback" in (tmp_path / told.path).read_text()


def test_results_that_are_removed_meanwhile_end_the_shard(tmp_path: Path, local_peers: LocalPeers) -> None:
    folder = tmp_path / "shard"
    remove = local_peers.add(Program(command=("/bin/rm", "-rf", str(folder))))
    cases = pairs("a", "b")
    summary = run(folder, local_peers, cases, {"a": remove})

    assert summary.lost is not None
    assert summary.lost.reference == "results-gone"
    assert summary.left == len(cases)


@pytest.mark.parametrize("workers", [1, 2])
def test_where_nothing_can_run_no_slot_is_needed(tmp_path: Path, local_peers: LocalPeers, workers: int) -> None:
    """The Redis of every slot fails at its start, and nobody needs one."""
    cases = pairs("a", "b")
    why = Unavailable(code=ReasonCode.PLANNED_OUT, text="it runs only in a container")
    summary = run(tmp_path, local_peers, cases, {"a": why, "b": why}, workers=workers, redis_server="/bin/false")

    assert (summary.lost, summary.left) == (None, 0)
    assert set(summary.outcomes.values()) == {Outcome.NOT_RUN}
    assert len(read_shard(tmp_path).attempts) == len(cases)


def test_a_slot_that_cannot_be_made_costs_what_could_run_and_nothing_else(
    tmp_path: Path, local_peers: LocalPeers
) -> None:
    why = Unavailable(code=ReasonCode.PLANNED_OUT, text="it runs only in a container")
    summary = run(tmp_path, local_peers, pairs("a", "b"), {"a": why}, redis_server="/bin/false")

    assert summary.lost is not None
    assert (summary.lost.reference, summary.left) == ("redis-start", 1)
    assert list(summary.outcomes.values()) == [Outcome.NOT_RUN] * 3
