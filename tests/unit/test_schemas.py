"""The published schemas against what is really written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import attempts, records, unhurried
from referencing import Registry, Resource
from runs import FAILED, PASSED, PLANNED_OUT, QUIC, YAMUX, attempt, merged_of, plan_of, start, write_shard

from ci.errors import ExitCode
from ci.model import Case, Exercise, Outcome
from ci.results.aggregate import CaseVerdict
from ci.results.merge import merge
from ci.results.merged import Merged, ShardState
from ci.results.record_lines import from_json, to_json, to_line
from ci.results.records import Attempt, Record
from ci.results.schema import results_schema
from ci.results.shard_file import RESULTS_FILE

DOCS: Final = Path(__file__).parents[2] / "docs"


def schema(name: str) -> Any:
    return json.loads((DOCS / name).read_text(encoding="utf-8"))


RESULTS: Final = schema("results.schema.json")
MERGED: Final = schema("merged.schema.json")
REGISTRY: Final[Registry[Any]] = Registry().with_resource("results.schema.json", Resource.from_contents(RESULTS))
line_validator: Final = jsonschema.Draft202012Validator(RESULTS)
merged_validator: Final = jsonschema.Draft202012Validator(MERGED, registry=REGISTRY)


@pytest.mark.parametrize("published", [RESULTS, MERGED])
def test_the_schemas_are_schemas(published: Any) -> None:
    jsonschema.Draft202012Validator.check_schema(published)


@unhurried
@given(records)
def test_every_line_that_can_be_written_is_valid(record: Record) -> None:
    line_validator.validate(json.loads(to_line(record)))


@unhurried
@given(records, st.dictionaries(st.from_regex(r"x[A-Za-z]{1,8}", fullmatch=True), st.integers(), min_size=1))
def test_unknown_keys_are_allowed(record: Record, more: dict[str, int]) -> None:
    line_validator.validate({**to_json(record), **more})


@unhurried
@given(st.lists(attempts, min_size=1, max_size=3))
def test_every_merged_case_is_valid(tried: list[Attempt]) -> None:
    document = merged_of({Case("a", "b", QUIC): tried}).to_json()
    merged_validator.validate(document)
    document["cases"][0]["somethingNew"] = 1
    merged_validator.validate(document)
    assert Merged.from_json(document).to_json() == merged_of({Case("a", "b", QUIC): tried}).to_json()


def test_a_real_run_is_valid(tmp_path: Path) -> None:
    cases = [Case("a-v1", "b-v1", YAMUX), Case("b-v1", "a-v1", YAMUX), Case("b-v1", "b-v1", QUIC)]
    tried = [attempt(cases[0], FAILED), attempt(cases[0], PASSED, attempt=2, kind="retry")]
    tried.append(attempt(cases[1], Outcome.NOT_RUN, PLANNED_OUT))
    folder = write_shard(tmp_path, tried, begin=start("1/2"), ends=False)
    for line in (folder / RESULTS_FILE).read_bytes().splitlines():
        line_validator.validate(json.loads(line))
    merged = merge([folder], plan_of(cases))
    merged_validator.validate(merged.to_json())
    assert {shard.state for shard in merged.shards} == {ShardState.TRUNCATED, ShardState.MISSING}


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "success"},
        {"kind": "again"},
        {"attempt": 0},
        {"shard": "0/8"},
        {"reason": {"code": "moon", "text": ""}},
        {"roles": {"servant": {"version": "v", "family": "f"}}},
        {"startedAt": "yesterday"},
        {"metrics": {"ping": "7"}},
        {"published": [1]},
        {"schema": 2},
        {"type": "atempt"},
    ],
)
def test_what_the_reader_refuses_is_invalid(change: dict[str, Any]) -> None:
    document = to_json(attempt(Case("a", "b", QUIC)))
    line_validator.validate(document)
    from_json(document)
    assert not line_validator.is_valid({**document, **change})


def test_the_published_schema_is_made_of_the_records() -> None:
    assert results_schema() == RESULTS, "write it: python -m ci.results.schema > docs/results.schema.json"


def test_closed_lists_are_the_same_in_code_and_schema() -> None:
    case = MERGED["$defs"]["case"]["properties"]
    assert case["verdict"]["enum"] == [str(verdict) for verdict in CaseVerdict]
    assert set(MERGED["properties"]["exitCode"]["enum"]) < {int(code) for code in ExitCode}


def test_the_schema_names_every_field_that_is_written() -> None:
    written = to_json(attempt(Case("a", "b", QUIC), FAILED))
    assert set(RESULTS["$defs"]["Attempt"]["properties"]) == set(written)
    assert set(RESULTS["$defs"]["Reason"]["properties"]) == set(written["reason"])
    merged = merged_of({Case("a", "b", QUIC): [attempt(Case("a", "b", QUIC))]}).to_json()
    assert set(MERGED["properties"]) == set(merged)
    named = set(MERGED["$defs"]["case"]["properties"])
    assert named - {"client", "server"} == set(merged["cases"][0])
    over_a_network = Case("a", "b", Exercise("quic", "retry"))
    merged = replace(merged_of({over_a_network: [attempt(over_a_network)]}), suite="quic").to_json()
    merged_validator.validate(merged)
    assert named - {"dialer", "listener"} == set(merged["cases"][0])
