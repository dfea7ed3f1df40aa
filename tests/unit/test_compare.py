"""Two runs, case by case: what changed, on what, and what it has in common."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from record_strategies import unhurried
from runs import FAILED, attempt, merged_of

from ci.__main__ import main
from ci.commands.given_runs import given_run
from ci.errors import ConfigurationError, ExitCode
from ci.model import Case, Expectation, Expected, Outcome, Reason, ReasonCode
from ci.reports.comparison import LONGEST_MARKDOWN, as_document, as_lines, as_markdown
from ci.results.comparison import Change, Comparison, InputChange, compare
from ci.results.merged import Merged, MergedCase
from ci.results.merged_file import write_merged
from ci.results.records import Attempt, RoleRecord
from ci.suites.registry import SUITES
from ci.suites.transport.words import Stack

STACKS = [Stack("tcp", security, muxer) for security in ("noise", "tls") for muxer in ("yamux", "mplex")]
VERSIONS = ("go-v1", "js-v1", "py-v1", "rust-v1")
CASES = [stack.case(one, other) for stack in STACKS for one in VERSIONS for other in VERSIONS]
UNSUPPORTED, NOT_RUN, ERROR = Outcome.UNSUPPORTED, Outcome.NOT_RUN, Outcome.ERROR


def tries(case: Case, word: str) -> list[Attempt]:
    refused = Reason(code=ReasonCode.DIALER_EXIT, text="the dialer exited 1: connection refused", side="dialer")
    closed = Reason(code=ReasonCode.LISTENER_EXIT, text="the listener exited 2", side="listener")
    missing = Reason(code=ReasonCode.SHARD_MISSING, text="missing", side="harness")
    lost = Reason(code=ReasonCode.ENGINE_LOST, text="lost", side="harness")
    return {
        "green": [attempt(case)],
        "flaky": [attempt(case, FAILED, refused), attempt(case, attempt=2, kind="retry")],
        "red": [attempt(case, FAILED, refused)],
        "red again": [attempt(case, FAILED, replace_port(refused))],
        "red otherwise": [attempt(case, FAILED, closed)],
        "unsupported": [attempt(case, UNSUPPORTED, Reason(code=ReasonCode.EXIT_127, text="127", side="client"))],
        "missing": [attempt(case, NOT_RUN, missing)],
        "error": [attempt(case, ERROR, lost)],
    }[word]


def replace_port(reason: Reason) -> Reason:
    return Reason(code=reason.code, text=reason.text.replace("exited 1", "exited 7"), side=reason.side)


def run(words: Mapping[Case, str]) -> Merged:
    return merged_of({case: tries(case, word) for case, word in words.items()})


def one(base: str | None, head: str | None) -> Change | None:
    case, other = CASES[0], CASES[1]
    then, now = ({other: "green", **({case: word} if word else {})} for word in (base, head))
    found = compare(run(then), run(now)).differences
    return found[0].change if found else None


@pytest.mark.parametrize(
    ("base", "head", "change"),
    [
        ("green", "green", None),
        ("green", "red", Change.NEWLY_FAILING),
        ("flaky", "red", Change.NEWLY_FAILING),
        ("unsupported", "red", Change.NEWLY_FAILING),
        ("red", "red", Change.STILL_FAILING),
        ("red", "red again", Change.STILL_FAILING),
        ("red", "red otherwise", Change.CHANGED_REASON),
        ("red", "green", Change.FIXED),
        ("red", "flaky", Change.NEWLY_FLAKY),
        ("green", "flaky", Change.NEWLY_FLAKY),
        ("flaky", "flaky", None),
        ("flaky", "green", None),
        ("green", "unsupported", Change.NEWLY_UNSUPPORTED),
        ("red", "unsupported", Change.NEWLY_UNSUPPORTED),
        ("green", "missing", Change.MISSING),
        ("red", "error", Change.MISSING),
        ("missing", "error", None),
        ("missing", "green", Change.NEW),
        # Nobody knows whether it would have been green: a base that did not run proves nothing.
        ("error", "red", Change.NEW),
        (None, "red", Change.NEW),
        (None, "missing", None),
        ("green", None, Change.REMOVED),
    ],
)
def test_what_became_of_a_case(base: str | None, head: str | None, change: Change | None) -> None:
    assert one(base, head) is change


@unhurried
@given(
    st.lists(st.sampled_from(["green", "flaky", "red", "unsupported", "missing", "error"]), min_size=8, max_size=8),
    st.lists(st.sampled_from(["green", "flaky", "red", "unsupported", "missing", "error"]), min_size=8, max_size=8),
)
def test_each_case_is_counted_once(before: list[str], after: list[str]) -> None:
    base, head = (
        run(dict(zip(CASES[start : start + 8], words, strict=True))) for start, words in ((0, before), (4, after))
    )
    found = compare(base, head)
    assert len(found.differences) + found.unchanged == 12
    assert compare(head, head).of(Change.NEWLY_FAILING) == ()
    assert sum(len(it.failing) for it in found.culprits) == len(found.of(Change.NEWLY_FAILING))
    assert json.loads(json.dumps(as_document(found)))["counts"]["unchanged"] == found.unchanged
    assert list(as_lines(found))
    assert as_markdown(found)


# --- culprits ---------------------------------------------------------------------------------------------


def regression(*broken: Case) -> Comparison:
    return compare(run(dict.fromkeys(CASES, "green")), run({it: "red" if it in broken else "green" for it in CASES}))


@pytest.mark.parametrize(
    ("broken", "factors"),
    [
        ([it for it in CASES if it.second == "go-v1"], (("listener", "go-v1"),)),
        ([it for it in CASES if it.first == "go-v1"], (("dialer", "go-v1"),)),
        ([it for it in CASES if "go-v1" in it.pair], (("version", "go-v1"),)),
        ([it for it in CASES if "yamux" in it.words], (("muxer", "yamux"),)),
        (
            [it for it in CASES if it.second == "go-v1" and "yamux" in it.words],
            (("listener", "go-v1"), ("muxer", "yamux")),
        ),
        ([it for it in CASES if it.pair == ("go-v1", "js-v1")], (("dialer", "go-v1"), ("listener", "js-v1"))),
    ],
)
def test_what_newly_failing_cases_have_in_common(broken: list[Case], factors: tuple[tuple[str, str], ...]) -> None:
    [culprit] = regression(*broken).culprits
    assert culprit.factors == factors
    assert len(culprit.failing) == culprit.of == len(broken)


def test_noise_does_not_hide_a_culprit() -> None:
    """Two cells of elsewhere fail as well, and one of those that should does not."""
    broken = [it for it in CASES if it.second == "go-v1"][1:]
    stray = [STACKS[0].case("js-v1", "py-v1"), STACKS[3].case("rust-v1", "rust-v1")]
    first, *others = regression(*broken, *stray).culprits
    assert (first.factors, len(first.failing), first.of) == ((("listener", "go-v1"),), 15, 16)
    assert [(it.factors, len(it.failing)) for it in others] == [((), 1), ((), 1)]


def test_one_cell_alone_blames_nobody() -> None:
    [culprit] = regression(CASES[5]).culprits
    assert culprit.factors == ()


# --- what changed -----------------------------------------------------------------------------------------


def on(case: Case, image: str, *, version: str = "20.10", load: float = 1.0, key: str = "k") -> Attempt:
    roles = {
        "dialer": RoleRecord(version=case.first, family="js", image_digest="sha256:same"),
        "listener": RoleRecord(version=case.second, family="go", image_digest=f"sha256:{image}", build_key=key),
    }
    return replace(attempt(case), roles=roles, engine={"version": version}, host={"load1": load})


def test_inputs_that_changed_are_told() -> None:
    case = STACKS[0].case("js-v1", "go-v1")
    red = replace(on(case, "b", version="28.0", load=9.0, key="l"), outcome=FAILED, metrics={})
    [found] = compare(merged_of({case: [on(case, "a")]}), merged_of({case: [red]})).differences
    assert found.inputs == (
        InputChange(what="image of go-v1", base="sha256:a", head="sha256:b"),
        InputChange(what="sources of go-v1", base="k", head="l"),
        InputChange(what="engine version", base="20.10", head="28.0"),
    )
    said = list(as_lines(compare(merged_of({case: [on(case, "a")]}), merged_of({case: [red]}))))
    assert "  what changed: image of go-v1: sha256:a → sha256:b" in said
    assert said[-1] == "1 newly failing, 0 unchanged"


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    broken = [it for it in CASES if it.second == "go-v1" and "yamux" in it.words]
    found = regression(*broken)
    write_merged(tmp_path / "base" / "merged.json", found.base)
    write_merged(tmp_path / "head" / "merged.json", found.head)
    return str(tmp_path / "base"), str(tmp_path / "head")


def test_a_regression_exits_1_and_its_repair_0(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    base, head = folders
    assert main(["compare", base, head]) == ExitCode.FAILED
    said = capsys.readouterr().out
    assert "  all 8 have listener go-v1 and muxer yamux (8 of 8 cases with it fail)\n" in said
    assert said.endswith("8 newly failing, 56 unchanged\n")
    assert main(["compare", head, base]) == ExitCode.GREEN
    assert capsys.readouterr().out.endswith("8 fixed, 56 unchanged\n")
    assert main(["compare", head, base, "--fail-on", "fixed,new"]) == ExitCode.FAILED
    assert main(["compare", head, f"{base}/merged.json", "--format", "json"]) == ExitCode.GREEN
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["counts"]["fixed"] == 8


def test_a_failure_that_was_expected_fails_nothing(folders: tuple[str, str]) -> None:
    base, head = map(given_run, folders)
    known = Expectation(id="one", select=("go",), expect=Expected.FAIL)
    cases = tuple(
        MergedCase(case=it.case, result=it.result, attempts=it.attempts, expectation=known) for it in head.cases
    )
    found = compare(base, Merged(plan=head.plan, cases=cases, suite=head.suite))
    assert len(found.of(Change.NEWLY_FAILING)) == 8
    assert found.gating([Change.NEWLY_FAILING]) == ()
    assert any(line.endswith("(expected: one)") for line in as_lines(found))


def test_what_is_no_run_is_said(tmp_path: Path, folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for given_, said in (
        (str(tmp_path / "empty"), "holds no merged.json"),
        (str(tmp_path / "none"), "cannot read"),
        ("http://127.0.0.1:9/merged.json", "cannot fetch"),
    ):
        assert main(["compare", given_, folders[1]]) == ExitCode.CONFIGURATION
        assert said in capsys.readouterr().out
    assert main(["compare", *folders, "--fail-on", "newly-faling"]) == ExitCode.CONFIGURATION
    assert "did you mean `newly-failing`?" in capsys.readouterr().out
    quic = SUITES["quic"].words
    other = quic.case("a", "b", "retry")
    with pytest.raises(ConfigurationError, match="a run of the suite transport cannot be compared with one of quic"):
        compare(given_run(folders[0]), Merged(plan="p", cases=(), suite=merged_of({other: [attempt(other)]}).suite))


@pytest.fixture
def served(folders: tuple[str, str]) -> Iterator[str]:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(Path(folders[0]).parent))  # type: ignore[arg-type]

        def log_message(self, *arguments: object) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_run_may_be_an_address(folders: tuple[str, str], served: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert given_run(f"{served}/base/merged.json") == given_run(folders[0])
    with pytest.raises(ConfigurationError, match="404"):
        given_run(f"{served}/other/merged.json")


def test_markdown_is_inert_and_cut_at_a_line() -> None:
    hostile = [Stack("tcp", "noise", "yamux").case(f"<b>`@all`|{number}", "b") for number in range(2000)]
    text = as_markdown(compare(run(dict.fromkeys(hostile, "green")), run(dict.fromkeys(hostile, "red"))))
    assert len(text) <= LONGEST_MARKDOWN + 200
    assert text.rstrip().endswith("more")
    assert "<b>`" not in text
    assert all(line.count("`") % 2 == 0 for line in text.splitlines())
