"""The JSON Schema of a shard's results, made of the records' classes and of what their docstrings say of each field.

`python -m ci.results.schema > docs/results.schema.json` writes it, and a test holds the file to the classes.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from typing import Any, Final, get_args

import msgspec

from ci.model import Reason, Role
from ci.results.record_lines import REASON_LIMIT
from ci.results.records import SCHEMA, Attempt, EvidenceFile, Record, Reused, RoleRecord, RunEnd, RunStart

__all__ = ["results_schema"]

_DESCRIBED: Final = (RunStart, Attempt, RunEnd, RoleRecord, EvidenceFile, Reused, Reason)
_PARAM: Final = re.compile(r"^:param (\w+): (.*?)(?=^:|\Z)", re.MULTILINE | re.DOTALL)


def results_schema() -> dict[str, Any]:
    """One line of `results.jsonl`."""
    found: dict[str, Any] = json.loads(json.dumps(msgspec.json.schema(Record)))  # defaults are tuples
    definitions = found["$defs"]
    for definition in definitions.values():
        definition.pop("description", None)  # of an enumeration Python's own
    for kind in _DESCRIBED:
        definition = definitions[kind.__name__]
        definition["description"] = inspect.getdoc(kind).partition("\n\n")[0].replace("\n", " ")  # type: ignore[union-attr]
        for name, text in _said_of_fields(kind):
            definition["properties"][name]["description"] = text
    # What types do not say.
    attempt = definitions["Attempt"]["properties"]
    attempt["params"]["anyOf"] = [{"required": ["transport"]}, {"required": ["testCase"]}]
    attempt["roles"]["propertyNames"] = {"enum": list(get_args(Role))}
    definitions["Reason"]["properties"]["text"]["maxLength"] = REASON_LIMIT
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "One line of a shard's results.jsonl",
        "description": f"Format {SCHEMA}. Unknown keys are allowed everywhere and must be ignored.",
        **found,
    }


def _said_of_fields(kind: type) -> Iterator[tuple[str, str]]:
    names = {field.name: field.encode_name for field in msgspec.inspect.type_info(kind).fields}  # type: ignore[attr-defined]
    for name, text in _PARAM.findall(inspect.getdoc(kind) or ""):
        yield names[name], " ".join(text.split())


if __name__ == "__main__":
    json.dump(results_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
