"""Results in the QUIC Interop Runner's format: every planned case once, at the right place, in a valid document."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from interop_runs import case, mixed_run, outcomes, run_of, tried
from record_strategies import unhurried
from referencing import Registry, Resource

from ci.__main__ import main
from ci.errors import ConfigurationError, ExitCode
from ci.model import Outcome
from ci.reports.page_names import page_names
from ci.results.merged import Merged
from ci.results.merged_file import write_merged
from ci.suites.quic.reports.export import interop_export
from ci.suites.registry import SUITES

ROOT: Final = Path(__file__).parents[2]
GOLDEN: Final = ROOT / "tests" / "data" / "quic-interop-runner.json"
P, F = Outcome.PASSED, Outcome.FAILED
URLS: Final = {"a-v10": "https://a.example", "elsewhere": "https://x.example"}


def schema(name: str) -> Any:
    return json.loads((ROOT / "docs" / name).read_text(encoding="utf-8"))


SCHEMA: Final = schema("quic-interop-runner.schema.json")
REGISTRY: Final[Registry[Any]] = Registry().with_resource(
    "results.schema.json", Resource.from_contents(schema("results.schema.json"))
)
VALIDATOR: Final = jsonschema.Draft202012Validator(SCHEMA, registry=REGISTRY)


def export(merged: Merged, **options: Any) -> Any:
    """As a reader gets it, and valid."""
    document = json.loads(json.dumps(interop_export(merged, **{"urls": URLS, "log_dir": "logs", **options})))
    VALIDATOR.validate(document)
    return document


def results(document: Mapping[str, Any], client: str, server: str) -> dict[str, Any]:
    """What a reader of the established format finds for a pair."""
    index = document["clients"].index(client) * len(document["servers"]) + document["servers"].index(server)
    items = [*document["results"][index], *document["measurements"][index]]
    assert len({item["name"] for item in items}) == len(items)
    return {item["name"]: item["result"] for item in items}


def test_the_schema_is_one_and_names_everything_that_is_written() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    document = export(mixed_run())
    assert set(SCHEMA["properties"]) == set(document)
    items = [item for pair in document["results"] + document["measurements"] for item in pair]
    assert set(SCHEMA["$defs"]["item"]["properties"]) == {key for item in items for key in item}


def test_a_file_of_the_established_runner_is_valid() -> None:
    """Only the keys of section 5.2, with the values it shows."""
    VALIDATOR.validate(
        {
            "start_time": 1735689600.25,
            "end_time": 1735693200,
            "log_dir": "logs_2025-01-01T00:00:00",
            "servers": ["srv"],
            "clients": ["cli", "other"],
            "urls": {"srv": "https://srv.example", "cli": "https://cli.example"},
            "tests": {"H": {"name": "handshake", "desc": "Handshake completes."}},
            "quic_version": "0x1",
            "results": [[{"abbr": "H", "name": "handshake", "result": "succeeded"}], []],
            "measurements": [[{"name": "goodput", "abbr": "G", "result": "succeeded", "details": "9 (± 1) kbps"}], []],
        }
    )


@pytest.mark.parametrize(
    "change",
    [
        {"results": [[{"abbr": "H", "name": "handshake", "result": "passed"}]]},
        {"measurements": [[{"abbr": "G", "name": "goodput", "result": "failed"}]]},
        {"start_time": "2026-11-21T10:00:00Z"},
        {"tests": ["H"]},
        {"quic_version": 1},
    ],
)
def test_what_the_established_format_does_not_allow_is_invalid(change: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid({**export(mixed_run()), **change})


def test_golden() -> None:
    text = json.dumps(interop_export(mixed_run(), urls=URLS, log_dir="nightly"), indent=1, sort_keys=True) + "\n"
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_each_outcome_has_the_established_word() -> None:
    words = {
        Outcome.PASSED: "succeeded",
        Outcome.FAILED: "failed",
        Outcome.TIMED_OUT: "failed",
        Outcome.UNSUPPORTED: "unsupported",
        Outcome.NOT_RUN: None,
        Outcome.ERROR: None,
    }
    names = ("handshake", "transfer", "retry", "ecn", "v2", "http3")
    merged = outcomes({("c", "s", name): outcome for name, outcome in zip(names, words, strict=True)})
    assert list(results(export(merged), "c", "s").values()) == [
        "succeeded",  # handshake
        "failed",  # transfer
        "failed",  # retry
        None,  # http3
        "unsupported",  # ecn
        None,  # v2
    ]


def test_a_flaky_case_succeeded_and_says_so() -> None:
    one = case("c", "s", "retry")
    merged = run_of({one: [tried(one, Outcome.FAILED), tried(one, Outcome.PASSED, attempt=2)]})
    item = export(merged)["results"][0][0]
    assert (item["result"], item["flaky"], item["attempts"]) == ("succeeded", True, 2)
    assert item["reason"]["code"] == "wrong-traffic"


def test_the_raw_verdict_stays_beside_the_derived_one() -> None:
    merged = outcomes({(c, s, "retry"): F if c == "a" else P for c in "ab" for s in "xy"})
    item = export(merged)["results"][0][0]
    assert (item["result"], item["raw"], item["outcome"]) == ("unsupported", "failed", "failed")
    assert results(export(merged, exempt={"a"}), "a", "x") == {"retry": "failed"}
    assert export(merged, exempt={"a"})["noAutoUnsupported"] == ["a"]


def test_superseded_attempts_do_not_count() -> None:
    one = case("c", "s", "retry")
    merged = run_of({one: [tried(one, Outcome.FAILED, durations={"total": 5000.0}), tried(one, Outcome.PASSED)]})
    (merged_case,) = merged.cases
    merged = dataclasses.replace(merged, cases=(dataclasses.replace(merged_case, superseded=frozenset({0})),))
    item = export(merged)["results"][0][0]
    assert (item["attempts"], item["seconds"]) == (1, 0)


def test_nothing_was_tried() -> None:
    document = export(outcomes({("c", "s", "goodput"): Outcome.NOT_RUN}))
    assert (document["start_time"], document["end_time"]) == (0, 0)
    assert document["results"] == [[]]
    # As the established runner leaves out a measurement that came to nothing.
    assert document["measurements"] == [[]]


@pytest.mark.parametrize("outcome", Outcome)
def test_a_measurement_is_there_when_it_came_to_something(outcome: Outcome) -> None:
    document = export(outcomes({("c", "s", "goodput"): outcome, ("c", "s", "retry"): outcome}))
    assert len(document["measurements"][0]) == outcome.conclusive
    assert len(document["results"][0]) == 1


def test_names_are_such_that_a_page_can_select_by_them() -> None:
    cells = {("aioquic-v1.7", server, "retry"): P for server in ("aioquic-v1-7", "quic_go", "QUIC-GO", "7up", "ok")}
    document = export(outcomes(cells), urls={"quic_go": "https://q.example"})
    assert document["clients"] == ["aioquic-v1-7-2"]
    assert document["servers"] == ["v7up", "QUIC-GO", "aioquic-v1-7", "ok", "quic-go-2"]
    assert document["urls"]["quic-go-2"] == "https://q.example"
    assert document["versions"]["aioquic-v1-7-2"] == "aioquic-v1.7"
    assert results(document, "aioquic-v1-7-2", "quic-go-2") == {"retry": "succeeded"}


@unhurried
@given(st.lists(st.text(st.sampled_from("aA1.-_ é"), min_size=1, max_size=4)))
def test_each_version_has_a_name_of_its_own(versions: list[str]) -> None:
    names = page_names(versions)
    assert set(names) == set(versions)
    assert len({name.lower() for name in names.values()}) == len(names)
    assert all(re.fullmatch("[A-Za-z][A-Za-z0-9-]*", name) for name in names.values())
    assert page_names(reversed(versions)) == names
    assert all(page_names([name]) == {name: name} for name in names.values())


@unhurried
@given(st.data(), st.sampled_from(("quic", "webtransport")))
def test_every_planned_case_is_there_exactly_once(data: st.DataObject, suite: str) -> None:
    keys = st.tuples(
        st.sampled_from("abc"), st.sampled_from("bcd"), st.sampled_from(SUITES[suite].words.params[0].words)
    )
    cells = data.draw(st.dictionaries(keys, st.sampled_from(Outcome), min_size=1))
    document = export(outcomes(cells, suite))
    clients, servers = document["clients"], document["servers"]
    assert clients == sorted({client for client, _, _ in cells})
    assert servers == sorted({server for _, server, _ in cells})
    assert len(document["results"]) == len(document["measurements"]) == len(clients) * len(servers)
    found = {
        (client, server, name): result
        for client in clients
        for server in servers
        for name, result in results(document, client, server).items()
    }
    measured = {"goodput", "crosstraffic"}
    assert set(found) == {key for key, outcome in cells.items() if outcome.conclusive or key[2] not in measured}
    for key, result in found.items():
        assert (result == "succeeded") == (cells[key] is Outcome.PASSED)
        assert (result is None) == (cells[key] in (Outcome.NOT_RUN, Outcome.ERROR))
    assert {(test["name"]) for test in document["tests"].values()} == {name for _, _, name in cells}


# --- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def merged_file(tmp_path: Path) -> Path:
    path = tmp_path / "merged.json"
    write_merged(path, mixed_run())
    return path


def run(*words: str) -> int:
    return main(
        ["export-results", *words, "--format", "quic-interop-runner", "--versions", str(ROOT / "versions.yaml")]
    )


def test_the_command_writes_beside_the_results(merged_file: Path) -> None:
    assert run(str(merged_file)) == ExitCode.GREEN
    document = json.loads(merged_file.with_name("result.json").read_text(encoding="utf-8"))
    assert document["log_dir"] == "nightly"
    assert results(document, "a-v10", "s-v1")["v2"] == "unsupported"


def test_the_command_takes_a_file_and_who_is_exempt(merged_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "out.json"
    words = ("--no-auto-unsupported", "s-*, b-v9", "--log-dir", "logs/x", "-o", str(output))
    assert run(str(merged_file), *words) == ExitCode.GREEN
    document = json.loads(output.read_text(encoding="utf-8"))
    assert document["noAutoUnsupported"] == ["b-v9", "s-v1"]
    assert document["log_dir"] == "logs/x"
    assert results(document, "a-v10", "s-v1")["v2"] == "failed"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-auto-unsupported", "a-v1"], "did you mean `a-v10`"),
        (["-o", "/dev/null/x"], "cannot write /dev/null/x"),
    ],
)
def test_mistakes_are_explained(
    merged_file: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(str(merged_file), *words) == ExitCode.CONFIGURATION
    assert said in capsys.readouterr().out


def test_results_of_the_transport_suite_have_no_such_form() -> None:
    with pytest.raises(ConfigurationError, match="transport suite"):
        interop_export(Merged(plan="p", suite=SUITES["transport"].words, cases=()), urls={}, log_dir="")
