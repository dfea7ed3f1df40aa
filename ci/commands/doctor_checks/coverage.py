"""The impact of each missing requirement: which versions an engine can run here, which not, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ci.model import Version
from ci.suites.base import Suite
from ci.util.text import counted

__all__ = ["Coverage", "MissingRequirement", "coverage_of"]

# Why a version cannot run; None where it can.
MissingRequirement = Callable[[Version], "str | None"]


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """How much of the matrix one engine runs on this host.

    :param families: with at least one version that runs, in the catalogue's order
    :param all_families: of the catalogue
    :param cells: cases whose both versions run
    :param not_run: reason → what is lost by it: a family's name where it stops all its versions, else versions
    """

    versions: int
    all_versions: int
    families: tuple[str, ...]
    all_families: tuple[str, ...]
    cells: int
    all_cells: int
    not_run: Mapping[str, tuple[str, ...]]

    @property
    def numbers(self) -> str:
        """`8 of 22 versions (4 of 10 families), 230 of 1208 cells`."""
        return (
            f"{self.versions} of {counted(self.all_versions, 'version')} ({len(self.families)} of "
            f"{counted(len(self.all_families), 'family', 'families')}), "
            f"{self.cells} of {counted(self.all_cells, 'cell')}"
        )

    @property
    def losses(self) -> tuple[str, ...]:
        """A sentence per reason: `not run: rust, chromium-js (…)`."""
        return tuple(f"not run: {', '.join(names)} ({reason})" for reason, names in self.not_run.items())


def coverage_of(versions: Sequence[Version], missing_requirement: MissingRequirement, suite: Suite) -> Coverage:
    """How much of these versions' matrix runs where `missing_requirement` says what keeps one from running."""
    reasons = {version.id: missing_requirement(version) for version in versions}
    running = [version for version in versions if reasons[version.id] is None]
    families = _families(running)
    whole = {family: {reasons[it.id] for it in versions if it.family == family} for family in _families(versions)}
    not_run: dict[str, dict[str, None]] = {}
    for version in versions:
        reason = reasons[version.id]
        if reason is not None:
            name = version.family if whole[version.family] == {reason} else version.id
            not_run.setdefault(reason, {})[name] = None
    return Coverage(
        versions=len(running),
        all_versions=len(versions),
        families=families,
        all_families=_families(versions),
        cells=len(suite.cases(running)),
        all_cells=len(suite.cases(versions)),
        not_run={reason: tuple(names) for reason, names in not_run.items()},
    )


def _families(versions: Iterable[Version]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(version.family for version in versions))
