"""The plan of a run and its document: what `list --json` prints, and what each shard keeps a copy of.

With a copy in every shard's folder, results can be merged on a machine that has nothing else of the checkout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from ci.errors import ConfigurationError
from ci.model import Case, Suites, SuiteWords
from ci.results.case_fields import case_fields, case_from, suite_named, with_case_fields
from ci.util.collection import no_collection
from ci.util.given_files import read_given
from ci.util.json_document import Json, decode_as

__all__ = ["PLAN_FILE", "SCHEMA", "Plan", "PlannedCase", "read_plan"]

PLAN_FILE: Final = "plan.json"
SCHEMA: Final = 1


@dataclass(frozen=True, kw_only=True)
class PlannedCase:
    """One case of the matrix and what the plan does with it.

    :param selected: whether it is to be run
    :param why: what selected or ignored it
    :param seconds: how long it is expected to take
    """

    case: Case
    selected: bool
    why: str
    seconds: float

    @property
    def name(self) -> str:
        return self.case.name

    @property
    def key(self) -> str:
        """Joins it with its records."""
        return self.case.key


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All cases in the order of the matrix.

    :param digest: by which results belong to it, `sha256:` and 64 hexadecimal digits
    """

    digest: str
    cases: tuple[PlannedCase, ...]
    suite: SuiteWords

    @cached_property
    def selected(self) -> tuple[PlannedCase, ...]:
        """What is to be run, in the plan's order."""
        return tuple(planned for planned in self.cases if planned.selected)

    @property
    def seconds(self) -> float:
        """The estimate for all selected cases, run one after the other."""
        return round(sum(planned.seconds for planned in self.selected), 1)

    def to_json(self) -> str:
        """The document, one case a line."""
        document: dict[str, object] = {"schema": SCHEMA, "plan": self.digest}
        if not self.suite.implied:
            document["suite"] = self.suite.name
        document["cases"] = [_entry(one) for one in self.cases]
        # One call is four times as fast as one per case. An unescaped quote never stands inside a string, so
        # this breaks lines between cases only.
        text = json.dumps(document)
        return text.replace('[{"name": ', '[\n{"name": ').replace(', {"name": ', ',\n{"name": ') + "\n"


@no_collection()
def read_plan(source: Path | bytes | Mapping[str, Json], suites: Suites) -> Plan:
    """The plan in a file, or in a document; keys nobody knows are passed over.

    :raises ConfigurationError: `plan-unreadable`, `plan-malformed`
    """
    where = str(source) if isinstance(source, Path) else "the plan"
    try:
        data = read_given(source) if isinstance(source, Path) else source
    except OSError as error:
        raise ConfigurationError(
            "plan-unreadable",
            f"cannot read the plan {where}: {error.strerror or error}",
            hint="give the plan that the shards were run with, or fetch the shards' folders whole",
        ) from error
    except ValueError as error:  # a pipe, a device
        raise _malformed(f"{where} is not JSON: {error}") from error
    try:
        suite = suite_named(_decoded(data, _Head).suite, suites)
        kind: Any = _Document
        return _plan(_decoded(data, kind[with_case_fields(_Entry, suite, nested=False)]), suite)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _malformed(f"{where}: {error}") from error
    except ValueError as error:
        raise _malformed(f"{where} is not JSON: {error}") from error


def _decoded(data: bytes | Mapping[str, Json], kind: Any) -> Any:
    return decode_as(data, kind) if isinstance(data, bytes) else msgspec.convert(data, kind)


def _malformed(problem: str) -> ConfigurationError:
    return ConfigurationError(
        "plan-malformed",
        problem,
        why="it was edited, or written by another version of this tool",
        hint="write it again with `list --json`",
    )


# --- the document -----------------------------------------------------------------------------------------


class _Head(Struct, frozen=True):
    suite: str | None = None


class _Entry(Struct, frozen=True, kw_only=True):
    """A case; its two versions and its params have the names that its suite gives them."""

    name: str
    key: str | None = None
    selected: bool = True
    why: str | None = None
    seconds: Annotated[float, Meta(ge=0)] | None = None


EntryT = TypeVar("EntryT", bound=_Entry)


class _Document(Struct, Generic[EntryT], frozen=True, kw_only=True):
    schema: int
    plan: str
    cases: tuple[EntryT, ...] = ()


def _entry(planned: PlannedCase) -> dict[str, object]:
    case = planned.case
    return {
        "name": case.name,
        "key": case.key,
        **case_fields(case),
        "selected": planned.selected,
        "why": planned.why,
        "seconds": planned.seconds,
    }


def _plan(document: _Document[_Entry], suite: SuiteWords) -> Plan:
    if document.schema != SCHEMA:
        raise msgspec.ValidationError(f"it is of format {document.schema}, and this version reads format {SCHEMA}")
    known: dict[tuple[str | None, ...], tuple[str | None, ...]] = {}
    cases = []
    keys: set[str] = set()
    for entry in document.cases:
        case = case_from(entry, suite, known)
        if entry.name != case.name or entry.key not in (None, case.key):
            raise msgspec.ValidationError(f"name and key of {entry.name!r} do not belong to its fields")
        if case.key in keys:
            raise msgspec.ValidationError(f"`cases` holds two cases of the key {case.key!r}")
        keys.add(case.key)
        cases.append(PlannedCase(case=case, selected=entry.selected, why=entry.why or "", seconds=entry.seconds or 0.0))
    return Plan(digest=document.plan, cases=tuple(cases), suite=suite)
