"""(h) a case over a simulated network: what it takes beside what is simulated, and how many there can be at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from bench.cells import Cells, run_shard
from bench.measuring import Cost, Section, Table, at_least, at_most, by_turns, ratios, spread

__all__ = ["simulated"]

MOST_SECONDS = 2.0


def simulated(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(h)"""
    tests = ("handshake", "retry") if quick else ("handshake", "transfer", "retry", "resumption", "chacha20", "http3")
    clients = ("quic-go-v0.65",) if quick else ("quic-go-v0.65", "quic-go-v0.59")
    cells = Cells(
        tuple(f"client:{client} and server:quic-go-v0.65 and {it}" for client in clients for it in tests), suite="quic"
    )
    counts = ("1", "2") if quick else ("1", "2", "3", "4")
    overheads: dict[str, list[float]] = {}
    readings: dict[str, list[float]] = {}
    shares: list[float] = []

    def run(count: str) -> Cost:
        folder = scratch / f"quic-{count}"
        cost, records = run_shard(cells, folder, "--workers", count, "--captures", "all")
        if count == "1":
            asked: set[tuple[str, str]] = set()
            for record in records:
                roles = {(role, it["version"]) for role, it in record["roles"].items()}
                if not roles <= asked:  # an endpoint's first case in a role waits for its answer to what there is not
                    asked |= roles
                    continue
                wall = record["durations"]["total"] / 1000
                where = folder / "bench/shard-1-of-1" / Path(record["evidence"][0]["path"]).parent
                report = json.loads((where / "sim/simulator.json").read_text(encoding="utf-8"))
                inside = report["finished_monotonic"] - report["started_monotonic"]
                test = record["params"]["testCase"]
                overheads.setdefault(test, []).append(wall - inside)
                readings.setdefault(test, []).append(record["durations"]["judging"] / 1000)
                shares.append(1 - record["durations"]["verdict"] / 1000 / wall)
        return cost

    ways: dict[str, Callable[[], Cost]] = {it: (lambda it=it: run(it)) for it in counts}  # type: ignore[misc]
    found = by_turns(ways, repetitions)
    one = [it.running for it in found["1"]]
    against = {count: ratios(one, [it.running for it in each]) for count, each in found.items()}
    worst = max(spread(each).median for each in overheads.values())
    return Section(
        letter="h",
        title="Over a simulated network",
        method="Cells of two versions of quic-go with one of them, from the first one's start to the last one's end. "
        "Beside the time that the simulator simulates (it writes down both "
        "ends of it) a case is made of: pods given their addresses, files put in and taken out, containers started, "
        "the captures ended 0.2 s after the last packet, tshark. The first case of an endpoint in each of its roles, "
        "in which it is also asked for a test case that does not exist, is left out.",
        tables=(
            Table(
                columns=("test case", "seconds beside what is simulated", "of these, tshark and what is made of it"),
                rows=tuple((name, str(spread(each)), str(spread(readings[name]))) for name, each in overheads.items()),
                note=f"Of a case's time {spread([100 * it for it in shares])} % come after its end is known: stopping, "
                "gathering, tshark.",
            ),
            Table(
                columns=("slots", "times as many cells a minute", "processors busy"),
                rows=tuple(
                    (it, f"{against[it]} ×", str(spread([one.cpu / one.wall for one in found[it]]))) for it in counts
                ),
            ),
        ),
        bars=(
            at_most("quic case: beside what is simulated", MOST_SECONDS, "s", worst, f"{worst:.2f}"),
            at_least("two quic slots against one", 1.8, "×", against["2"].median, str(against["2"])),
        ),
        plot={"cells a minute against one slot": [(float(it), against[it].median) for it in counts]},
        axes=("slots", "times as many cells a minute"),
    )
