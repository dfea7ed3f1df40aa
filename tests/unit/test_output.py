"""Standard output that fails: neither a traceback, nor an exit status that means something else, nor less work done."""

from __future__ import annotations

import io
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from runs import attempt, plan_of, start, write_shard

from ci.model import Outcome
from ci.results.merged_file import read_merged
from ci.suites.registry import known_suites
from ci.suites.transport.words import Stack
from ci.terminal.output import Output

ROOT = Path(__file__).resolve().parents[2]
RED = Stack("quic-v1").case("py-v0.8", "py-v0.8")
WORDS = {
    "list": ["list"],
    "json": ["list", "--json"],
    "help": ["list", "--help"],
    "mistake": ["list", "--selekt", "x"],
    "merge": [],  # see `merging`
}
OWN = {"list": 0, "json": 0, "help": 0, "mistake": 2, "merge": 1}


def ci(words: Sequence[str], redirection: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command in a shell, with this done to its streams."""
    shell = ["bash", "-o", "pipefail", "-c", f'"$@" {redirection}', "-"]
    program = [sys.executable, "-m", "ci", *words]
    return subprocess.run([*shell, *program], cwd=cwd, capture_output=True, text=True, check=False)


def merging(folder: Path) -> list[str]:
    """Words that merge a red shard in this folder."""
    shard = write_shard(folder / "shard", [attempt(RED, Outcome.FAILED)], begin=start(), plan=plan_of([RED]))
    return ["merge-results", str(shard), "--results", str(folder), "--run", "r"]


@pytest.mark.parametrize("command", WORDS)
@pytest.mark.parametrize(
    ("redirection", "status"),
    [("| true", 0), (">&-", 0), (">&- 2>&- <&-", 0), (">/dev/full", 6), (">/dev/full 2>/dev/full", 6)],
)
def test_a_command_ends_as_it_would_have(command: str, redirection: str, status: int, tmp_path: Path) -> None:
    done = ci(merging(tmp_path) if command == "merge" else WORDS[command], redirection)
    assert done.returncode == (OWN[command] or status)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr
    if "2>" not in redirection and redirection != "| true":
        assert ("did you mean `--select`?" in done.stderr) == (command == "mistake")
    if redirection == ">/dev/full":
        assert "standard output could not be written to its end: No space left on device" in done.stderr
    if command == "merge":
        assert [case.name for case in read_merged(tmp_path / "r/merged.json", known_suites()).cases] == [RED.name]


def limited(words: Sequence[str], output: Path, most_bytes: int) -> subprocess.CompletedProcess[str]:
    """Run the command as after `ulimit -f`, its standard output in a file."""
    with output.open("wb") as file:
        return subprocess.run(
            [sys.executable, "-m", "ci", *words],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
        )


def test_a_log_that_may_not_grow(tmp_path: Path) -> None:
    done = limited(["list"], tmp_path / "log", 4096)
    assert done.returncode == 6
    assert done.stderr == "error: standard output could not be written to its end: File too large\n"
    assert (tmp_path / "log").stat().st_size == 4096


def test_results_that_may_not_grow(tmp_path: Path) -> None:
    done = limited(merging(tmp_path), tmp_path / "log", 512)
    said = (tmp_path / "log").read_text(encoding="utf-8") + done.stderr
    assert done.returncode == 6
    assert "Traceback" not in said
    assert "ulimit -f" in said
    assert not list((tmp_path / "r").iterdir())


def test_the_document_is_whole_where_nothing_fails() -> None:
    done = ci(["list", "--json"], "| cat")
    assert done.returncode == 0
    assert json.loads(done.stdout)["cases"]


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    """Else what children print would stand between the records."""
    script = (
        "import os; from ci.terminal.output import standard_output; standard_output(); exit(os.open('.', os.O_RDONLY))"
    )
    done = subprocess.run(["bash", "-c", f'exec "{sys.executable}" -c "{script}" <&- >&- 2>&-'], cwd=ROOT, check=False)
    assert done.returncode == 3


def test_a_pipe_that_somebody_made_not_wait_is_waited_for() -> None:
    """Node does that to the pipe it shares with others, and a log would miss its middle."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    output = Output(writer)
    text = io.BufferedWriter(output)
    with ThreadPoolExecutor() as pool, os.fdopen(reader, "rb") as file:
        read = pool.submit(file.read)
        text.write(b"x" * (1 << 20))
        text.flush()
        os.close(writer)
        assert len(read.result()) == 1 << 20
    assert output.trouble is None
