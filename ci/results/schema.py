"""The JSON Schemas of a shard's results and of merged ones, made of the classes and of what their docstrings say.

`make schemas` writes them to docs/, and a test holds the files to the classes.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from ci.errors import ExitCode
from ci.model import Reason, Suites
from ci.results.aggregate import Flaky
from ci.results.case_fields import with_case_fields
from ci.results.merged_document import CaseDocument, CountsDocument, MergedDocument, MergedShard
from ci.results.record_lines import REASON_LIMIT
from ci.results.records import SCHEMA, Attempt, EvidenceFile, Record, Reused, RoleRecord, RunEnd, RunStart

__all__ = ["merged_schema", "results_schema"]

_DESCRIBED: Final = (RunStart, Attempt, RunEnd, RoleRecord, EvidenceFile, Reused, Reason)
_MERGED: Final = (MergedDocument, CountsDocument, MergedShard, Flaky)
# What `merge-results` comes to; the others never get as far as a file.
_EXIT_CODES: Final = [int(code) for code in ExitCode if code not in (ExitCode.CONFIGURATION, ExitCode.INTERRUPTED)]
_PARAM: Final = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)


def results_schema(suites: Suites) -> dict[str, Any]:
    """One line of `results.jsonl`."""
    found: dict[str, Any] = json.loads(json.dumps(msgspec.json.schema(Record)))  # defaults are tuples
    _describe(found["$defs"], _DESCRIBED)
    attempt = found["$defs"]["Attempt"]["properties"]
    # What types do not say.
    attempt["params"]["anyOf"] = [{"required": [key]} for key in _first_params(suites)]
    found["$defs"]["Reason"]["properties"]["text"]["maxLength"] = REASON_LIMIT
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of a shard's results.jsonl",
        "description": f"Format {SCHEMA}. Unknown keys are allowed everywhere and must be ignored.",
        **found,
    }


def merged_schema(suites: Suites) -> dict[str, Any]:
    """The file `merged.json`. What a shard's results hold too is not described twice."""
    by_contract = {suite.contract: suite for suite in suites.values()}
    kinds = [with_case_fields(CaseDocument, suite, nested=True) for suite in by_contract.values()]
    whole: Any = MergedDocument[CaseDocument]
    schemas, definitions = msgspec.json.schema_components([whole, *kinds])
    known = set(results_schema(suites)["$defs"])
    found = _elsewhere(json.loads(json.dumps(definitions)), known)
    document = found.pop(_name(schemas[0]))
    _describe(found | {"MergedDocument": document}, _MERGED)
    for schema in schemas[1:]:
        _describe_one(found[_name(schema)], CaseDocument)
    document["properties"]["cases"]["items"] = {"anyOf": list(schemas[1:])}
    document["properties"]["exitCode"] = {**document["properties"]["exitCode"], "enum": _EXIT_CODES}
    # A reader may be lenient; this is what has always been written.
    document["required"] = ["schema", "plan", "suite", "counts", "exitCode", "shards", "cases"]
    used = json.dumps([document, *found.values()])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **document,
        "title": "merged.json: the merged results of a run",
        "description": f"Format {SCHEMA}. Unknown keys are allowed everywhere and must be ignored.",
        "$defs": {name: it for name, it in found.items() if f'"#/$defs/{name}"' in used},
    }


def _elsewhere(value: Any, known: AbstractSet[str]) -> Any:
    """The definitions with references into the other schema for all that is there."""
    if isinstance(value, list):
        return [_elsewhere(item, known) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(reference := value.get("$ref"), str) and reference.rpartition("/")[2] in known:
        return {"$ref": f"results.schema.json{reference}"}
    return {name: _elsewhere(item, known) for name, item in value.items() if name not in known}


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _first_params(suites: Suites) -> list[str]:
    return list(dict.fromkeys(suite.params[0].key for suite in suites.values()))


def _describe(definitions: dict[str, Any], kinds: Iterable[type]) -> None:
    for definition in definitions.values():
        definition.pop("description", None)  # of an enumeration Python's own
    for kind in kinds:
        _describe_one(definitions[kind.__name__], kind)


def _describe_one(definition: dict[str, Any], kind: type) -> None:
    text = inspect.getdoc(kind) or ""
    definition["description"] = text.partition("\n\n")[0].replace("\n", " ")
    names = {field.name: field.encode_name for field in msgspec.inspect.type_info(kind).fields}  # type: ignore[attr-defined]
    for name, said in _PARAM.findall(text):
        definition["properties"][names[name]]["description"] = " ".join(said.split())
