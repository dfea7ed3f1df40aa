"""What a suite is to the rest of the package: its words, its cases, and where its heavier parts are.

The heavier parts (what it publishes, its console matrix, how its cases are run, its conformance checks) are modules of
their own, imported when they are asked for: `list` needs none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from ci.model import Case, SuiteWords, Version
    from ci.reports.screen import Screen
    from ci.results.merged import Merged

__all__ = ["NO_AUXILIARY_IMAGES", "AuxiliaryImages", "MatrixTable", "Publication", "Render", "Suite"]


class Render(Protocol):
    def __call__(self, merged: Merged, *, run_url: str | None = None) -> str: ...


class MatrixTable(Protocol):
    def __call__(self, console: Screen, merged: Merged) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a suite publishes of a run between its markers, and reads back of what is published.

    :param render: what stands between the markers after a run of the whole matrix; raises `ConfigurationError` for a
        `run_url` that cannot be linked
    :param alone: the same for a document that stands by itself, without links to other files
    :param with_part: what becomes of a section by the cases of a later run that have a result, given the sentence that
        names that run, and its address
    :param cells: what a published file says of each case: `green`, `yellow`, `red`, `white`, or `grey` for what an
        endpoint says itself it does not do
    """

    render: Render
    alone: Callable[[Merged], str]
    with_part: Callable[[str, Merged, str, str | None], str]
    cells: Callable[[str], dict[Case, str]]


class AuxiliaryImages(Protocol):
    """The images that a suite's cases take beside those of their two versions."""

    def all(self, simulator: str | None, /) -> tuple[Version, ...]:
        """Every one of them, whatever is selected.

        :param simulator: reference of a network simulator to be taken in the place of ours
        """

    def needed(self, cases: Iterable[Case], simulator: str | None, /) -> tuple[Version, ...]:
        """Those that these cases take."""


class _NoAuxiliaryImages:
    def all(self, simulator: str | None, /) -> tuple[Version, ...]:  # noqa: ARG002
        return ()

    def needed(self, cases: Iterable[Case], simulator: str | None, /) -> tuple[Version, ...]:  # noqa: ARG002
        return ()


NO_AUXILIARY_IMAGES: AuxiliaryImages = _NoAuxiliaryImages()


@dataclass(frozen=True, kw_only=True, eq=False)
class Suite:
    """One suite.

    :param words: its name, roles and params
    :param cases: all its cases among versions, in a fixed order that nothing but the versions has a say in
    :param definition: what of a version decides about its results, beside its family and its sources
    :param shown_by: what a case, when it is green, shows; a quick selection shows all of it once
    :param why_excluded: why two versions do not meet in a case of these words
    :param auxiliary_images: what else takes part
    :param publication: `module:name` of its `Publication`
    :param matrix_table: `module:name` of the function that prints a run's matrix on a console
    """

    words: SuiteWords
    cases: Callable[[Sequence[Version]], tuple[Case, ...]]
    definition: Callable[[Version], dict[str, object]]
    shown_by: Callable[[Case], Iterable[Hashable]]
    why_excluded: Callable[[Version, Version, Sequence[str]], Iterator[str]]
    auxiliary_images: AuxiliaryImages = NO_AUXILIARY_IMAGES
    publication: str
    matrix_table: str

    @property
    def name(self) -> str:
        return self.words.name

    def load_publication(self) -> Publication:
        return cast("Publication", _load(self.publication))

    def load_matrix_table(self) -> MatrixTable:
        return cast("MatrixTable", _load(self.matrix_table))

    def __str__(self) -> str:
        return self.name


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
