from __future__ import annotations

import itertools
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from record_strategies import unhurried
from runs import FAILED, PASSED, PLAN, PLANNED_OUT, QUIC, YAMUX, attempt, bytes_of, plan_of, start, write_shard

from ci.errors import ConfigurationError, ExitCode
from ci.model import Case, Outcome, Reason, ReasonCode
from ci.results.aggregate import CaseVerdict
from ci.results.merge import find_shards, merge
from ci.results.merged import ShardState
from ci.results.merged_file import merged_from, read_merged, write_merged
from ci.results.records import EvidenceFile
from ci.results.shard_file import RESULTS_FILE, ResultsWriter
from ci.suites.registry import known_suites
from ci.util.json_document import canonical

CASES = [YAMUX.case(dialer, listener) for dialer in ("a-v1", "b-v1", "c-v1") for listener in ("a-v1", "b-v1")]
DOCUMENT = plan_of(CASES, ignored=[QUIC.case("z-v1", "z-v1")])


def three_shards(root: Path) -> list[Path]:
    """Six green cases in three shards of two."""
    return [
        write_shard(
            root / f"shard-{n}-of-3",
            [attempt(case) for case in CASES[2 * n - 2 : 2 * n]],
            begin=start(f"{n}/3"),
            plan=DOCUMENT,
        )
        for n in (1, 2, 3)
    ]


def refused(*arguments: Any, **named: Any) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        merge(*arguments, **named, suites=known_suites())
    assert caught.value.exit_code is ExitCode.CONFIGURATION
    assert caught.value.hint
    return caught.value


def test_a_whole_run_is_green(tmp_path: Path) -> None:
    merged = merge(three_shards(tmp_path), suites=known_suites())
    assert [case.name for case in merged.cases] == [case.name for case in CASES]
    assert {case.verdict for case in merged.cases} == {CaseVerdict.GREEN}
    assert merged.counts.planned == merged.counts.of(PASSED) == 6
    assert merged.exit_code() is ExitCode.GREEN


def test_the_plan_may_be_given_instead(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    copies = merge(folders, suites=known_suites())
    for folder in folders:
        (folder / "plan.json").unlink()
    assert merge(folders, DOCUMENT, suites=known_suites()) == copies
    assert refused(folders).reference == "plan-missing"


# --- order and repetition ---------------------------------------------------------------------------------


def test_any_order_and_any_repetition_give_the_same_bytes(tmp_path: Path) -> None:
    folders = three_shards(tmp_path / "run")
    again = Path(shutil.copytree(folders[1], tmp_path / "artifact-of-two"))
    wanted = canonical(json.loads(bytes_of(merge(folders, suites=known_suites()))))
    for order in itertools.permutations([*folders, again]):
        assert canonical(json.loads(bytes_of(merge(order, suites=known_suites())))) == wanted
    assert canonical(json.loads(bytes_of(merge([*folders, *folders], suites=known_suites())))) == wanted


def test_the_file_reads_back(tmp_path: Path) -> None:
    merged = merge(three_shards(tmp_path / "run"), suites=known_suites())
    write_merged(tmp_path / "merged.json", merged)
    first = (tmp_path / "merged.json").read_bytes()
    assert read_merged(tmp_path / "merged.json", known_suites()) == merged
    write_merged(tmp_path / "merged.json", read_merged(tmp_path / "merged.json", known_suites()))
    assert (tmp_path / "merged.json").read_bytes() == first


@unhurried
@given(
    outcomes=st.lists(st.lists(st.sampled_from(Outcome), max_size=3), min_size=6, max_size=6),
    order=st.permutations(range(3)),
    ends=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_nothing_planned_drops_out(
    tmp_path_factory: pytest.TempPathFactory,
    outcomes: list[list[Outcome]],
    order: list[int],
    ends: list[bool],
) -> None:
    root = tmp_path_factory.mktemp("run")
    folders = []
    for n in range(3):
        tried = [
            attempt(CASES[position], outcome, attempt=number)
            for position in (2 * n, 2 * n + 1)
            for number, outcome in enumerate(outcomes[position], 1)
        ]
        folders.append(write_shard(root / str(n), tried, begin=start(f"{n + 1}/3"), ends=ends[n]))
    merged = merge([folders[n] for n in order], DOCUMENT, suites=known_suites())
    assert [case.name for case in merged.cases] == [case.name for case in CASES]
    assert sum(merged.counts.outcomes.values()) == merged.counts.planned == 6
    assert merged_from(json.dumps(json.loads(bytes_of(merged))).encode(), known_suites()) == merged
    assert bytes_of(merge(folders, DOCUMENT, suites=known_suites())) == bytes_of(merged)
    # Each case stands on a line of its own; otherwise it is the one form there is.
    assert bytes_of(merged).replace(b"\n", b"") == canonical(json.loads(bytes_of(merged)))
    if not all(ends) or not all(outcomes):
        assert merged.exit_code() is not ExitCode.GREEN
    for case, tried_outcomes in zip(merged.cases, outcomes, strict=True):
        assert len(case.attempts) == len(tried_outcomes)


# --- what is missing --------------------------------------------------------------------------------------


def test_a_deleted_shard(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    shutil.rmtree(folders[1])
    merged = merge([folders[0], folders[2]], suites=known_suites())
    assert merged.exit_code() is ExitCode.INCOMPLETE
    missing = [case for case in merged.cases if case.result.outcome is Outcome.NOT_RUN]
    assert [case.name for case in missing] == [case.name for case in CASES[2:4]]
    for case in missing:
        assert case.result.reason is not None
        assert case.result.reason.code is ReasonCode.SHARD_MISSING
        assert case.result.reason.text == "no shard reported this case (missing: 2/3)"
    assert [shard.state for shard in merged.shards] == [
        ShardState.COMPLETE,
        ShardState.MISSING,
        ShardState.COMPLETE,
    ]


def test_cut_last_bytes(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    path = folders[1] / RESULTS_FILE
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]) + lines[2][:-20])  # the end is gone, the second attempt torn
    merged = merge(folders, suites=known_suites())
    assert merged.cases[2].verdict is CaseVerdict.GREEN
    reason = merged.cases[3].result.reason
    assert reason is not None
    assert (reason.code, reason.text) == (
        ReasonCode.SHARD_TRUNCATED,
        "no shard reported this case (cut short: 2/3)",
    )
    assert merged.shards[1].torn == 1
    assert merged.exit_code() is ExitCode.INCOMPLETE


def test_an_end_that_reports_less_than_it_planned_is_no_whole_shard(tmp_path: Path) -> None:
    """Whatever else the end line says: its own two numbers differ."""
    with ResultsWriter(tmp_path / "one", start("1/1")) as writer:
        writer.append(attempt(CASES[0]))
        writer.finish(planned=2, reported=1, ok=True)
    merged = merge([tmp_path / "one"], plan_of(CASES[:2]), suites=known_suites())
    assert [shard.state for shard in merged.shards] == [ShardState.TRUNCATED]
    assert merged.exit_code() is ExitCode.INCOMPLETE


def test_an_end_that_says_of_itself_that_it_is_none_is_no_whole_shard(tmp_path: Path) -> None:
    with ResultsWriter(tmp_path / "one", start("1/1")) as writer:
        writer.append(attempt(CASES[0]))
        writer.finish(planned=1, reported=1, ok=False)
    merged = merge([tmp_path / "one"], plan_of(CASES[:1]), suites=known_suites())
    assert [shard.state for shard in merged.shards] == [ShardState.TRUNCATED]


def test_only_the_end_line_is_gone(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    path = folders[1] / RESULTS_FILE
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    merged = merge(folders, suites=known_suites())
    assert merged.counts.of(PASSED) == 6
    assert merged.shards[1].state is ShardState.TRUNCATED
    assert merged.exit_code() is ExitCode.INCOMPLETE


def test_missing_and_truncated_are_told_apart_where_the_division_is_known(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    (folders[1] / RESULTS_FILE).write_bytes((folders[1] / RESULTS_FILE).read_bytes().splitlines(keepends=True)[0])
    shutil.rmtree(folders[2])
    owed = {case.key: f"{number // 2 + 1}/3" for number, case in enumerate(CASES)}
    merged = merge(folders[:2], shard_of=owed, suites=known_suites())
    reasons = [case.result.reason for case in merged.cases]
    codes = [None if reason is None else reason.code for reason in reasons]
    assert codes == [None] * 2 + [ReasonCode.SHARD_TRUNCATED] * 2 + [ReasonCode.SHARD_MISSING] * 2


def test_a_shard_that_nobody_knows_of_is_named_where_it_owes_a_case(tmp_path: Path) -> None:
    folder = write_shard(tmp_path / "a", [attempt(CASES[0])], begin=start("1/1"), plan=DOCUMENT)
    merged = merge([folder], shard_of={CASES[1].key: "2/2"}, suites=known_suites())
    reason = merged.cases[1].result.reason
    assert reason is not None
    assert (reason.code, reason.text) == (ReasonCode.SHARD_MISSING, "no shard reported this case (missing: 2/2)")
    assert merged.unselected == 1


@pytest.mark.parametrize(("count", "text"), [(9, "9/9"), (10, "9/10 and 1 more")])
def test_of_many_missing_shards_eight_are_named(tmp_path: Path, count: int, text: str) -> None:
    folder = write_shard(tmp_path / "a", [attempt(CASES[0])], begin=start(f"1/{count}"), plan=DOCUMENT)
    reason = merge([folder], suites=known_suites()).cases[1].result.reason
    assert reason is not None
    assert reason.text.endswith(f"8/{count}, {text})")


def test_nothing_at_all_is_not_green(tmp_path: Path) -> None:
    merged = merge([], DOCUMENT, suites=known_suites())
    assert merged.counts.of(Outcome.NOT_RUN) == 6
    reasons = {case.result.reason for case in merged.cases}
    text = "no shard reported this case (no shard's results were given)"
    assert reasons == {Reason(code=ReasonCode.SHARD_MISSING, text=text, side="harness")}
    assert merged.exit_code() is ExitCode.INCOMPLETE
    (tmp_path / RESULTS_FILE).touch()
    merged = merge([tmp_path], DOCUMENT, suites=known_suites())
    assert merged.unreadable
    assert merged.exit_code() is ExitCode.INCOMPLETE


def test_an_empty_selection(tmp_path: Path) -> None:
    folder = write_shard(tmp_path / "a", [], begin=start(), plan=plan_of([]))
    assert merge([folder], suites=known_suites()).exit_code() is ExitCode.NOTHING_SELECTED


def test_planned_out_is_grey(tmp_path: Path) -> None:
    tried = [attempt(CASES[0]), *(attempt(case, Outcome.NOT_RUN, PLANNED_OUT) for case in CASES[1:])]
    merged = merge([write_shard(tmp_path / "a", tried, begin=start())], DOCUMENT, suites=known_suites())
    assert [case.verdict for case in merged.cases] == [CaseVerdict.GREEN] + [CaseVerdict.GREY] * 5
    assert merged.counts.planned_out == 5
    assert merged.exit_code() is ExitCode.GREEN
    assert merged.exit_code(require_complete=True) is ExitCode.INCOMPLETE


# --- duplicates and mixtures ------------------------------------------------------------------------------


def test_the_higher_ci_attempt_of_a_shard_wins(tmp_path: Path) -> None:
    one = [attempt(case, FAILED) for case in CASES]
    two = [attempt(case, ci_attempt=2) for case in CASES]
    first = write_shard(tmp_path / "z", one, begin=start(run="r9"))
    second = write_shard(tmp_path / "a", two, begin=start(run="r1", ci_attempt=2))
    assert merge([first, second], DOCUMENT, suites=known_suites()) == merge(
        [second, first], DOCUMENT, suites=known_suites()
    )
    assert merge([first, second], DOCUMENT, suites=known_suites()).exit_code() is ExitCode.GREEN


def test_the_same_attempt_with_other_content_is_refused(tmp_path: Path) -> None:
    first = write_shard(tmp_path / "one", [attempt(case) for case in CASES], begin=start())
    second = write_shard(tmp_path / "two", [attempt(case, FAILED) for case in CASES], begin=start())
    error = refused([second, first], DOCUMENT)
    assert error.reference == "shard-conflict"
    assert f"{first} and {second}" in error.message


def test_another_plan_is_refused_by_name(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    other = write_shard(tmp_path / "stranger", [], begin=start("2/3", plan="sha256:" + "b" * 64))
    error = refused([*folders, other])
    assert error.reference == "plan-mixture"
    assert f"stranger belongs to another plan: it has plan sha256:{'b' * 64} and the run's is" in error.message


def test_an_edited_copy_of_the_plan_is_refused(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    (folders[2] / "plan.json").write_text(json.dumps(plan_of(CASES[:4])), encoding="utf-8")
    error = refused(folders)
    assert error.reference == "plan-mixture"
    assert "shard-3-of-3 belongs to another plan: it has " in error.message
    assert "the same digest, but other cases, and that of " in error.message


def test_divisions_are_not_mixed(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    half = write_shard(tmp_path / "half", [attempt(CASES[5])], begin=start("2/2"))
    assert "2/2, 1/3" in refused([*folders[:1], half], DOCUMENT).message


def test_a_case_in_two_shards_is_refused(tmp_path: Path) -> None:
    folders = three_shards(tmp_path)
    shutil.rmtree(folders[1])
    folders[1] = write_shard(folders[1], [attempt(CASES[0])], begin=start("2/3"))
    assert refused(folders, DOCUMENT).reference == "case-conflict"


@pytest.mark.parametrize("case", [QUIC.case("z-v1", "z-v1"), QUIC.case("new-v1", "new-v1")])
def test_what_the_plan_does_not_select_is_refused(tmp_path: Path, case: Case) -> None:
    folder = write_shard(tmp_path / "a", [attempt(case)], begin=start())
    assert refused([folder], DOCUMENT).reference == "case-unplanned"


def test_a_name_under_anothers_key_is_refused(tmp_path: Path) -> None:
    renamed = replace(attempt(CASES[0]), case="<script>")
    folder = write_shard(tmp_path / "a", [renamed], begin=start())
    assert refused([folder], DOCUMENT).reference == "case-unplanned"


# --- re-runs ----------------------------------------------------------------------------------------------


def rerun(root: Path, outcome: Outcome) -> Path:
    new = attempt(CASES[0], outcome, kind="rerun", supersedes=f"r1/{CASES[0].key}/2")
    return write_shard(root, [new], begin=start("1/1", run="r2"))


def failing(root: Path) -> Path:
    red = [attempt(CASES[0], FAILED), attempt(CASES[0], FAILED, attempt=2, kind="retry")]
    return write_shard(root, [*red, *(attempt(case) for case in CASES[1:])], begin=start(), plan=DOCUMENT)


def test_a_rerun_supersedes_and_the_old_stays_visible(tmp_path: Path) -> None:
    folders = [failing(tmp_path / "one"), rerun(tmp_path / "two", PASSED)]
    merged = merge(folders, suites=known_suites())
    assert merged == merge(folders[::-1], suites=known_suites())
    assert merged.cases[0].verdict is CaseVerdict.GREEN
    assert [one.outcome for one in merged.cases[0].attempts] == [FAILED, FAILED, PASSED]
    assert merged.cases[0].superseded == {0, 1}
    assert [shard.rerun for shard in merged.shards] == [False, True]
    assert merged.exit_code() is ExitCode.GREEN


def test_a_rerun_of_what_was_never_planned_is_refused(tmp_path: Path) -> None:
    stranger = QUIC.case("new-v1", "new-v1")
    new = attempt(stranger, kind="rerun", supersedes=f"r1/{stranger.key}/1")
    again = write_shard(tmp_path / "two", [new], begin=start("1/1", run="r2"))
    assert refused([failing(tmp_path / "one"), again]).reference == "case-unplanned"


def test_reruns_come_in_the_order_they_were_made(tmp_path: Path) -> None:
    """Whatever they and their folders are called."""

    def of(name: str, hour: int, outcome: Outcome) -> Path:
        new = attempt(
            CASES[0], outcome, kind="rerun", supersedes=f"r1/{CASES[0].key}/2", started_at=f"2026-11-02T{hour}:00:00Z"
        )
        return write_shard(tmp_path / name, [replace(new, run=name)], begin=start("1/1", run=name))

    folders = [failing(tmp_path / "one"), of("a", 13, PASSED), of("b", 12, FAILED)]
    merged = merge(folders, suites=known_suites())
    assert [one.run for one in merged.cases[0].attempts] == ["r1", "r1", "b", "a"]


def test_a_rerun_that_broke_hides_nothing(tmp_path: Path) -> None:
    merged = merge([failing(tmp_path / "one"), rerun(tmp_path / "two", Outcome.ERROR)], suites=known_suites())
    assert merged.cases[0].verdict is CaseVerdict.UNEXPECTED


def test_a_rerun_that_was_ended_before_its_first_result_is_no_slice(tmp_path: Path) -> None:
    begin = replace(start("1/1", run="r2"), rerun=True)
    merged = merge(
        [failing(tmp_path / "one"), write_shard(tmp_path / "two", [], begin=begin, ends=False)], suites=known_suites()
    )
    assert [shard.rerun for shard in merged.shards] == [False, True]
    assert len(merged.cases[0].attempts) == 2


def test_a_green_rerun_alone_is_incomplete(tmp_path: Path) -> None:
    merged = merge([rerun(tmp_path, PASSED)], DOCUMENT, suites=known_suites())
    assert merged.counts.of(PASSED) == 1
    assert merged.exit_code() is ExitCode.INCOMPLETE


# --- strangers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "",
        ".",
        "a//b",
        "./a",
        "C:/x",
        "C:x",
        "a\\..\\b",
        "\\\\host",
        "a\x00b",
    ],
)
def test_an_evidence_path_never_leaves_its_folder(tmp_path: Path, path: str) -> None:
    file = EvidenceFile(role="dialer", stream="stdout", path=path, size=1, sha256="0" * 64)
    folder = write_shard(tmp_path / "a", [attempt(CASES[0], evidence=(file,))], begin=start())
    error = refused([folder], DOCUMENT)
    assert error.reference == "evidence-escapes"
    assert "\x00" not in error.message


def test_a_good_path_is_kept(tmp_path: Path) -> None:
    file = EvidenceFile(role="dialer", stream="stdout", path="a_b/tcp, x/..log", size=1, sha256="0" * 64)
    folder = write_shard(tmp_path / "a", [attempt(CASES[0], evidence=(file,))], begin=start())
    assert merge([folder], DOCUMENT, suites=known_suites()).cases[0].attempts[0].evidence == (file,)


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "/"])
@pytest.mark.parametrize("name", ["evidence/log.txt", "plan.json"])
def test_a_link_out_is_refused(tmp_path: Path, target: str, name: str) -> None:
    (tmp_path / "outside").write_text("secret", encoding="utf-8")
    folder = write_shard(tmp_path / "a", [attempt(CASES[0])], begin=start())
    (folder / "evidence").mkdir()
    (folder / name).symlink_to(target)
    assert refused([folder], DOCUMENT).reference == "evidence-escapes"


def test_a_link_inside_is_fine_and_a_fifo_is_not(tmp_path: Path) -> None:
    folder = write_shard(tmp_path / "a", [attempt(CASES[0])], begin=start())
    (folder / "latest").symlink_to(RESULTS_FILE)
    (folder / "loop").symlink_to(".")
    merge([folder], DOCUMENT, suites=known_suites())
    os.mkfifo(folder / "pipe")
    assert "neither a file nor a folder" in refused([folder], DOCUMENT).message


def test_hostile_reasons_are_only_data(tmp_path: Path) -> None:
    text = "</script>|`\n\x00\ud800../../\x1b[2J"
    bad = attempt(CASES[0], FAILED, Reason(code=ReasonCode.SIGNAL, text=text))
    merged = merge([write_shard(tmp_path / "a", [bad], begin=start())], DOCUMENT, suites=known_suites())
    document = canonical(json.loads(bytes_of(merged)))
    assert document.isascii()
    assert b"\n" not in document
    reason = merged_from(json.dumps(json.loads(document)).encode(), known_suites()).cases[0].result.reason
    assert reason is not None
    assert reason.text == text


# --- finding shards, reading plans ------------------------------------------------------------------------


def test_shards_are_found_below_a_run(tmp_path: Path) -> None:
    folders = three_shards(tmp_path / "run")
    (folders[0] / "evidence").mkdir()
    (folders[0] / "evidence" / RESULTS_FILE).write_text("a trap")
    assert list(find_shards([tmp_path])) == folders
    assert list(find_shards([folders[2], tmp_path / "run"])) == [folders[2], *folders[:2]]


def test_shards_are_found_in_the_order_of_their_names(tmp_path: Path) -> None:
    names = [f"shard-{number}" for number in (7, 3, 9, 1, 5, 2, 8, 6, 4)]
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / RESULTS_FILE).touch()
    assert [it.name for it in find_shards([tmp_path])] == sorted(names)


def test_a_path_without_results_is_an_error(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ConfigurationError, match="holds no"):
            find_shards([path])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"schema": 2}, "it is of format 2, and this version reads format 1"),
        ({"plan": None}, "Expected `str`, got `null` - at `$.plan`"),
        ({"cases": {}}, "Expected `array`, got `object` - at `$.cases`"),
        ({"cases": [{"name": "x"}]}, "Object missing required field `dialer` - at `$.cases[0]`"),
        (
            {"cases": [{"name": "x", "transport": "tcp", "dialer": "x"}]},
            "missing required field `listener` - at `$.cases[0]`",
        ),
        (
            {"suite": "quic", "cases": [{"name": "x", "testCase": "retry"}]},
            "missing required field `client` - at `$.cases[0]`",
        ),
        ({"suite": "quik", "cases": []}, "`suite` is none of transport, quic, webtransport: 'quik'"),
        ({"cases": [DOCUMENT["cases"][0]] * 2}, "two cases of the key"),
    ],
)
def test_a_bad_plan_is_named(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({**DOCUMENT, **change}), encoding="utf-8")
    error = refused([], path)
    assert error.reference == "plan-malformed"
    assert complaint in error.message
    assert str(path) in error.message


def test_a_plan_that_is_no_json_or_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(b"{\xff")
    with pytest.raises(ConfigurationError, match="is not JSON"):
        merge([], tmp_path / "plan.json", suites=known_suites())
    assert refused([], tmp_path / "absent.json").reference == "plan-unreadable"


def test_a_plan_without_keys_still_joins(tmp_path: Path) -> None:
    for row in (document := plan_of(CASES))["cases"]:
        del row["key"]
    folder = write_shard(tmp_path / "a", [attempt(case) for case in CASES], begin=start())
    assert merge([folder], document, suites=known_suites()).exit_code() is ExitCode.GREEN
    assert merge([folder], document, suites=known_suites()).plan == PLAN
