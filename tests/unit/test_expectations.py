"""What is known of cases: read strictly, said of cases without doubt, and never more than an excuse for red."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from runs import FAILED, PASSED, attempt, bytes_of, plan_of, start, write_shard

from ci.config.catalogue import Catalogue, load
from ci.config.yaml_source import SourceError
from ci.errors import ConfigurationError, ExitCode
from ci.model import Expectation, Expected, Outcome, Reason, ReasonCode
from ci.plan.expected import expected_cases
from ci.results.aggregate import CaseVerdict, Flaky, Result, verdict
from ci.results.merge import merge
from ci.results.merged import Merged
from ci.results.merged_file import merged_from
from ci.results.records import EvidenceFile
from ci.suites.registry import known_suites
from ci.suites.transport.words import Stack

ROOT = Path(__file__).resolve().parents[2]
TLS = Stack("tcp", "tls", "yamux")
VERSIONS = """\
schema: 1
versions:
  - {id: a-v1, family: a, image: "example.org/a:1", transports: [tcp], secureChannels: [tls, noise], muxers: [yamux]}
  - {id: b-v1, family: b, image: "example.org/b:1", transports: [tcp], secureChannels: [tls], muxers: [yamux]}
"""

Loader = Callable[..., Catalogue]


@pytest.fixture
def loaded(tmp_path: Path) -> Loader:
    """A catalogue with these expectations; lines of a list."""

    def make(expectations: str, *overlays: str) -> Catalogue:
        (tmp_path / "versions.yaml").write_text(VERSIONS + "expectations:\n" + expectations)
        files = [tmp_path / f"overlay-{number}.yaml" for number in range(len(overlays))]
        for file, text in zip(files, overlays, strict=True):
            file.write_text("expectations:\n" + text)
        return load(tmp_path / "versions.yaml", known_suites(), expectations=files)

    return make


# --- reading ----------------------------------------------------------------------------------------------


def test_every_key_is_read(loaded: Loader, tmp_path: Path) -> None:
    [found] = loaded(
        """\
  - id: b-tls
    select: ["listener:b", "dialer:b and tls"]
    expect: fail
    reason: it verifies self-signed certificates
    link: https://example.org/issues/1
    since: 2026-11-02
    expires: "2027-05-01"
    owner: b/b
    code: dialer-exit
    matches: unknown (ca|certificate)
"""
    ).expectations
    assert found == Expectation(
        id="b-tls",
        select=("listener:b", "dialer:b and tls"),
        expect=Expected.FAIL,
        reason="it verifies self-signed certificates",
        link="https://example.org/issues/1",
        since=date(2026, 11, 2),
        expires=date(2027, 5, 1),
        owner="b/b",
        code=ReasonCode.DIALER_EXIT,
        matches="unknown (ca|certificate)",
        place=f"{tmp_path}/versions.yaml:6",
    )


def test_an_empty_list_is_what_everybody_hopes_for(loaded: Loader) -> None:
    assert loaded("  []").expectations == ()


@pytest.mark.parametrize(
    ("entry", "place", "complaint"),
    [
        ("{select: tls, expect: fail}", "6:5", "key `id` is missing"),
        ("{id: one, expect: fail}", "6:5", "key `select` is missing"),
        ("{id: one, select: tls}", "6:5", "key `expect` is missing"),
        ("{id: one, select: tls, expect: fails}", "6:36", "unknown expectation `fails`: did you mean `fail`?"),
        ("{id: one, select: tls, expect: fail, resaon: x}", "6:42", "unknown key `resaon`: did you mean `reason`?"),
        ("{id: one, select: [], expect: fail}", "6:23", "`select` lists nothing: name the cases"),
        ("{id: one, select: tsl, expect: fail}", "6:23", "expectation `one`: `tsl` matches nothing: did you mean"),
        ("{id: one, select: 'a and', expect: fail}", "6:23", "expectation `one`: `a and`: ` and ` stands between"),
        ("{id: one x, select: tls, expect: fail}", "6:10", "id `one x`: use letters, digits"),
        ("{id: one, select: tls, expect: fail, since: 2. 11. 2026}", "6:49", "`since` must be a day such as 2026-11"),
        ("{id: one, select: tls, expect: fail, since: 2026-02-30}", "6:49", "`since` must be a day such as 2026-11-02"),
        ("{id: one, select: tls, expect: fail, expires: 2026-W45-1}", "6:51", "`expires` must be a day such as"),
        ("{id: one, select: tls, expect: fail, expires: 20261102}", "6:51", "`expires` must be a day such as"),
        (
            "{id: one, select: tls, expect: fail, since: 2026-11-02, expires: 2026-11-02}",
            "6:70",
            "it expires on 2026-11-02, before it began on 2026-11-02",
        ),
        ("{id: one, select: tls, expect: fail, link: nowhere}", "6:48", "link `nowhere` must be an address (https"),
        ("{id: one, select: tls, expect: fail, owner: 'a b'}", "6:49", "owner `a b` must be a GitHub name or"),
        (
            "{id: one, select: tls, expect: fail, code: dailer-exit}",
            "6:48",
            "unknown reason code `dailer-exit`: did you mean `dialer-exit`?",
        ),
        ("{id: one, select: tls, expect: fail, matches: '['}", "6:51", "`[` is no regular expression: "),
        ("{id: one, select: tls, expect: unsupported, matches: x}", "6:58", "`matches` says how a case fails, and"),
        ("tls", "6:5", "an expectation must be a mapping"),
    ],
)
def test_a_mistake_has_its_place(loaded: Loader, entry: str, place: str, complaint: str) -> None:
    with pytest.raises(SourceError) as caught:
        loaded(f"  - {entry}\n")
    [problem] = caught.value.problems
    assert str(problem).split("versions.yaml:")[1].startswith(f"{place}: {complaint}")


def test_ids_are_unique_over_all_files(loaded: Loader) -> None:
    entry = "  - {id: one, select: tls, expect: fail}\n"
    with pytest.raises(SourceError, match=r"overlay-0\.yaml:2:5: expectation `one` is already there, at .*:6:5"):
        loaded(entry, entry)


def test_an_overlay_holds_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="key `expectations` is missing"):
        load(
            _written(tmp_path / "versions.yaml", VERSIONS),
            known_suites(),
            expectations=[_written(tmp_path / "other.yaml", "schema: 1\n")],
        )
    with pytest.raises(SourceError, match="unknown key `versions`"):
        load(
            _written(tmp_path / "versions.yaml", VERSIONS),
            known_suites(),
            expectations=[_written(tmp_path / "other.yaml", VERSIONS + "expectations: []\n")],
        )


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# --- of which case ----------------------------------------------------------------------------------------


def test_an_expectation_is_said_of_the_cases_it_selects(loaded: Loader) -> None:
    found = expected_cases(loaded("  - {id: one, select: 'listener:b and tls', expect: fail}\n"))
    assert {key: it.id for key, it in found.by_key.items()} == {
        TLS.case(dialer, "b-v1").key: "one" for dialer in ("a-v1", "b-v1")
    }
    assert found.idle == ()


def test_one_that_fits_no_case_is_idle(loaded: Loader) -> None:
    found = expected_cases(loaded("  - {id: one, select: 'listener:b and noise', expect: fail}\n"))
    assert [it.id for it in found.idle] == ["one"]


def test_two_of_one_case_are_a_conflict(loaded: Loader) -> None:
    with pytest.raises(
        ConfigurationError, match=r"`one` at .*versions\.yaml:6 and `two` at .*versions\.yaml:7"
    ) as caught:
        expected_cases(loaded("  - {id: one, select: tls, expect: fail}\n  - {id: two, select: b, expect: flaky}\n"))
    assert caught.value.reference == "expectation-conflict"


def test_what_an_overlay_says_comes_first(loaded: Loader) -> None:
    found = expected_cases(
        loaded(
            "  - {id: one, select: tls, expect: fail}\n",
            "  - {id: two, select: 'dialer:a and tls', expect: flaky}\n",
        )
    )
    assert found.by_key[TLS.case("a-v1", "b-v1").key].id == "two"
    assert found.by_key[TLS.case("b-v1", "a-v1").key].id == "one"


# --- what a result means ----------------------------------------------------------------------------------

GREEN, FLAKY, UNEXPECTED, EXPECTED, STALE = (
    CaseVerdict(word) for word in ("green", "flaky", "unexpected", "expected", "stale")
)
RED = Result(outcome=FAILED, reason=Reason(code=ReasonCode.DIALER_EXIT, text="the dialer exited 1"))
RESULTS = {
    "passed": Result(outcome=PASSED),
    "flaky": Result(outcome=PASSED, flaky=Flaky(passed=1, of=2)),
    "red": RED,
    "unsupported": Result(outcome=Outcome.UNSUPPORTED),
    "refused": Result(outcome=Outcome.UNSUPPORTED, reason=Reason(code=ReasonCode.EXIT_127, text="127")),
}


@pytest.mark.parametrize(
    ("expect", "meanings"),
    [
        (Expected.FAIL, (STALE, FLAKY, EXPECTED, EXPECTED, CaseVerdict.UNSUPPORTED)),
        (Expected.FLAKY, (GREEN, EXPECTED, EXPECTED, EXPECTED, CaseVerdict.UNSUPPORTED)),
        (Expected.UNSUPPORTED, (STALE, STALE, UNEXPECTED, CaseVerdict.UNSUPPORTED, CaseVerdict.UNSUPPORTED)),
    ],
)
def test_what_was_measured_against_what_was_expected(expect: Expected, meanings: tuple[CaseVerdict, ...]) -> None:
    known = Expectation(id="one", select=("tls",), expect=expect)
    assert tuple(verdict(it, known) for it in RESULTS.values()) == meanings


@pytest.mark.parametrize("expect", Expected)
def test_what_is_missing_or_broke_is_excused_by_nothing(expect: Expected) -> None:
    known = Expectation(id="one", select=("tls",), expect=expect)
    for outcome, code in (
        (Outcome.NOT_RUN, ReasonCode.SHARD_MISSING),
        (Outcome.NOT_RUN, ReasonCode.PLANNED_OUT),
        (Outcome.ERROR, ReasonCode.ENGINE_LOST),
    ):
        result = Result(outcome=outcome, reason=Reason(code=code, text="so"))
        assert verdict(result, known) is verdict(result)


def test_red_in_another_way_is_unexpected() -> None:
    for expect in (Expected.FAIL, Expected.FLAKY):
        known = Expectation(id="one", select=("tls",), expect=expect)
        assert verdict(RED, known, differs=True) is UNEXPECTED
    assert verdict(RESULTS["flaky"], known, differs=True) is FLAKY


# --- a run ------------------------------------------------------------------------------------------------

CASE = TLS.case("a-v1", "b-v1")
OTHER = TLS.case("b-v1", "a-v1")


def run(tmp_path: Path, known: Expectation, *, written: str = "", text: str = "the dialer exited 1") -> Merged:
    reason = Reason(code=ReasonCode.DIALER_EXIT, text=text, side="dialer")
    (tmp_path / "dialer.stderr.txt").write_text(written)
    kept = EvidenceFile(role="dialer", stream="stderr", path="dialer.stderr.txt", size=0, sha256="0" * 64)
    red = attempt(CASE, FAILED, reason, evidence=(kept,))
    folder = write_shard(tmp_path, [red, attempt(OTHER)], begin=start(), plan=plan_of([CASE, OTHER]))
    return merge([folder], suites=known_suites(), expected={CASE.key: known})


def expectation(**more: object) -> Expectation:
    return Expectation(id="one", select=("tls",), expect=Expected.FAIL, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "meaning"),
    [
        (expectation(), EXPECTED),
        (expectation(code=ReasonCode.DIALER_EXIT), EXPECTED),
        (expectation(code=ReasonCode.LISTENER_EXIT), UNEXPECTED),
        (expectation(matches="exited [0-9]"), EXPECTED),
        (expectation(matches="unknown certificate authority"), EXPECTED),
        (expectation(matches="connection refused"), UNEXPECTED),
        (expectation(code=ReasonCode.LISTENER_EXIT, matches="exited"), UNEXPECTED),
    ],
)
def test_the_signature_is_looked_for_in_the_reason_and_in_what_was_written(
    tmp_path: Path, known: Expectation, meaning: CaseVerdict
) -> None:
    merged = run(tmp_path, known, written="starting\nremote error: tls: unknown certificate authority\n")
    assert [case.verdict for case in merged.cases] == [meaning, GREEN]
    assert merged.cases[0].differs is (meaning is UNEXPECTED)
    assert merged.exit_code() is (ExitCode.GREEN if meaning is EXPECTED else ExitCode.FAILED)
    assert merged.counts.expected == (meaning is EXPECTED)
    # What was measured stays what it was.
    assert merged.cases[0].result.outcome is FAILED
    again = merged_from(bytes_of(merged), known_suites())
    assert again == merged
    assert again.cases[0].expectation == known


def test_hostile_output_is_read_in_part_and_line_by_line(tmp_path: Path) -> None:
    known = expectation(matches="^needle$")
    assert run(tmp_path, known, written="x" * (2 << 20) + "\nneedle\n").cases[0].verdict is UNEXPECTED
    assert run(tmp_path, known, written="x" * 5000 + "\n\0\n\x1b[1m\nneedle\n").cases[0].verdict is EXPECTED
    (tmp_path / "dialer.stderr.txt").unlink()
    folder = write_shard(tmp_path / "b", [attempt(CASE, FAILED)], begin=start(), plan=plan_of([CASE]))
    merged = merge([folder], suites=known_suites(), expected={CASE.key: known})
    assert merged.cases[0].verdict is UNEXPECTED


def test_a_stale_expectation_is_red_on_demand(tmp_path: Path) -> None:
    folder = write_shard(tmp_path, [attempt(CASE)], begin=start(), plan=plan_of([CASE]))
    merged = merge([folder], suites=known_suites(), expected={CASE.key: expectation()})
    assert merged.cases[0].verdict is STALE
    assert not merged.cases[0].differs
    assert merged.counts.stale == 1
    assert merged.exit_code() is ExitCode.GREEN
    assert merged.exit_code(strict=True) is ExitCode.FAILED


def test_a_merged_file_that_names_no_expectation_is_refused(tmp_path: Path) -> None:
    data = bytes_of(run(tmp_path, expectation())).replace(b'"id":"one"', b'"id":"two"')
    with pytest.raises(ConfigurationError, match="`expectations` holds no 'one', named by a-v1 x b-v1"):
        merged_from(data, known_suites())


# --- this repository --------------------------------------------------------------------------------------


def test_those_of_this_repository_are_each_said_of_a_case_and_why() -> None:
    catalogue = load(ROOT / "versions.yaml", known_suites())
    assert expected_cases(catalogue).idle == ()
    assert [it.id for it in catalogue.expectations if not it.reason or not it.since] == []
