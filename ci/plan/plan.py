"""The plan of a run: every case of the matrix, which are selected and why, and what each will take.

A plan's digest names what is to be run: two plans with equal digests have the same cases, run by the same
versions (sources, capabilities, time limits), weighed and so sharded alike. It does not depend on the
machine, the locale, hash seeds or the order of rows, and not on how the selection was worded. Shards store it
with their results, and merging refuses a mixture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import assert_never

from ci.errors import ConfigurationError, NothingSelectedError
from ci.model import BuildRecipe, Case, Params, PublishedImage, SuiteName, Version
from ci.plan.cover import covering
from ci.plan.selection import Decision, select
from ci.plan.shard import Shard, assign
from ci.plan.weights import estimate
from ci.results.case_json import case_from_json, pair_to_json, params_from_json, params_to_json, suite_from_json
from ci.suites.registry import matrix
from ci.util.json_fields import Fields
from ci.util.suggest import shown

if TYPE_CHECKING:
    from ci.config.catalogue import Catalogue

__all__ = ["Plan", "PlannedCase", "make_plan"]

_SCHEMA: Final = 1
_NOT_QUICK: Final = "left out by --quick: other cases show the same"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_REASONS: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class PlannedCase:
    """One case of the matrix and what the plan does with it."""

    case: Case
    selected: bool
    why: str
    seconds: float  # estimate


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All cases in the order of the matrix; `digest` is `sha256:` and 64 hexadecimal digits."""

    digest: str
    cases: tuple[PlannedCase, ...]
    suite: SuiteName = "transport"

    @property
    def selected(self) -> tuple[PlannedCase, ...]:
        return tuple(planned for planned in self.cases if planned.selected)

    @property
    def seconds(self) -> float:
        """The estimate for all selected cases, run one after the other."""
        return round(sum(planned.seconds for planned in self.selected), 1)

    def slice(self, shard: Shard) -> tuple[PlannedCase, ...]:
        """The selected cases of one shard, in the order they run."""
        planned = {one.case: one for one in self.selected}
        seconds = {case.name: one.seconds for case, one in planned.items()}
        cases = assign(tuple(planned), seconds, shard.count)[shard.index - 1]
        return tuple(planned[case] for case in cases)

    def to_json(self) -> str:
        """The document `list --json` prints, one case a line."""
        document: dict[str, object] = {"schema": _SCHEMA, "plan": self.digest}
        if self.suite != "transport":
            document["suite"] = self.suite
        document["cases"] = [_entry(one) for one in self.cases]
        # One call is four times as fast as one per case. An unescaped quote never stands inside a string, so
        # this breaks lines between cases only.
        text = json.dumps(document)
        return text.replace('[{"name": ', '[\n{"name": ').replace(', {"name": ', ',\n{"name": ') + "\n"

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what `to_json` wrote; keys nobody knows are passed over.

        :raises ConfigurationError: it is something else, or of a schema this version does not know
        """
        try:
            document = json.loads(text)
            if document["schema"] != _SCHEMA:
                raise _unusable(f"it has schema {shown(repr(document['schema']))}, this tool knows {_SCHEMA}")
            suite = suite_from_json(Fields(document, "plan"))
            known: dict[Params, Params] = {}
            cases = tuple(_planned(entry, suite, known) for entry in document["cases"])
            digest = _text(document, "plan")
        except ConfigurationError as error:
            raise _unusable(error.message) from None
        except (TypeError, KeyError, ValueError, RecursionError) as error:
            raise _unusable(shown(f"{type(error).__name__}: {error}")) from None
        if len({planned.case for planned in cases}) < len(cases):
            raise _unusable("a case is there twice")
        return cls(digest=digest, cases=cases, suite=suite)


def make_plan(
    catalogue: Catalogue,
    *,
    suite: SuiteName = "transport",
    selects: Sequence[str] = (),
    ignores: Sequence[str] = (),
    weights: Mapping[str, float] = _NOTHING,
    fingerprints: Mapping[str, str] = _NOTHING,
    network: Sequence[Version] = (),
    quick: bool = False,
    unfit: Mapping[str, str] = _NO_REASONS,
) -> Plan:
    """Plan one suite.

    :param selects: `--select` expressions
    :param ignores: `--ignore` expressions
    :param weights: recorded seconds by name of the case
    :param fingerprints: content key by build folder, at least for every version with a selected case
    :param network: what the simulated network is made of, where the suite has one
    :param quick: of what is selected, only cases that together show all of it (`ci.plan.cover`)
    :param unfit: versions known not to run here, and why; a quick selection does without them
    :raises ConfigurationError: an expression is malformed or fits nothing; a content key is missing
    :raises NothingSelectedError: no case is left
    """
    versions = catalogue.of(suite)
    cases = matrix(suite, versions)
    decisions = select(cases, versions, catalogue.aliases, selects=selects, ignores=ignores)
    if quick:
        decisions = tuple(_quick(decisions, unfit))
    families = {version.id: version.family for version in versions}
    planned = tuple(
        PlannedCase(case=decision.case, selected=decision.selected, why=decision.why, seconds=seconds)
        for decision, seconds in zip(decisions, estimate(cases, families, weights), strict=True)
    )
    digest = _digest(suite, planned, {it.id: it for it in (*versions, *network)}, network, fingerprints)
    return Plan(digest=digest, cases=planned, suite=suite)


def _quick(decisions: Sequence[Decision], unfit: Mapping[str, str]) -> Iterator[Decision]:
    able = [it.case for it in decisions if it.selected and not {it.case.dialer, it.case.listener} & set(unfit)]
    chosen = covering(able)
    if not chosen:
        reasons = "\n".join(f"  {version}: {why}" for version, why in unfit.items())
        raise NothingSelectedError(
            "nothing-runs-here",
            f"none of the selected cases can run on this machine:\n{reasons}",
            why="it lacks what these versions need",
            hint="`nox -s doctor` says what to install; `--select` other versions",
        )
    for decision in decisions:
        if not decision.selected or decision.case in chosen:
            yield decision
        else:
            missing = [name for name in (decision.case.dialer, decision.case.listener) if name in unfit]
            why = f"{missing[0]} {unfit[missing[0]]}" if missing else _NOT_QUICK
            yield replace(decision, selected=False, why=why)


# --- digest -----------------------------------------------------------------------------------------------


def _digest(
    suite: SuiteName,
    planned: Sequence[PlannedCase],
    versions: Mapping[str, Version],
    network: Sequence[Version],
    fingerprints: Mapping[str, str],
) -> str:
    selected = [one for one in planned if one.selected]
    involved = {name for one in selected for name in (one.case.dialer, one.case.listener)}
    involved |= {version.id for version in network}
    identity = {
        "schema": _SCHEMA,
        "suite": suite,
        "cases": {one.case.name: one.seconds for one in selected},
        "versions": {name: _definition(suite, versions[name], fingerprints) for name in involved},
    }
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _definition(suite: SuiteName, version: Version, fingerprints: Mapping[str, str]) -> dict[str, object]:
    """What of a version decides about its results; who owns it does not."""
    if suite != "transport":
        return {"family": version.family, "source": _source(version, fingerprints), "part": version.part}
    return {
        "family": version.family,
        "source": _source(version, fingerprints),
        "transports": {transport.name: transport.dial_only for transport in version.transports},
        "secureChannels": sorted(version.secure_channels),
        "muxers": sorted(version.muxers),
        "contract": version.contract.value,
        "timeoutSecs": version.timeout_seconds,
    }


def _source(version: Version, fingerprints: Mapping[str, str]) -> dict[str, str]:
    source = version.source
    if isinstance(source, PublishedImage):
        return {"image": source.reference}
    if isinstance(source, BuildRecipe):
        if source.folder not in fingerprints:
            raise ConfigurationError(
                "no-content-key",
                f"version {version.id}: the content key of {source.folder} is not known",
                why="a plan names what is built by the content key of its folder",
                hint="compute the key of every build folder before planning",
            )
        return {"contentKey": fingerprints[source.folder], "imageFile": source.image_file}
    assert_never(source)


# --- JSON -------------------------------------------------------------------------------------------------


def _entry(planned: PlannedCase) -> dict[str, object]:
    case = planned.case
    return {
        "name": case.name,
        "key": case.key,
        **pair_to_json(case),
        **params_to_json(case.params),
        "selected": planned.selected,
        "why": planned.why,
        "seconds": planned.seconds,
    }


def _planned(entry: Mapping[str, object], suite: SuiteName, known: dict[Params, Params]) -> PlannedCase:
    """One case; `known` holds the parameters met so far, since thousands of cases share a few."""
    fields = Fields(entry, "case")
    params = params_from_json(fields, suite)
    case = case_from_json(fields, known.setdefault(params, params))
    if (entry["name"], entry["key"]) != (case.name, case.key):
        raise ValueError(f"name and key of {entry['name']!r} do not belong to its fields")
    selected, seconds = entry["selected"], entry["seconds"]
    if not isinstance(selected, bool):
        raise TypeError("`selected` must be true or false")
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not 0 <= seconds < float("inf"):
        raise TypeError("`seconds` must be a number of seconds")
    return PlannedCase(case=case, selected=selected, why=_text(entry, "why"), seconds=float(seconds))


def _text(entry: Mapping[str, object], key: str) -> str:
    value = entry[key]
    if not isinstance(value, str):
        raise TypeError(f"`{key}` must be text")
    return value


def _unusable(reason: str) -> ConfigurationError:
    return ConfigurationError(
        "bad-plan",
        f"this is not a plan: {reason}",
        why="a plan is the document that `list --json` prints",
        hint="make it again with the same version of this tool",
    )
