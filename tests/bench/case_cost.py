"""(a) against a compose project per case, (b) bare containers, (c) other numbers of workers, (d) until it runs."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

from bench.cells import ROOT, Cells, Session, open_session, pairs, run_shard
from bench.compose import compose_program, run_with_compose
from bench.measuring import Cost, Section, Table, at_least, at_most, by_turns, costs, ratios, spread
from ci.engines.docker.engine import DockerEngine, DockerSlot
from ci.engines.restrictions import of_participant
from ci.model import Case
from ci.runner.ahead import Ahead
from ci.runner.base import AttemptContext
from ci.runner.case import EngineCases
from ci.runner.schedule import Ready
from ci.spec.attempt import Surroundings
from ci.suites.transport.running import TransportRun

__all__ = ["SlotCases", "against_compose", "against_floor", "by_workers", "until_it_runs"]

ROLES = ("dialer", "listener")
NATIVE = Cells(tuple(pairs(ROLES, "go-v0.51", "rust-v0.57")))
SCRIPTED = Cells(tuple(pairs(ROLES, "py-v0.8", "js-v3.3")), ignored=("not tcp",))
WORKERS = 2


def against_compose(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(a)"""
    rows, bars = [], []
    for what, cells, wanted in (("native: go, rust", NATIVE, 5.0), ("Python, JavaScript", SCRIPTED, 2.0)):
        few = Cells(cells.selects[:1], (*cells.ignored, "not tcp")) if quick else cells
        found = _here_and_with_compose(few, scratch, repetitions)
        count = len(few.cases())
        compose = [it.wall for it in found["compose"]]
        running = [it.running for it in found["here"]]
        whole = ratios(compose, [it.wall for it in found["here"]])
        times = ratios(compose, running)
        per_minute = (str(spread([60 * count / it for it in each])) for each in (running, compose))
        cpu = (str(spread([it.cpu / count for it in found[way]])) for way in ("here", "compose"))
        busy = ratios([it.cpu for it in found["here"]], [it.wall for it in found["here"]])
        rows.append((what, str(count), *per_minute, f"{times} ×", f"{whole} ×", *cpu, str(busy)))
        bars.append(at_least(f"cells/min against compose, {what}", wanted, "×", times.median, str(times)))
    columns = (
        "images", "cells", "cells/min here", "cells/min with compose", "times", "start to end",
        "CPU s a cell here", "CPU s a cell with compose", "processors busy here",
    )  # fmt: skip
    return Section(
        letter="a",
        title="Against one compose project per case",
        method=f"The same images and cells, {WORKERS} at once: `run-shard` from its first case to the end of its last "
        "one, and from its start to its end, against `docker compose up --exit-code-from dialer` and `down` for each "
        "cell. Two seconds for start and end are little for a shard and much for these few cells. With the processors "
        "busy, it is CPU a cell that says how many cells a minute there can be.",
        tables=(Table(columns=columns, rows=tuple(rows)),),
        bars=tuple(bars),
    )


def _here_and_with_compose(cells: Cells, scratch: Path, repetitions: int) -> dict[str, list[Cost]]:
    with open_session(cells) as session:
        program, cases = compose_program(session, scratch), cells.cases()
        return by_turns(
            {
                "here": lambda: run_shard(cells, scratch / "here", "--workers", str(WORKERS))[0],
                "compose": lambda: run_with_compose(session, program, cases, scratch / "compose", workers=WORKERS),
            },
            repetitions,
        )


def against_floor(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(b)"""
    cells = Cells(("dialer:go-v0.51 and listener:go-v0.51",))
    with open_session(cells) as session:
        cases = cells.cases()[: 3 if quick else None]
        engine = DockerEngine(session.daemon, helper=session.helper)
        with engine.slot(0) as slot:
            session.daemon.api.asked.clear()
            runner = SlotCases(session, engine, slot, scratch, cases)
            runner.all(overlap=True)
            asked = Counter(session.daemon.api.asked)
            found = by_turns(
                {
                    "here": lambda: runner.all(overlap=True),
                    "without overlap": lambda: runner.all(overlap=False),
                    "bare": lambda: _bare(session, slot, cases),
                },
                repetitions,
            )
    bare, count = found["bare"], len(cases)
    rows = [
        (
            name,
            str(spread([1000 * it.wall / count for it in each])),
            str(spread([1000 * it.cpu / count for it in each])),
            f"{ratios([it.wall for it in each], [it.wall for it in bare])} ×",
            f"{ratios([it.cpu for it in each], [it.cpu for it in bare])} ×",
        )
        for name, each in found.items()
    ]
    requests = tuple((what, f"{number / count:.1f}") for what, number in sorted(asked.items()))
    wall = ratios([it.wall for it in found["here"]], [it.wall for it in bare])
    return Section(
        letter="b",
        title="Against the bare containers",
        method="One case after the other in one slot, against the same two containers with the same variables and "
        "limits in the same network namespaces: created, started both at once, the dialer waited for, the listener "
        "told to stop and waited for, both removed, with nothing but the engine's interface.",
        tables=(
            Table(
                columns=("go × go", "ms a case", "CPU ms a case", "wall against bare", "CPU against bare"),
                rows=tuple(rows),
            ),
            Table(
                columns=("what the engine is asked", "times a case"),
                rows=(*requests, ("all", f"{sum(asked.values()) / count:.1f}")),
                note="Each is a round trip. Besides, each pod is asked once over a connection that stays open, and "
                "Redis four times: what could have been changed, to empty it, and twice whether all was seen.",
            ),
        ),
        bars=(at_most("wall per case against bare containers", 1.15, "×", wall.median, str(wall)),),
    )


class SlotCases:
    """Cases as a worker runs them, in a slot that is there."""

    def __init__(
        self, session: Session, engine: DockerEngine, slot: DockerSlot, folder: Path, cases: Sequence[Case]
    ) -> None:
        versions = session.workspace.versions
        self._runner = EngineCases(engine=engine, suite=TransportRun(versions), versions=versions)
        self._slot = slot
        self._folder = folder
        self._ready = [Ready(case, {name: session.images[name] for name in case.pair}) for case in cases]
        self._number = 0

    def all(self, *, overlap: bool) -> Cost:
        contexts = []
        for ready in self._ready:
            self._number += 1
            contexts.append(
                AttemptContext(
                    number=self._number,
                    identity=f"bench/{self._number}",
                    folder=self._folder,
                    started_at="",
                    labels={"case": ready.case.name},
                )
            )
        with costs() as cost, Ahead() as ahead:
            for at, (ready, context) in enumerate(zip(self._ready, contexts, strict=True)):
                ahead.settle()
                prepared = ahead.take(ready.case.key, context.number)
                if overlap and at + 1 < len(self._ready):
                    ahead.intend(lambda at=at: self._runner.prepare(self._slot, self._ready[at + 1], contexts[at + 1]))  # type: ignore[misc]
                result = self._runner.run_case(
                    self._slot, ready, context, threading.Event(), prepared=prepared, housekeeping=ahead
                )
                result.keep({})
        return cost


def _bare(session: Session, slot: DockerSlot, cases: Sequence[Case]) -> Cost:
    api, suite = session.daemon.api, TransportRun(session.workspace.versions)
    digests = {name: image.digest for name, image in session.images.items()}
    with costs() as cost, ThreadPoolExecutor(max_workers=2) as pool:
        for number, case in enumerate(cases):
            slot.coordinator.begin(lambda _: None)
            spec = suite.attempt_spec(case, images=digests, surroundings=Surroundings(), attempt=f"bare {number}")
            created: dict[str, str] = {}
            for it in spec.participants:
                created[it.role] = api.create_container(
                    it.image,
                    environment=dict(it.environment),
                    labels=session.daemon.labels(role="helper"),
                    host_config=api.create_host_config(
                        network_mode=f"container:{slot.pods[it.role]}", **of_participant(it.limits).options()
                    ),
                )["Id"]
            list(pool.map(api.start, created.values()))
            api.wait(created["dialer"])
            api.kill(created["listener"], "SIGTERM")
            api.wait(created["listener"])
            for container in created.values():
                api.remove_container(container, v=True)
    return cost


def by_workers(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(c)"""
    cells = Cells(NATIVE.selects[:1]) if quick else NATIVE
    counts = ("1", "2") if quick else ("1", "2", "4", "8", "auto")
    ways: dict[str, Callable[[], Cost]] = {
        count: (lambda count=count: run_shard(cells, scratch / "workers", "--workers", count)[0])  # type: ignore[misc]
        for count in counts
    }
    found = by_turns(ways, repetitions)
    one, number = [it.wall for it in found["1"]], len(cells.cases())
    against = {count: ratios(one, [it.wall for it in each]) for count, each in found.items()}
    rows = tuple(
        (count, str(spread([60 * number / it.wall for it in each])), f"{against[count]} ×")
        for count, each in found.items()
    )
    return Section(
        letter="c",
        title="By the number of workers",
        method=f"{number} native cells with `run-shard --workers N`, from start to end. Such cells keep "
        "processors busy: there is nothing to be had from more workers than processors, and `auto` adds none.",
        tables=(Table(columns=("workers", "cells/min", "against one worker"), rows=rows),),
        plot={
            "cells per minute against one worker": [(float(it), against[it].median) for it in counts if it != "auto"]
        },
        axes=("workers", "times as many cells per minute"),
    )


def until_it_runs(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(d)"""
    del quick
    ways: dict[str, Callable[[], Cost]] = {
        "python -c pass": lambda: _first_output([sys.executable, "-c", "print()"]),
        "--help": lambda: _first_output([sys.executable, "-m", "ci", "--help"]),
        "list": lambda: _first_output([sys.executable, "-m", "ci", "list"]),
        "run-shard, to its first case": lambda: _first_case(scratch),
    }
    found = by_turns(ways, repetitions)
    seconds = {name: spread([it.wall for it in each]) for name, each in found.items()}
    python = [it.wall for it in found["python -c pass"]]
    rows = tuple(
        (name, str(seconds[name]), f"{ratios([it.wall for it in each], python)} ×") for name, each in found.items()
    )
    limits = {"--help": 0.4, "list": 0.4, "run-shard, to its first case": 1.5}
    return Section(
        letter="d",
        title="Until it runs",
        method="From the start of the process until the first line of output; of `run-shard`, with two workers and the "
        "images there, until its first case is started.",
        tables=(Table(columns=("what", "seconds", "against Python alone"), rows=rows),),
        bars=tuple(
            at_most(f"start of `{name}`", limit, "s", seconds[name].median, str(seconds[name]))
            for name, limit in limits.items()
        ),
    )


def _first_output(command: list[str]) -> Cost:
    with costs() as cost:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        process.stdout.read(1)
        first = time.monotonic() - began
        process.stdout.read()
        process.wait()
    return Cost(first, cost.cpu)


def _first_case(scratch: Path) -> Cost:
    began = time.time()
    cost, records = run_shard(Cells(("dialer:go-v0.51 and listener:go-v0.51",)), scratch / "first", "--workers", "2")
    started = min(datetime.fromisoformat(it["startedAt"].replace("Z", "+00:00")).timestamp() for it in records)
    return Cost(started - began, cost.cpu)
