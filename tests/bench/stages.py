"""(e) the stages that start nothing, by the size of the matrix; (g) how well shards are balanced."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

from bench.cells import ROOT
from bench.commands import Measured
from bench.measuring import Section, Table, at_most, spread
from bench.synthetic import SIZES, write_run, write_versions
from ci.plan.shard import assign
from ci.plan.weights import load_weights
from ci.results.merged_file import read_merged
from ci.results.plan_file import read_plan
from ci.suites.registry import known_suites

__all__ = ["pure_stages", "shard_balance"]

MOST_SECONDS = 2.0
MOST_MEGABYTES = 300
BARRED = ("list", "shard", "merge", "render", "compare")
LINEAR = 1.2


def pure_stages(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(e)"""
    sizes = [1_000] if quick else list(SIZES)
    measured = Measured(scratch / "stages.json")
    measured.file.unlink(missing_ok=True)
    names: dict[tuple[str, int], str] = {}
    cases: dict[int, int] = {}
    folders = {}
    for size in sizes:
        folders[size], cases[size] = _checkout(scratch / str(size), size)
    for _ in range(repetitions):
        for size in sizes:
            for stage, words in _stages(folders[size]).items():
                names[stage, size] = f"{stage}, {cases[size]:,} cases"
                measured.run(names[stage, size], words)
    stages = list(dict.fromkeys(stage for stage, _ in names))
    uses = measured.uses()
    seconds = {key: uses[name].seconds for key, name in names.items()}
    memory = {key: uses[name].memory >> 20 for key, name in names.items()}
    rows, bars = [], []
    for stage in stages:
        cells = [f"{spread(seconds[stage, size])} s, {memory[stage, size]} MB" for size in sizes]
        growth = ""
        if len(sizes) == 3:
            # What each case takes beyond what the command takes with hardly any.
            points = [(cases[size], statistics.median(seconds[stage, size])) for size in sizes]
            earlier, later = ((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(points))
            growth = f"{later / earlier:.2f} ×"
            if stage in BARRED:
                what, time_taken = names[stage, sizes[2]], spread(seconds[stage, sizes[2]])
                bars += [
                    at_most(what, MOST_SECONDS, "s", time_taken.median, str(time_taken)),
                    at_most(what, MOST_MEGABYTES, "MB", memory[stage, sizes[2]], str(memory[stage, sizes[2]])),
                    at_most(f"{stage}: growth", LINEAR, "×", later / earlier, f"{later / earlier:.2f}"),
                ]
        rows.append((stage, *cells, growth))
    return Section(
        letter="e",
        title="Stages that start nothing",
        method="Whole commands on matrices of 11, 35 and 112 versions that share eight stacks, and on runs of them in "
        "eight shards, each record as large as one of a real run (3.4 KB; the run of 100,352 cases has 340 MB). Time, "
        "and the largest resident memory, as pyperf measures them; with `--scratch FOLDER` its file is kept there as "
        "`stages.json`, and `python -m pyperf compare_to` tells two of them apart. The last column compares what one "
        "more case costs: from the second size to the third against from the first to the second.",
        tables=(Table(columns=("stage", *(f"{cases[size]:,} cases" for size in sizes), "growth"), rows=tuple(rows)),),
        bars=tuple(bars),
        plot={stage: [(cases[it], statistics.median(seconds[stage, it])) for it in sizes] for stage in stages},
        axes=("cases", "seconds"),
    )


def _checkout(folder: Path, size: int) -> tuple[Path, int]:
    """A matrix and two runs of it, made where they are not there."""
    matrix = write_versions(folder, SIZES[size])
    text = subprocess.run(
        [sys.executable, "-m", "ci", "list", "--json", "--versions", str(matrix.file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    plan = read_plan(text.encode(), known_suites())
    if not (folder / "results").exists():
        shards = assign([one.case for one in plan.selected], {one.name: one.seconds for one in plan.selected}, 8)
        write_run(folder / "results", "base", plan.digest, text, shards)
        write_run(folder / "results", "head", plan.digest, text, shards, worse=True)
        # What is compared with; the other one is merged again and again.
        merge = ["merge-results", "--versions", str(matrix.file), "--results", str(folder / "results"), "--run", "head"]
        subprocess.run(
            [sys.executable, "-m", "ci", *merge, "--accept-red"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
        )
    return folder, len(plan.selected)


def _stages(folder: Path) -> Mapping[str, list[str]]:
    versions = ["--versions", str(folder / "versions.yaml")]
    results = ["--results", str(folder / "results")]
    base, head = (str(folder / f"results/{run}/merged.json") for run in ("base", "head"))
    report = ["report", base, "--output", str(folder / "report"), "--format"]
    return {
        "list": ["list", *versions],
        "shard": ["list", "--shards", "8", *versions],
        "merge": ["merge-results", *versions, *results, "--run", "base", "--accept-red"],
        "render": ["update-readme", *versions, base, "--readme", str(folder / "README.md")],
        "compare": ["compare", base, head, "--fail-on", "removed"],  # of which there are none: it is to end with 0
        "report, CSV": [*report, "csv"],
        "report, HTML": [*report, "html"],
    }


def shard_balance(merged: Path | None) -> Section:
    """(g)

    :param merged: of a real run of the whole matrix
    """
    weights = load_weights(ROOT / "ci/data/weights/transport.json")
    measured: dict[str, float] = {}
    cases = []
    for case in () if merged is None else read_merged(merged, known_suites()).cases:
        first = next((it for it in case.attempts if it.outcome.conclusive and "total" in it.durations), None)
        if first is not None and case.name in weights:
            measured[case.name] = first.durations["total"] / 1000
            cases.append(case.case)
    rows, bars = [], []
    lines: dict[str, list[tuple[float, float]]] = {"as foreseen": [], "as measured": []}
    for count in (2, 3, 4, 6, 8, 12, 16, 24, 32) if cases else ():
        shards = assign(cases, weights, count)
        foreseen, real = (
            _makespan([sum(by[case.name] for case in shard) for shard in shards]) for by in (weights, measured)
        )
        rows.append((str(count), f"{foreseen:.3f}", f"{real:.3f}"))
        lines["as foreseen"].append((float(count), foreseen))
        lines["as measured"].append((float(count), real))
        if count <= 8:
            bars.append(at_most(f"longest of {count} shards against their mean", 1.1, "×", real, f"{real:.3f}"))
    which = f" ({len(cases)} cells)." if cases else ": no run was given."
    return Section(
        letter="g",
        title="How well shards are balanced",
        method="The cells of the transport matrix that run here, packed by the committed weights; the seconds of each "
        f"shard as these foresee them, and as a whole run has measured them{which}",
        tables=(Table(columns=("shards", "longest / mean, foreseen", "longest / mean, measured"), rows=tuple(rows)),),
        bars=tuple(bars),
        plot=lines if cases else {},
        axes=("shards", "longest / mean") if cases else None,
    )


def _makespan(loads: list[float]) -> float:
    return max(loads) / statistics.fmean(loads)
