"""What cells came to, run after run: nothing is lost when two write, and no label rests on three runs."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from record_strategies import unhurried
from runs import FAILED, attempt, merged_of, start

from ci.__main__ import main
from ci.errors import ConfigurationError, ExitCode
from ci.model import Case, Expectation, Expected, Outcome, Reason, ReasonCode
from ci.reports.history import LONG_GREEN, case_lines, proposals
from ci.results.history import KEPT_RUNS, HistoryRun, add_run, history_of, lower_bound, read_history, runs_of
from ci.results.merged import Merged
from ci.results.merged_file import write_merged
from ci.results.records import Attempt, RoleRecord
from ci.suites.transport.words import Stack

CASE = Stack("quic-v1", None, None).case("go-v1", "js-v1")
OTHER = Stack("quic-v1", None, None).case("js-v1", "go-v1")
RED = Reason(code=ReasonCode.DIALER_EXIT, text="the dialer exited 1", side="dialer")


def tries(case: Case, word: str, image: str) -> list[Attempt]:
    roles = {
        "dialer": RoleRecord(version=case.first, family="go", image_digest=f"sha256:{image}"),
        "listener": RoleRecord(version=case.second, family="js", image_digest="sha256:js"),
    }
    found = {
        "green": [attempt(case)],
        "flaky": [attempt(case, FAILED, RED), attempt(case, attempt=2, kind="retry")],
        "red": [attempt(case, FAILED, RED)],
        "missing": [attempt(case, Outcome.NOT_RUN, Reason(code=ReasonCode.SHARD_MISSING, text="so"))],
    }[word]
    return [replace(it, roles=roles, started_at="2026-11-02T10:00:00.000Z") for it in found]


def run(word: str, image: str = "go", other: str = "green") -> Merged:
    return merged_of({CASE: tries(CASE, word, image), OTHER: tries(OTHER, other, "js")})


def remembered(number: int, word: str, image: str = "go", other: str = "green") -> HistoryRun:
    (found,) = runs_of(run(word, image, other))
    return replace(found, run=f"r{number}", time=f"2026-{1 + number // 28:02}-{1 + number % 28:02}T03:00:00.000Z")


def test_a_run_is_remembered_once_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "history" / "transport.jsonl"
    first, second = remembered(1, "green"), remembered(2, "red")
    assert add_run(path, second)
    assert add_run(path, first)
    assert not add_run(path, second)
    assert read_history(path) == (first, second)
    assert read_history(tmp_path / "none.jsonl") == ()
    cell = second.cells[CASE.key]
    assert (cell.outcome, cell.code, cell.green) == (FAILED, ReasonCode.DIALER_EXIT, False)
    assert [second.digests[it] for it in cell.images] == ["sha256:go", "sha256:js"]
    assert remembered(3, "missing").cells.keys() == {OTHER.key}


def test_what_two_wrote_is_all_there_when_their_lines_are_put_together(tmp_path: Path) -> None:
    """As git does with `merge=union`: lines of both, in any order, some of them twice."""
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    for path, numbers in ((one, (1, 2, 4)), (other, (1, 3))):
        for number in numbers:
            add_run(path, remembered(number, "green"))
    one.write_bytes(other.read_bytes() + b"\n" + one.read_bytes())
    assert [it.run for it in read_history(one)] == ["r1", "r2", "r3", "r4"]


def test_the_oldest_runs_are_forgotten(tmp_path: Path) -> None:
    for number in range(KEPT_RUNS + 3):
        add_run(tmp_path / "h.jsonl", remembered(number, "green"))
    found = read_history(tmp_path / "h.jsonl")
    assert [it.run for it in found] == [f"r{number}" for number in range(3, KEPT_RUNS + 3)]


@pytest.mark.parametrize(
    "line",
    [
        b"<<<<<<< HEAD",
        b"{}",
        b'{"schema":2,"run":"r","time":"t","suite":"s","cells":{}}',
        b'{"schema":1,"run":"r","time":"t","suite":"s","digests":[],"cells":{"k":{"outcome":"passed","images":[0]}}}',
        b'{"schema":1,"run":"r","time":"t","suite":"s","cells":{"k":{"outcome":"gone"}}}',
        b"\xff\x00",
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, line: bytes) -> None:
    add_run(tmp_path / "h.jsonl", remembered(1, "green"))
    (tmp_path / "h.jsonl").write_bytes((tmp_path / "h.jsonl").read_bytes() + line + b"\n")
    with pytest.raises(ConfigurationError, match=r"h\.jsonl:2: "):
        read_history(tmp_path / "h.jsonl")


def test_of_a_run_without_a_result_there_is_nothing_to_remember() -> None:
    with pytest.raises(ConfigurationError, match="nothing to remember"):
        runs_of(run("missing", other="missing"))


@unhurried
@given(st.lists(st.tuples(st.sampled_from(["green", "flaky", "red", "missing"]), st.sampled_from("ab")), max_size=20))
def test_only_runs_with_the_same_images_tell_flaky_from_changed(words: list[tuple[str, str]]) -> None:
    runs = [remembered(number, word, image) for number, (word, image) in enumerate(words)]
    history = history_of(CASE.key, runs)
    known = [(word, image) for word, image in words if word != "missing"]
    same = [word for word, image in known if image == known[-1][1]]
    assert len(history.same_images) == len(same)
    red = sum(word != "green" for word in same)
    assert history.is_flaky is (None if len(same) < 10 else 0 < red < len(same))
    assert 0 <= history.at_least <= (red / len(same) if same else 0)
    with tempfile.TemporaryDirectory() as folder:
        for it in reversed(runs):
            add_run(Path(folder) / "h.jsonl", it)
        assert list(read_history(Path(folder) / "h.jsonl")) == runs


@pytest.mark.parametrize(
    ("count", "total", "bound"), [(0, 0, 0.0), (0, 10, 0.0), (5, 10, 0.2366), (10, 10, 0.7225), (1, 60, 0.003)]
)
def test_the_lower_bound_is_wilsons(count: int, total: int, bound: float) -> None:
    assert lower_bound(count, total) == pytest.approx(bound, abs=5e-4)


def test_a_strip_and_when_it_was_last_good() -> None:
    words = ["green", "green", "red", "missing", "flaky", *["green"] * 7, "red"]
    runs = [remembered(number, word, "new" if number > 1 else "old") for number, word in enumerate(words)]
    images = "go-v1 sha256:new; js-v1 sha256:js"
    assert list(case_lines(CASE, runs)) == [
        "go-v1 x js-v1 (quic-v1), 13 runs, the newest last:",
        "  ✔✔✘·≈✔✔✔✔✔✔✔✘",
        f"  last green: run r11 of 2026-01-12, handshakePlusOneRTTMillis 12.5, pingRTTMilllis 0.5; {images}",
        f"  last not green: run r12 of 2026-01-13, dialer-exit; {images}",
        "  with its newest images: 3 of 10 runs not green; flaky, not green in at least 11 % of runs",
    ]
    assert list(case_lines(CASE, runs[:3]))[-1].endswith("1 of 1 run not green; no label from fewer than 10")


def test_what_there_is_to_do() -> None:
    names = {CASE.key: CASE.name, OTHER.key: OTHER.name}
    stale = Expectation(id="stale", select=("x",), expect=Expected.FAIL)
    runs = [remembered(number, "red" if number % 3 else "green") for number in range(LONG_GREEN)]
    assert list(proposals(runs, names, {OTHER.key: stale})) == [
        "flaky, and not expected to be: go-v1 x js-v1 (quic-v1): not green in 20 of 30 runs",
        "all cases of `stale` were green in their last 30 runs: delete this expectation",
    ]
    assert list(proposals(runs[1:], names, {OTHER.key: stale, CASE.key: stale})) == []


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("versions.yaml").write_text(
        "schema: 1\nversions:\n"
        '  - {id: go-v1, family: go, image: "a:1", transports: [quic-v1]}\n'
        '  - {id: js-v1, family: js, image: "b:1", transports: [quic-v1]}\n'
    )
    assert main(["history", "--", CASE.name]) == ExitCode.CONFIGURATION
    assert "history/transport.jsonl remembers no run" in capsys.readouterr().out
    write_merged(Path("results/one/merged.json"), run("red"))
    assert main(["history", "--add", "results/one"]) == ExitCode.GREEN
    assert main(["history", "--add", "results/one"]) == ExitCode.GREEN
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("2 cells of run ")
    assert said[1].endswith("is in history/transport.jsonl already")
    assert main(["history", CASE.name]) == ExitCode.GREEN
    assert "  ✘\n" in capsys.readouterr().out
    assert main(["history"]) == ExitCode.GREEN
    assert capsys.readouterr().out == "1 run, nothing to do\n"
    assert main(["history", CASE.name, "--add", "results/one"]) == ExitCode.CONFIGURATION


def test_a_re_run_is_a_run_of_its_own_and_the_first_result_stays() -> None:
    began = "2026-11-21T10:30:00.000Z"
    again = attempt(
        CASE,
        of=start("1/1", run="rerun-1"),
        kind="rerun",
        supersedes=f"r1/{CASE.key}/1",
        started_at="2026-11-22T10:30:00.000Z",
    )
    first = attempt(CASE, FAILED, RED, started_at=began)
    found = runs_of(merged_of({CASE: [first, again], OTHER: [attempt(OTHER, started_at=began)]}))
    assert [(it.run, it.time, len(it.cells)) for it in found] == [("r1", began, 2), ("rerun-1", again.started_at, 1)]
    assert [it and it.outcome for it in history_of(CASE.key, found).cells] == [FAILED, Outcome.PASSED]
