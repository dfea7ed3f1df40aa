"""What a suite is to the rest of the package: its words, its cases, and where its heavier parts are.

The heavier parts (what it publishes, its console matrix, how its cases are run) are modules of their own, imported when
they are asked for: `list` needs none of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ci.model import Case, Role, SuiteWords, Verdict, Version
    from ci.reports.screen import Screen
    from ci.results.merged import Merged
    from ci.spec.attempt import AttemptSpec, Evidence, Surroundings
    from ci.spec.sandbox import OpenSandbox
    from ci.util.json_document import Json

__all__ = [
    "NO_AUXILIARY_IMAGES",
    "AuxiliaryImages",
    "Captures",
    "CaseRun",
    "MatrixTable",
    "Publication",
    "Render",
    "Repetition",
    "RunOptions",
    "Suite",
    "SuiteRun",
    "TryOut",
]


# Of which results the captures are kept: they are nearly all of what a case leaves, and most cases are green.
Captures: TypeAlias = Literal["red", "all"]


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


# --- running cases ----------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What a run was told that its suite has to know.

    :param versions: those that take part, by id
    :param auxiliary: digests of the auxiliary images, by id
    :param folder: of the shard, for what the suite learns of the versions
    :param timeout: seconds for every case, instead of what is declared for it
    :param timeout_factor: for slow hosts: what is declared for a case, times this
    :param strict_exit: fail a participant that does not exit after its result
    :param seed: for every case, instead of one of its own
    :param seeds: for these cases, by key
    :param captures: of which results the captures are kept
    :param foreign_simulator: the network simulator is not ours
    :param environment: variables of this process, some of which suites hand on
    :param open_sandbox: where what participants leave is read by programs
    """

    versions: Mapping[str, Version]
    auxiliary: Mapping[str, str]
    folder: Path
    timeout: float | None = None
    timeout_factor: float = 1.0
    strict_exit: bool = False
    seed: int | None = None
    seeds: Mapping[str, int] = field(default_factory=dict)
    captures: Captures = "red"
    foreign_simulator: bool = False
    environment: Mapping[str, str]
    open_sandbox: OpenSandbox


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """One run of a case, several of which may make one attempt.

    :param where: its folder within that of the attempt, with a slash at the end; empty where there is only one
    :param seed: what chance there was came from it
    :param error: what kept it from being judged, if anything did
    :param judging: seconds it took to come to the verdict from the evidence
    """

    where: str
    seed: int | None
    spec: AttemptSpec
    evidence: Evidence
    verdict: Verdict
    error: Exception | None = None
    judging: float = 0.0


class TryOut(Protocol):
    """Runs an attempt where the case under way is run, for a suite that has to ask an image something first."""

    def __call__(self, spec: AttemptSpec, folder: Path, /) -> Evidence:
        """:raises EngineError, OSError, Cancelled: see `ci.runner.attempt.attempt`"""


class CaseRun(Protocol):
    """One attempt at one case, as its suite sees it: what is run, how often, and what it comes to.

    `number` counts repetitions from 0; `folder` is where a repetition has its files, None where it has none.
    """

    @property
    def roles(self) -> tuple[Role, ...]:
        """Who takes part, the one that begins first."""

    @property
    def repetitions(self) -> tuple[str, ...]:
        """Of each, its folder within that of the attempt, with a slash at the end; empty where there is only one."""

    @property
    def has_files(self) -> bool:
        """Participants are given files, and leave some."""

    @property
    def seed(self) -> int | None:
        """Of the first repetition."""

    @property
    def limits(self) -> Mapping[str, Json]: ...

    @property
    def settled(self) -> bool:
        """Whether it is known, without trying anything out, that there is no objection."""

    def objection(self, try_out: TryOut) -> Verdict | None:
        """Why running this case would say nothing; None if it is worth it."""

    def write_inputs(self, number: int, folder: Path) -> None:
        """Make the files that participants are given; raises `OSError`."""

    def drop_inputs(self, folder: Path) -> None:
        """Remove them: they can be made again."""

    def spec(self, number: int, folder: Path | None, surroundings: Surroundings) -> AttemptSpec: ...

    def has_result(self, stdout: str, /) -> bool:
        """Whether what the one that begins has printed so far holds its result."""

    def early_verdict(
        self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings
    ) -> Verdict | None:
        """The verdict that needs no files, if there is one: before anybody is stopped."""

    def judge(self, number: int, evidence: Evidence, folder: Path | None, surroundings: Surroundings) -> Verdict: ...

    def concluded(self, verdicts: Sequence[Verdict]) -> Verdict:
        """Of all repetitions that were run, the last of which alone may not have passed."""

    def reconsidered(self, verdict: Verdict, evidence: Evidence, try_out: TryOut) -> Verdict:
        """The verdict, or another one where it rests on something that has to be looked into first."""

    def facts(self, folder: Path, run: Sequence[tuple[Repetition, Mapping[str, Json]]]) -> Mapping[str, Json]:
        """What `case.json` says besides what it says of every case; and files that are no evidence are removed.

        :param folder: of the attempt
        :param run: each repetition, with what there is to say of its participants
        """

    def owner(self, name: str, /) -> str:
        """Whose a gathered file is, by its path in the folder of the attempt."""


class SuiteRun(Protocol):
    """A suite with what one run was told. Never learns which engine runs its cases."""

    def describe(self) -> Mapping[str, Json]:
        """What a reader of the results wants to know beside the engine."""

    def inputs(self, case: Case, images: Mapping[str, str]) -> Mapping[str, Json]:
        """What decides about the result of a case.

        :param images: digests of its versions' images, by id
        """

    def case_run(self, case: Case, images: Mapping[str, str], *, identity: str, number: int) -> CaseRun:
        """:param identity: unique to the attempt

        :param number: of the attempt, 1-based
        """

    def captures_in(self, folder: Path) -> Sequence[Path]:
        """The captures that an attempt has left in its folder."""

    def decrypted(self, folder: Path) -> Mapping[Path, Path]:
        """Write a copy that anybody can open beside each of them of which the secrets are known: which is whose.

        :raises EngineError: they cannot be made
        """


@dataclass(frozen=True, kw_only=True, eq=False)
class Suite:
    """One suite.

    :param words: its name, roles and params
    :param cases: all its cases among versions, in a fixed order that nothing but the versions has a say in
    :param definition: what of a version decides about its results, beside its family and its sources
    :param shown_by: what a case, when it is green, shows; a quick selection shows all of it once
    :param why_excluded: why two versions do not meet in a case of these words
    :param auxiliary_images: what else takes part
    :param simulated_network: its cases are run over one; else both sides meet at a Redis
    :param opener: `module:name` of what makes its `SuiteRun` of `RunOptions`
    :param publication: `module:name` of its `Publication`
    :param matrix_table: `module:name` of the function that prints a run's matrix on a console
    """

    words: SuiteWords
    cases: Callable[[Sequence[Version]], tuple[Case, ...]]
    definition: Callable[[Version], dict[str, object]]
    shown_by: Callable[[Case], Iterable[Hashable]]
    why_excluded: Callable[[Version, Version, Sequence[str]], Iterator[str]]
    auxiliary_images: AuxiliaryImages = NO_AUXILIARY_IMAGES
    simulated_network: bool = False
    opener: str
    publication: str
    matrix_table: str

    @property
    def name(self) -> str:
        return self.words.name

    def open_run(self, options: RunOptions) -> SuiteRun:
        return cast("SuiteRun", _load(self.opener)(options))

    def load_publication(self) -> Publication:
        return cast("Publication", _load(self.publication))

    def load_matrix_table(self) -> MatrixTable:
        return cast("MatrixTable", _load(self.matrix_table))

    def __str__(self) -> str:
        return self.name


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)
