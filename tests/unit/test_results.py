from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from record_strategies import unhurried

from ci.errors import ConfigurationError, EngineError, ExitCode
from ci.model import Outcome, Reason, ReasonCode
from ci.results.record_lines import from_line, to_line
from ci.results.records import Attempt, RunEnd, RunStart, attempt_for
from ci.results.shard_file import (
    RESULTS_FILE,
    ResultsWriter,
    ShardResults,
    finished_cases,
    put_aside,
    read_shard,
    shard_folder,
)
from ci.suites.transport.words import Stack

PLAN = "sha256:" + "1" * 64
START = RunStart(run="r1", plan=PLAN, shard="3/8", tool_version="0.1.0")


def passed(number: int) -> Attempt:
    return attempt_for(START, Stack("quic-v1").case(f"a-v{number}", "b-v1"), Outcome.PASSED)


def written(folder: Path, count: int = 3) -> Path:
    """A whole file: start, `count` attempts, end."""
    with ResultsWriter(folder, START) as writer:
        for number in range(count):
            writer.append(passed(number))
        writer.finish(count, count)
    return folder / RESULTS_FILE


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written(tmp_path / "deep" / "folder")
    assert read_shard(tmp_path / "deep" / "folder") == ShardResults(
        start=START,
        attempts=(passed(0), passed(1), passed(2)),
        end=RunEnd(planned=3, reported=3, ok=True),
        torn=0,
    )


def test_each_record_is_on_disk_at_once(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, START) as writer:
        writer.append(passed(0))
        assert read_shard(tmp_path).attempts == (passed(0),)


def test_nothing_reads_as_nothing(tmp_path: Path) -> None:
    assert read_shard(tmp_path / "absent") == ShardResults()
    (tmp_path / RESULTS_FILE).touch()
    assert read_shard(tmp_path) == ShardResults()


def test_an_end_that_left_cases_out_is_not_ok(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, START) as writer:
        writer.finish(20, 7)
    assert read_shard(tmp_path).end == RunEnd(planned=20, reported=7, ok=False)


@unhurried
@given(data=st.data())
def test_a_file_cut_anywhere_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    path = written(folder)
    content = path.read_bytes()
    length = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:length])
    whole = content[:length].count(b"\n") + (content[length : length + 1] == b"\n")
    shard = read_shard(folder)
    assert (shard.start is not None) + len(shard.attempts) + (shard.end is not None) == whole
    ends_whole = length == 0 or content[length - 1 : length] == b"\n" or content[length : length + 1] == b"\n"
    assert shard.torn == (0 if ends_whole else 1)

    # Going on loses nothing, and what is written now is whole.
    with ResultsWriter(folder, START) as writer:
        writer.append(passed(9))
        writer.finish(4, 4)
    resumed = read_shard(folder)
    assert resumed.attempts == (*shard.attempts, passed(9))
    assert resumed.end == RunEnd(planned=4, reported=4, ok=True)
    assert resumed.torn == shard.torn
    assert path.read_bytes().startswith(content[:length])


def test_torn_again_and_again(tmp_path: Path) -> None:
    path = written(tmp_path)
    with path.open("ab") as file:
        file.write(to_line(passed(7))[:30])
    with path.open("ab") as file:
        file.write(b"\n" + to_line(START)[:11])  # the next process was killed in its first line
    assert read_shard(tmp_path).torn == 2
    with ResultsWriter(tmp_path, START) as writer:
        writer.append(passed(7))
    shard = read_shard(tmp_path)
    assert (len(shard.attempts), shard.torn, shard.end) == (4, 2, None)


def test_resuming_takes_back_the_end(tmp_path: Path) -> None:
    written(tmp_path)
    ResultsWriter(tmp_path, START).close()
    assert read_shard(tmp_path).end is None


def test_a_bad_line_in_the_middle_is_an_error_with_its_number(tmp_path: Path) -> None:
    path = written(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:40] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(ConfigurationError, match="line 3: not a line of JSON") as caught:
        read_shard(tmp_path)
    assert caught.value.reference == "results-corrupt"
    assert caught.value.exit_code is ExitCode.CONFIGURATION


def test_a_file_without_its_start_is_damaged(tmp_path: Path) -> None:
    (tmp_path / RESULTS_FILE).write_bytes(to_line(passed(0)) + to_line(passed(1)))
    with pytest.raises(ConfigurationError, match="line 1: the first line is not a start line"):
        read_shard(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        to_line(replace(passed(0), plan="sha256:" + "2" * 64)),
        to_line(replace(passed(0), shard="4/8")),
        to_line(replace(START, shard="4/8")),
    ],
)
def test_a_mixture_within_a_file_is_damage(tmp_path: Path, line: bytes) -> None:
    (tmp_path / RESULTS_FILE).write_bytes(to_line(START) + line + to_line(RunEnd(planned=1, reported=1, ok=True)))
    with pytest.raises(ConfigurationError, match="line 2") as caught:
        read_shard(tmp_path)
    assert caught.value.reference == "results-corrupt"


def test_a_newer_format_is_no_torn_line(tmp_path: Path) -> None:
    (tmp_path / RESULTS_FILE).write_bytes(to_line(replace(START, schema=2)))
    with pytest.raises(ConfigurationError, match="line 1: start: format 2"):
        read_shard(tmp_path)


@pytest.mark.parametrize("other", [{"plan": "sha256:" + "2" * 64}, {"shard": "4/8"}])
def test_another_plan_is_never_mixed_in(tmp_path: Path, other: dict[str, str]) -> None:
    before = written(tmp_path).read_bytes()
    with pytest.raises(ConfigurationError) as caught:
        ResultsWriter(tmp_path, replace(START, **other))
    assert caught.value.reference == "results-of-another-plan"
    assert (tmp_path / RESULTS_FILE).read_bytes() == before


def test_two_writers_at_once_are_refused(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, START):
        with pytest.raises(ConfigurationError) as caught:
            ResultsWriter(tmp_path, START)
        assert caught.value.reference == "results-in-use"
    ResultsWriter(tmp_path, START).close()


def test_threads_do_not_mix_their_lines(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path, START) as writer:

        def append() -> None:
            for number in range(20):
                writer.append(passed(number))

        threads = [threading.Thread(target=append) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(read_shard(tmp_path).attempts) == 80
    assert read_shard(tmp_path).torn == 0


@pytest.mark.parametrize("removed", [True, False])
def test_what_is_written_to_a_file_that_is_gone_is_not_written(tmp_path: Path, removed: bool) -> None:
    """Also where another one stands in its place."""
    folder = tmp_path / "shard"
    with ResultsWriter(folder, START) as writer:
        writer.append(passed(0))
        folder.rename(tmp_path / "elsewhere")
        if not removed:
            written(folder)
        with pytest.raises(EngineError) as caught:
            writer.append(passed(1))
        assert caught.value.reference == "results-gone"
        with pytest.raises(EngineError):
            writer.finish(2, 2)


def test_results_are_put_aside_and_never_thrown_away(tmp_path: Path) -> None:
    folder = tmp_path / "shard-1-of-1"
    put_aside(folder)  # there are none yet
    for _ in range(2):
        written(folder)
        put_aside(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shard-1-of-1.1.earlier", "shard-1-of-1.2.earlier"]


def test_results_that_are_being_written_are_not_put_aside(tmp_path: Path) -> None:
    folder = tmp_path / "shard-1-of-1"
    with ResultsWriter(folder, START) as writer:
        with pytest.raises(ConfigurationError) as caught:
            put_aside(folder)
        assert caught.value.reference == "results-in-use"
        writer.append(passed(0))
    assert read_shard(folder).attempts == (passed(0),)
    put_aside(folder)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, "tests/unit")
from test_results import START, passed
from ci.errors import EngineError
from ci.results.shard_file import ResultsWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
writer = ResultsWriter(Path(sys.argv[1]), START)
writer.append(passed(0))
size = writer.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100, resource.RLIM_INFINITY))
try:
    writer.append(passed(1))
except EngineError as error:
    print(error.reference)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
writer.append(passed(1))
writer.finish(2, 2)
"""


def test_a_write_that_fails_half_way_is_isolated(tmp_path: Path) -> None:
    """A limit on the file's size stands in for a full disk: half the line is written, the rest refused."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "file-too-large"
    shard = read_shard(tmp_path)
    assert shard.attempts == (passed(0), passed(1))
    assert (shard.torn, shard.end) == (1, RunEnd(planned=2, reported=2, ok=True))


def test_a_full_disk_is_the_hosts_fault(tmp_path: Path) -> None:
    if not Path("/dev/full").is_char_device():
        pytest.skip("this system has no /dev/full")
    with ResultsWriter(tmp_path, START) as writer:
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, writer._fd)
        os.close(full)
        with pytest.raises(EngineError, match="no space left") as caught:
            writer.append(passed(0))
    assert caught.value.reference == "disk-full"
    assert read_shard(tmp_path).start == START


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EngineError, match="cannot write"):
        ResultsWriter(tmp_path / "file" / "shard", START)


# --- resuming, naming -------------------------------------------------------------------------------------


def ended(number: int, outcome: Outcome, code: ReasonCode) -> Attempt:
    return replace(passed(number), outcome=outcome, reason=Reason(code=code, text=""))


def test_what_need_not_run_again() -> None:
    again = [
        ended(5, Outcome.ERROR, ReasonCode.ENGINE_LOST),
        ended(6, Outcome.NOT_RUN, ReasonCode.CANCELLED),
        ended(7, Outcome.NOT_RUN, ReasonCode.BUILD_FAILED),
        ended(8, Outcome.NOT_RUN, ReasonCode.IMAGE_UNAVAILABLE),
    ]
    finished = [
        passed(0),
        ended(1, Outcome.FAILED, ReasonCode.DIALER_EXIT),
        ended(2, Outcome.TIMED_OUT, ReasonCode.DIALING),
        ended(3, Outcome.NOT_RUN, ReasonCode.PLANNED_OUT),
    ]
    assert finished_cases([*again, *finished]) == {attempt.key for attempt in finished}


def test_an_error_followed_by_a_pass_is_finished() -> None:
    assert finished_cases([ended(0, Outcome.ERROR, ReasonCode.REDIS_LOST), passed(0)]) == {passed(0).key}


def test_shard_folder() -> None:
    assert shard_folder(Path("results"), "r1", "3/8") == Path("results/r1/shard-3-of-8")


@pytest.mark.parametrize("run", ["", ".", "..", "../x", "a/b", ".git", "-rf", "a\x00", "é", "x" * 200])
def test_a_run_cannot_leave_its_folder(run: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a run"):
        shard_folder(Path("results"), run, "1/1")


def test_lines_are_records(tmp_path: Path) -> None:
    lines = written(tmp_path).read_bytes().splitlines()
    assert [type(from_line(line)).__name__ for line in lines] == [
        "RunStart",
        "Attempt",
        "Attempt",
        "Attempt",
        "RunEnd",
    ]
