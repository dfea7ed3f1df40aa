"""Writes the published JSON Schemas, for the files of every suite: `python -m ci.suites.schemas docs`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci.config.schema import versions_schema
from ci.results.schema import merged_schema, results_schema
from ci.suites.registry import known_suites

if TYPE_CHECKING:
    from ci.model import Suites

__all__ = ["schemas"]


def schemas(suites: Suites) -> dict[str, dict[str, Any]]:
    """Each schema by the name of its file."""
    return {
        "versions.schema.json": versions_schema(suites),
        "results.schema.json": results_schema(suites),
        "merged.schema.json": merged_schema(suites),
    }


if __name__ == "__main__":
    for name, schema in schemas(known_suites()).items():
        (Path(sys.argv[1]) / name).write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
