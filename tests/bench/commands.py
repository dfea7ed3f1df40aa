"""Whole commands, measured by pyperf; what it found is kept in its own format, for `pyperf compare_to`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cells import ROOT

__all__ = ["Measured", "Use"]

# Turns are ours, so that what is compared is measured in one run: pyperf runs a command once, and is not to warm it up.
ONCE = ("--processes", "1", "--values", "1", "--loops", "1", "--warmups", "0")


@dataclass(frozen=True)
class Use:
    """What a command took each time it was run.

    :param memory: the largest resident memory of any run, in bytes
    """

    seconds: list[float]
    memory: int


@dataclass(frozen=True)
class Measured:
    """Seconds and memory of commands, by what they are called.

    :param file: where pyperf writes them
    """

    file: Path

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run `python -m ci` with this command once more.

        :raises RuntimeError: it failed
        """
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pyperf", "command", "--quiet", "--name", name, "--append", str(self.file)),
                *ONCE,
                *(sys.executable, "-m", "ci", *command),
            ],
            cwd=ROOT,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}")

    def uses(self) -> dict[str, Use]:
        from pyperf import BenchmarkSuite  # noqa: PLC0415 -- of the bench group alone

        return {
            it.get_name(): Use(
                seconds=list(it.get_values()),
                memory=max(run.get_metadata()["command_max_rss"] for run in it.get_runs()),
            )
            for it in BenchmarkSuite.load(str(self.file)).get_benchmarks()
        }
