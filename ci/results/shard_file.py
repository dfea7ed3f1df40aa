"""A shard's results on disk: `results/<run>/shard-3-of-8/results.jsonl`, written as they happen.

The file only ever grows. A process that is killed in the middle of a line leaves a torn line behind; the next
one isolates it with a line feed and begins anew with a start line. That is how a reader tells a torn line
(followed by a start line, or the last one) from a damaged file (anything else).
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, NoReturn, TypeVar

from typing_extensions import Self

from ci.errors import ConfigurationError, EngineError, InteropError
from ci.model import Case, Outcome, ReasonCode
from ci.results.record_lines import from_line, to_line
from ci.results.records import Attempt, Record, RunEnd, RunStart, shard_numbers
from ci.util.given_files import open_given
from ci.util.host_trouble import host_trouble
from ci.util.suggest import shown

__all__ = [
    "RESULTS_FILE",
    "ResultsWriter",
    "ShardResults",
    "checked_run",
    "finished_cases",
    "put_aside",
    "read_attempts",
    "read_shard",
    "read_start",
    "red_cases",
    "shard_folder",
    "tries",
]

RESULTS_FILE: Final = "results.jsonl"

# A writer's lines have at most 32 KiB; what is longer than this is no results file.
_LONGEST_LINE: Final = 4 * 1024 * 1024
_RUN: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_START: Final = b'{"type":"start",'


def shard_folder(root: Path, run: str, shard: str) -> Path:
    """Where a shard keeps its results and evidence.

    :raises ConfigurationError: `run-name` if the run's id could leave `root`, `shard-malformed`
    """
    index, count = shard_numbers(shard)
    return root / checked_run(run) / f"shard-{index}-of-{count}"


def checked_run(run: str) -> str:
    """The run's name, which is also that of its folder.

    :raises ConfigurationError: `run-name` if it could leave the folder of all runs
    """
    if not _RUN.fullmatch(run):
        raise ConfigurationError(
            "run-name",
            f"{shown(run)!r} cannot name a run",
            why="the run's id, of `--run` or of $INTEROP_RUN, is also the name of its folder",
            hint="use letters, digits, `.`, `_` and `-`, and do not begin with `.` or `-`",
        )
    return run


# --- writing ----------------------------------------------------------------------------------------------


class ResultsWriter:
    """Appends records to a shard's file, each with one write before the call returns.

    What is written outlives this process, however that ends. So that it also survives the end
    of the host, it is put on the disk right after; several records that come meanwhile are put there together.
    Safe to use from several threads; a second process on the same folder is refused.

    :param folder: made if it is not there
    :param start: written first, and again when an earlier process left the file without its end
    :raises ConfigurationError: `results-of-another-plan`, `results-in-use`
    :raises EngineError: `disk-full`, `results-unwritable`, `results-gone`; also from `append` and `finish`
    """

    def __init__(self, folder: Path, start: RunStart) -> None:
        self.path = folder / RESULTS_FILE
        self.start = start
        self._lock = threading.Lock()
        # The file is not known to end with a whole line, so the next write has to begin one.
        self._torn = False
        self._fd = -1
        self._closed = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            self._broken(error)
        self._unsynced = threading.Event()
        self._trouble: OSError | None = None
        self._syncing = threading.Thread(target=self._sync, name="results", daemon=True)
        try:
            _claim(self._fd, self.path)
            self._refuse_another_plan(folder)
            self._torn = self._ends_torn()
            with self._lock:
                self._write(to_line(start))
            self._syncing.start()
        except BaseException:
            self.close()
            raise

    def append(self, attempt: Attempt) -> None:
        with self._lock:
            self._write(to_line(attempt))

    def finish(self, planned: int, reported: int, ok: bool | None = None) -> None:
        """The end line. `ok` means the shard came to its own end; by default, all reported."""
        ok = planned == reported if ok is None else ok
        with self._lock:
            self._write(to_line(RunEnd(planned=planned, reported=reported, ok=ok)))
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._broken(error)

    def close(self) -> None:
        self._closed = True
        self._unsynced.set()
        if self._syncing.is_alive():
            self._syncing.join()
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _sync(self) -> None:
        """Put on the disk what was written since the last time, until it is closed."""
        while not self._closed:
            self._unsynced.wait()
            self._unsynced.clear()
            try:
                os.fsync(self._fd)
            except OSError as error:
                self._trouble = error  # the next record cannot be written either

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        if self._torn:
            # After a torn line always a start line: it tells the reader that the tear is known.
            line = b"\n" + (b"" if line.startswith(_START) else to_line(self.start)) + line
        self._torn = True
        try:
            if self._trouble is not None:
                raise self._trouble
            while line:
                line = line[os.write(self._fd, line) :]
            self._unsynced.set()
            there = self._is_there()
        except OSError as error:
            self._broken(error)
        if not there:
            raise EngineError(
                "results-gone",
                f"{self.path} is not there any more, and with it the results so far",
                why="somebody has removed or renamed the folder while it was in use",
                hint="start the same command again, and leave the folder alone while it runs",
            )
        self._torn = False

    def _is_there(self) -> bool:
        """Whether what is written can be found: a removed file takes everything and keeps nothing."""
        try:
            return os.path.samestat(os.fstat(self._fd), self.path.stat())
        except FileNotFoundError:
            return False

    def _refuse_another_plan(self, folder: Path) -> None:
        earlier = read_shard(folder).start
        if earlier is None or (earlier.plan, earlier.shard) == (self.start.plan, self.start.shard):
            return
        raise ConfigurationError(
            "results-of-another-plan",
            f"{self.path} holds results of shard {earlier.shard} of plan {earlier.plan},"
            f" not of shard {self.start.shard} of plan {self.start.plan}",
            why="versions.yaml, the selection or an implementation changed since that run",
            hint="give this run another name, or remove the folder",
        )

    def _ends_torn(self) -> bool:
        size = os.fstat(self._fd).st_size
        return size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def _broken(self, error: OSError) -> NoReturn:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise EngineError(
                "disk-full",
                f"no space left to write {self.path}",
                why="images, build caches and logs share the disk with the results",
                hint="free some space and start the same command again: it goes on where it stopped",
            ) from error
        if error.errno == errno.EFBIG and (trouble := host_trouble(error)) is not None:
            raise trouble from error
        raise EngineError(
            "results-unwritable",
            f"cannot write {self.path}: {error.strerror or error}",
            why="the folder belongs to somebody else, is read-only, or its disk is failing",
            hint="check the folder's owner and the disk, then start the same command again",
        ) from error


def put_aside(folder: Path) -> None:
    """Give the folder of a shard another name, so that the shard begins anew; results are never thrown away.

    :raises ConfigurationError: `results-in-use`
    """
    try:
        fd = os.open(folder / RESULTS_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        fd = -1
    try:
        if fd >= 0:
            _claim(fd, folder / RESULTS_FILE)
        number = 1
        while (aside := folder.with_name(f"{folder.name}.{number}.earlier")).exists():
            number += 1
        if folder.exists():
            folder.rename(aside)
    finally:
        if fd >= 0:
            os.close(fd)


def _claim(fd: int, path: Path) -> None:
    """Refuse a file that another process writes; who has claimed it keeps it until it closes it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return  # a file system without locks: the check is a courtesy, not a promise
        raise ConfigurationError(
            "results-in-use",
            f"{path} is being written by another process",
            why="the same shard of the same run has been started twice",
            hint="wait for the other one, or give this run another name",
        ) from error


# --- reading ----------------------------------------------------------------------------------------------


Kept = TypeVar("Kept")


@dataclass(frozen=True, kw_only=True)
class ShardResults(Generic[Kept]):
    """What a shard's file holds, and of each attempt what is kept of it.

    :param start: the latest start line; None if there is no whole one
    :param end: None if the shard was cut short
    :param torn: lines that a killed process left unfinished
    """

    start: RunStart | None = None
    attempts: tuple[Kept, ...] = ()
    end: RunEnd | None = None
    torn: int = 0


def read_shard(folder: Path) -> ShardResults[Attempt]:
    """Everything readable in the folder's results file; an absent or empty file reads as nothing.

    :raises ConfigurationError: see `read_attempts`
    """
    return read_attempts(folder, lambda attempt: attempt)


def read_attempts(folder: Path, keep: Callable[[Attempt], Kept]) -> ShardResults[Kept]:
    """The same, attempt by attempt: of each only what `keep` makes of it stays in memory.

    :raises ConfigurationError: `results-corrupt` for a bad line that no killed process can have left there,
        `record-schema`, `results-unreadable`
    """
    path = folder / RESULTS_FILE
    start: RunStart | None = None
    end: RunEnd | None = None
    attempts: list[Kept] = []
    torn = 0
    pending: tuple[int, InteropError] | None = None  # a bad line not yet known to be a torn one
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        record = _parse(path, number, line)
        if isinstance(record, InteropError):
            # Only a start line may follow a torn one, so only a torn start line may.
            if pending is not None and not _begins_start(line):
                _corrupt(path, *pending)
            torn += 1
            pending = (number, record)
            continue
        if isinstance(record, RunStart):
            _refuse_mixture(path, number, start, record)
            start, end = record, None
        elif pending is not None:
            _corrupt(path, *pending)
        elif start is None:
            _corrupt(path, number, ConfigurationError("record-malformed", "the first line is not a start line"))
        elif isinstance(record, Attempt):
            if (record.plan, record.shard) != (start.plan, start.shard):
                problem = f"an attempt of shard {record.shard} of plan {record.plan}, which is not the file's own"
                _corrupt(path, number, ConfigurationError("record-malformed", problem))
            attempts.append(keep(record))
            end = None
        else:
            end = record
        pending = None
    return ShardResults(start=start, attempts=tuple(attempts), end=end, torn=torn)


def read_start(folder: Path) -> RunStart | None:
    """What the folder's results belong to: the first whole start line, and nothing behind it is read."""
    path = folder / RESULTS_FILE
    records = (_parse(path, number, line) for number, line in enumerate(_lines(path), 1))
    return next((record for record in records if isinstance(record, RunStart)), None)


def finished_cases(attempts: Iterable[Attempt]) -> frozenset[str]:
    """Keys of the cases a resumed shard need not run again.

    These have a conclusive attempt, or the plan itself left them out; after an error or a cancellation the
    case is tried again.
    """
    return frozenset(
        attempt.key
        for attempt in attempts
        if attempt.outcome.conclusive
        or (
            attempt.outcome is Outcome.NOT_RUN
            and attempt.reason is not None
            and attempt.reason.code is ReasonCode.PLANNED_OUT
        )
    )


def red_cases(planned: Iterable[Case], attempts: Iterable[Attempt]) -> dict[Case, int]:
    """The cases that every conclusive attempt so far has found red, and the number of the last one.

    A killed process has not come to its retries; the run that resumes its shard makes them.
    """
    tried: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        tried.setdefault(attempt.key, []).append(attempt)
    red = {}
    for case in planned:
        own = tried.get(case.key, [])
        outcomes = {attempt.outcome for attempt in own} - {Outcome.ERROR}
        if outcomes and outcomes <= {Outcome.FAILED, Outcome.TIMED_OUT}:
            red[case] = max(attempt.attempt for attempt in own)
    return red


def tries(attempts: Iterable[Attempt]) -> dict[str, int]:
    """How often each case has been tried, by its key: the number of the last attempt there is evidence of."""
    made: dict[str, int] = {}
    for attempt in attempts:
        if attempt.outcome is not Outcome.NOT_RUN:
            made[attempt.key] = max(attempt.attempt, made.get(attempt.key, 0))
    return made


def _lines(path: Path) -> Iterable[bytes]:
    try:
        with open_given(path) as file:
            while line := file.readline(_LONGEST_LINE):
                yield line
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(
            "results-unreadable",
            f"cannot read {path}: {error.strerror or error}",
            hint="check the folder's owner",
        ) from error


def _begins_start(line: bytes) -> bool:
    """Whether this may be what is left of a start line."""
    head = line.rstrip(b"\n")[: len(_START)]
    return head == _START[: len(head)]


def _parse(path: Path, number: int, line: bytes) -> Record | InteropError:
    try:
        return from_line(line)
    except ConfigurationError as error:
        if error.reference == "record-schema":
            raise ConfigurationError(
                error.reference, f"{path}, line {number}: {error.message}", why=error.why, hint=error.hint
            ) from error
        return error


def _refuse_mixture(path: Path, number: int, earlier: RunStart | None, start: RunStart) -> None:
    if earlier is not None and (earlier.plan, earlier.shard) != (start.plan, start.shard):
        problem = f"begins shard {start.shard} of plan {start.plan} in a file of another"
        _corrupt(path, number, ConfigurationError("record-malformed", problem))


def _corrupt(path: Path, number: int, problem: InteropError) -> NoReturn:
    raise ConfigurationError(
        "results-corrupt",
        f"{path}, line {number}: {problem.message}",
        why="the file was edited, or damaged when it was copied",
        hint="fetch the results again or run the shard again; without the file its cases count as not run",
    )
