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
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from typing_extensions import assert_never

from ci.errors import ConfigurationError, NothingSelectedError
from ci.model import BuildRecipe, PublishedImage, Version
from ci.plan.cover import covering
from ci.plan.selection import Decision, select
from ci.plan.weights import estimate
from ci.results.plan_file import SCHEMA, Plan, PlannedCase
from ci.util.collection import no_collection

if TYPE_CHECKING:
    from ci.config.catalogue import Catalogue
    from ci.suites.base import Suite

__all__ = ["make_plan"]

_NOT_QUICK: Final = "left out by --quick: other cases show the same"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_NO_REASONS: Final[Mapping[str, str]] = MappingProxyType({})


@no_collection()
def make_plan(
    catalogue: Catalogue,
    *,
    suite: Suite,
    selects: Sequence[str] = (),
    ignores: Sequence[str] = (),
    weights: Mapping[str, float] = _NOTHING,
    fingerprints: Mapping[str, str] = _NOTHING,
    auxiliary: Sequence[Version] = (),
    quick: bool = False,
    unfit: Mapping[str, str] = _NO_REASONS,
) -> Plan:
    """Plan one suite.

    :param selects: `--select` expressions
    :param ignores: `--ignore` expressions
    :param weights: recorded seconds by name of the case
    :param fingerprints: content key by build folder, at least for every version with a selected case
    :param auxiliary: what else the suite's cases take, see `ci.suites.base.AuxiliaryImages.all`
    :param quick: of what is selected, only cases that together show all of it (`ci.plan.cover`)
    :param unfit: versions known not to run here, and why; a quick selection does without them
    :raises ConfigurationError: an expression is malformed or fits nothing; a content key is missing
    :raises NothingSelectedError: no case is left
    """
    versions = catalogue.of(suite.words)
    cases = suite.cases(versions)
    decisions = select(cases, catalogue.suites, versions, catalogue.aliases, selects=selects, ignores=ignores)
    if quick:
        decisions = tuple(_quick(suite, decisions, unfit))
    families = {version.id: version.family for version in versions}
    planned = tuple(
        PlannedCase(case=decision.case, selected=decision.selected, why=decision.why, seconds=seconds)
        for decision, seconds in zip(decisions, estimate(cases, families, weights), strict=True)
    )
    digest = _digest(suite, planned, {it.id: it for it in (*versions, *auxiliary)}, auxiliary, fingerprints)
    return Plan(digest=digest, cases=planned, suite=suite.words)


def _quick(suite: Suite, decisions: Sequence[Decision], unfit: Mapping[str, str]) -> Iterator[Decision]:
    able = [it.case for it in decisions if it.selected and set(unfit).isdisjoint(it.case.pair)]
    chosen = covering(able, suite.shown_by)
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
            missing = [name for name in decision.case.pair if name in unfit]
            why = f"{missing[0]} {unfit[missing[0]]}" if missing else _NOT_QUICK
            yield replace(decision, selected=False, why=why)


# --- digest -----------------------------------------------------------------------------------------------


def _digest(
    suite: Suite,
    planned: Sequence[PlannedCase],
    versions: Mapping[str, Version],
    auxiliary: Sequence[Version],
    fingerprints: Mapping[str, str],
) -> str:
    selected = [one for one in planned if one.selected]
    involved = {name for one in selected for name in one.case.pair}
    involved |= {version.id for version in auxiliary}
    identity = {
        "schema": SCHEMA,
        "suite": suite.name,
        "cases": {one.case.name: one.seconds for one in selected},
        "versions": {name: _definition(suite, versions[name], fingerprints) for name in involved},
    }
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _definition(suite: Suite, version: Version, fingerprints: Mapping[str, str]) -> dict[str, object]:
    """What of a version decides about its results; who owns it does not."""
    return {"family": version.family, "source": _source(version, fingerprints), **suite.definition(version)}


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
