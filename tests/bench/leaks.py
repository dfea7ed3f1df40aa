"""(j) what there is more of after thousands of cases."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path

from bench.case_cost import SlotCases
from bench.cells import Cells, Session, open_session
from bench.measuring import Section, Table, at_most
from ci.engines.docker.daemon import LABEL
from ci.engines.docker.engine import DockerEngine

__all__ = ["nothing_grows"]

CASES = 2_000
# A slot is made anew after so many, as engine trouble would do it.
PER_SLOT = 500


@dataclass(frozen=True)
class _Held:
    """What this process holds, and what the engine has on its behalf."""

    cases: int
    descriptors: int
    threads: int
    memory_kb: int
    containers: int
    networks: int


def nothing_grows(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(j)"""
    del repetitions
    most, per_slot = (20, 10) if quick else (CASES, PER_SLOT)
    cells = Cells(("dialer:go-v0.51 and listener:go-v0.51",))
    held = []
    with open_session(cells) as session:
        cases, done = cells.cases(), 0
        engine = DockerEngine(session.daemon, helper=session.helper)
        while done < most:
            with engine.slot(0) as slot:
                runner = SlotCases(session, engine, slot, scratch, cases)
                in_slot = 0
                while in_slot < per_slot:
                    runner.all(overlap=True)
                    in_slot += len(cases)
            done += in_slot
            held.append(_looked_at(session, done))
    first, last = held[0], held[-1]
    more = replace(last, descriptors=last.descriptors - first.descriptors, threads=last.threads - first.threads)
    left, memory = last.containers + last.networks, last.memory_kb / first.memory_kb
    rows = tuple(
        (*map(str, (it.cases, it.descriptors, it.threads, it.containers, it.networks)), f"{it.memory_kb / 1024:.1f}")
        for it in held
    )
    columns = ("after cases", "file descriptors", "threads", "containers", "networks", "MB resident")
    return Section(
        letter="j",
        title="What there is more of afterwards",
        method=f"{last.cases:,} cases in one process, {per_slot} and some in each slot; looked at between slots, when "
        "nothing should be left of the one before.",
        tables=(Table(columns=columns, rows=rows),),
        bars=(
            at_most("more file descriptors", 0, "", more.descriptors, str(more.descriptors)),
            at_most("more threads", 0, "", more.threads, str(more.threads)),
            at_most("containers and networks that are left", 0, "", left, str(left)),
            at_most("resident memory against that after the first slot", 1.05, "×", memory, f"{memory:.3f}"),
        ),
    )


def _looked_at(session: Session, cases: int) -> _Held:
    api, ours = session.daemon.api, {"label": f"{LABEL}.run=bench"}
    status = Path("/proc/self/status").read_text(encoding="ascii")
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
    return _Held(
        cases=cases,
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        threads=threading.active_count(),
        memory_kb=memory,
        containers=len(api.containers(all=True, filters=ours)),
        networks=len(api.networks(filters=ours)),
    )
