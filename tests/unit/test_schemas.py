"""The published schemas against what is really written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import attempts, records, unhurried
from referencing import Registry, Resource
from runs import FAILED, PASSED, PLANNED_OUT, QUIC, YAMUX, attempt, bytes_of, merged_of, plan_of, start, write_shard

from ci.model import Outcome
from ci.results.merge import merge
from ci.results.merged import ShardState
from ci.results.merged_file import merged_from
from ci.results.record_lines import from_json, to_json, to_line
from ci.results.records import Attempt, Record, with_proof
from ci.results.shard_file import RESULTS_FILE
from ci.suites.registry import SUITES, known_suites
from ci.suites.schemas import schemas
from ci.suites.transport.words import TRANSPORT

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
    tried = [with_proof(attempt, TRANSPORT) for attempt in tried]
    document = json.loads(bytes_of(merged_of({QUIC.case("a", "b"): tried})))
    merged_validator.validate(document)
    document["cases"][0]["somethingNew"] = 1
    merged_validator.validate(document)
    assert bytes_of(merged_from(json.dumps(document).encode(), known_suites())) == bytes_of(
        merged_of({QUIC.case("a", "b"): tried})
    )


def test_a_real_run_is_valid(tmp_path: Path) -> None:
    cases = [YAMUX.case("a-v1", "b-v1"), YAMUX.case("b-v1", "a-v1"), QUIC.case("b-v1", "b-v1")]
    tried = [attempt(cases[0], FAILED), attempt(cases[0], PASSED, attempt=2, kind="retry")]
    tried.append(attempt(cases[1], Outcome.NOT_RUN, PLANNED_OUT))
    folder = write_shard(tmp_path, tried, begin=start("1/2"), ends=False)
    for line in (folder / RESULTS_FILE).read_bytes().splitlines():
        line_validator.validate(json.loads(line))
    merged = merge([folder], plan_of(cases), suites=known_suites())
    merged_validator.validate(json.loads(bytes_of(merged)))
    assert {shard.state for shard in merged.shards} == {ShardState.TRUNCATED, ShardState.MISSING}


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "success"},
        {"kind": "again"},
        {"attempt": 0},
        {"shard": "0/8"},
        {"reason": {"code": "moon", "text": ""}},
        {"roles": {"no role": {"version": "v", "family": "f"}}},
        {"startedAt": "yesterday"},
        {"metrics": {"ping": "7"}},
        {"published": [1]},
        {"schema": 2},
        {"type": "atempt"},
    ],
)
def test_what_the_reader_refuses_is_invalid(change: dict[str, Any]) -> None:
    document = to_json(attempt(QUIC.case("a", "b")))
    line_validator.validate(document)
    from_json(document)
    assert not line_validator.is_valid({**document, **change})


@pytest.mark.parametrize("name", schemas(known_suites()))
def test_the_published_schemas_are_made_of_the_classes(name: str) -> None:
    assert schemas(known_suites())[name] == schema(name), "write it: nox -s schemas"


def test_the_schema_names_every_field_that_is_written() -> None:
    written = to_json(attempt(QUIC.case("a", "b"), FAILED))
    assert set(RESULTS["$defs"]["Attempt"]["properties"]) == set(written)
    assert set(RESULTS["$defs"]["Reason"]["properties"]) == set(written["reason"])
    merged = json.loads(bytes_of(merged_of({QUIC.case("a", "b"): [attempt(QUIC.case("a", "b"))]})))
    assert set(MERGED["properties"]) == set(merged)
    assert set(MERGED["$defs"]["TransportCaseDocument"]["properties"]) == set(merged["cases"][0])
    over_a_network = SUITES["quic"].words.case("a", "b", "retry")
    merged = json.loads(bytes_of(merged_of({over_a_network: [attempt(over_a_network)]})))
    merged_validator.validate(merged)
    assert set(MERGED["$defs"]["WebtransportCaseDocument"]["properties"]) == set(merged["cases"][0])
