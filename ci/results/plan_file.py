"""The plan as merging sees it: the JSON document that `list --json` prints.

A shard's folder carries a copy, so results can be merged on a machine that has nothing else of the checkout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ci.errors import ConfigurationError
from ci.model import Case, SuiteName
from ci.results.case_json import case_from_json, params_from_json, suite_from_json
from ci.util.given_files import read_given
from ci.util.json_fields import Fields, Json, decode

__all__ = ["PLAN_FILE", "PlanDocument", "PlannedCase", "read_plan"]

PLAN_FILE: Final = "plan.json"
SCHEMA: Final = 1


@dataclass(frozen=True, kw_only=True)
class PlannedCase:
    """A case of the plan.

    :param key: joins it with its records
    :param selected: whether it is to be run
    :param why: what selected or ignored it
    :param seconds: how long it is expected to take
    """

    name: str
    key: str
    case: Case
    selected: bool = True
    why: str | None = None
    seconds: float | None = None


@dataclass(frozen=True, kw_only=True)
class PlanDocument:
    """Every case there is, in the plan's order, and the digest by which results belong to it."""

    plan: str
    cases: tuple[PlannedCase, ...]
    suite: SuiteName = "transport"

    @cached_property
    def selected(self) -> tuple[PlannedCase, ...]:
        """What is to be run, in the plan's order."""
        return tuple(case for case in self.cases if case.selected)


def read_plan(source: Path | Mapping[str, Json]) -> PlanDocument:
    """The plan in a file, or in a document already decoded.

    :raises ConfigurationError: `plan-unreadable`, `plan-malformed`
    """
    if isinstance(source, Path):
        where = str(source)
        try:
            document = decode(read_given(source))
        except OSError as error:
            raise ConfigurationError(
                "plan-unreadable",
                f"cannot read the plan {source}: {error.strerror or error}",
                hint="give the plan that the shards were run with, or fetch the shards' folders whole",
            ) from error
        except ValueError as error:
            raise ConfigurationError("plan-malformed", f"{source} is not JSON: {error}") from error
    else:
        where, document = "the plan", dict(source)
    try:
        return _plan(document)
    except ConfigurationError as error:
        raise ConfigurationError(
            "plan-malformed",
            f"{where}: {error.message}",
            why="it was edited, or written by another version of this tool",
            hint="write it again with `list --json`",
        ) from error


def _plan(document: object) -> PlanDocument:
    fields = Fields(document, "plan")
    if fields.integer("schema") != SCHEMA:
        raise fields.refusal("schema", f"must be {SCHEMA}, the format this version reads")
    suite = suite_from_json(fields)
    cases = tuple(_case(item, suite) for item in fields.sequence("cases"))
    for what, values in (("key", [case.key for case in cases]), ("name", [case.name for case in cases])):
        if len(set(values)) != len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise fields.refusal("cases", f"holds two cases of the {what} {twice!r}")
    return PlanDocument(plan=fields.text("plan"), cases=cases, suite=suite)


def _case(document: object, suite: SuiteName) -> PlannedCase:
    fields = Fields(document, "case")
    case = case_from_json(fields, params_from_json(fields, suite))
    return PlannedCase(
        name=fields.text("name"),
        key=fields.optional_text("key") or case.key,
        case=case,
        selected=fields.boolean("selected", default=True),
        why=fields.optional_text("why"),
        seconds=fields.optional_number("seconds"),
    )
