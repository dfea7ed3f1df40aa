"""`python -m bench`: every benchmark, or some; see docs/bench/README.md."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.case_cost import against_compose, against_floor, by_workers, until_it_runs
from bench.cells import ROOT
from bench.engines import images, local_against_docker
from bench.leaks import nothing_grows
from bench.measuring import Section
from bench.page import write_page
from bench.plots import draw
from bench.quic_case import simulated
from bench.stages import pure_stages, shard_balance
from ci.engines.docker.daemon import connect

REPETITIONS = 5
PAGE = ROOT / "docs/bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measures what cases, commands and images cost.")
    parser.add_argument("--quick", action="store_true", help="see that every benchmark works; its figures say nothing")
    parser.add_argument("--only", default="abcdefghij", metavar="LETTERS", help="of the benchmarks, such as `be`")
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FOLDER", help="default: docs/bench")
    parser.add_argument("--run", type=Path, metavar="MERGED.JSON", help="a run of the whole transport matrix, for (g)")
    parser.add_argument("--scratch", type=Path, metavar="FOLDER", help="kept, so that synthetic runs are made once")
    arguments = parser.parse_args()
    repetitions = 1 if arguments.quick else REPETITIONS
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        scratch = arguments.scratch or Path(temporary)
        scratch.mkdir(parents=True, exist_ok=True)
        sections = []
        for letter, measure in _benchmarks(scratch, arguments, repetitions).items():
            if letter in arguments.only:
                print(f"({letter}) …", flush=True)
                section = measure()
                sections.append(section)
                for bar in section.bars:
                    print(
                        f"    {'met    ' if bar.met else 'NOT MET'} {bar.what}: {bar.shown}, wanted {bar.wanted}",
                        flush=True,
                    )
    write_page(
        arguments.output,
        sections,
        repetitions=repetitions,
        seconds=time.monotonic() - began,
        engine=connect().api.version()["Version"],
        remarks=PAGE / "remarks.md",
    )
    if importlib.util.find_spec("matplotlib") is not None:
        for section in sections:
            if section.axes is not None:
                draw(section, arguments.output / f"{section.letter}.svg")
    print(f"{len(sections)} benchmarks in {time.monotonic() - began:.0f} s: {arguments.output / 'README.md'}")
    return 0


def _benchmarks(scratch: Path, arguments: argparse.Namespace, repetitions: int) -> dict[str, Callable[[], Section]]:
    measured = {
        "a": against_compose,
        "b": against_floor,
        "c": by_workers,
        "d": until_it_runs,
        "e": pure_stages,
        "f": local_against_docker,
        "h": simulated,
        "i": images,
        "j": nothing_grows,
    }
    found: dict[str, Callable[[], Section]] = {
        letter: partial(measure, scratch, repetitions=repetitions, quick=arguments.quick)
        for letter, measure in measured.items()
    }
    found["g"] = partial(shard_balance, arguments.run)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    sys.exit(main())
