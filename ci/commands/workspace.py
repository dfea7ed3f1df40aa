"""What every command starts from: the checkout, its catalogue, the plan for a selection, the content keys."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.commands.latest import latest_run
from ci.config.catalogue import Catalogue, load
from ci.errors import ConfigurationError
from ci.images.base import SNAPSHOT_VARIABLE
from ci.images.content_key import FileHashes, content_key
from ci.model import BuildRecipe, Version
from ci.plan.expected import ExpectedCases, expected_cases
from ci.plan.plan import make_plan
from ci.plan.selection import select
from ci.plan.weights import load_weights
from ci.results.plan_file import Plan
from ci.results.shard_file import checked_run
from ci.suites.registry import SUITES, known_suites
from ci.util.given_files import read_given
from ci.util.suggest import shown, shown_path

if TYPE_CHECKING:
    import argparse

    from ci.model import SuiteWords
    from ci.suites.base import Suite

__all__ = [
    "RUN_VARIABLE",
    "WEIGHTS",
    "Workspace",
    "add_selection_arguments",
    "add_suite_argument",
    "add_version_arguments",
    "folders_of",
    "implied_suite",
    "selection_words",
    "version_words",
    "weights_of",
]

# Shared by all families and outside their folders, so their content goes into every content key.
SHARED_RECIPES: Final = ("impls/image.mk", "impls/base/Dockerfile", "impls/base/upstream/Dockerfile")
# Durations of earlier runs; committed, because the shards of a commit must not depend on the machine.
WEIGHTS: Final = Path(str(resources.files("ci").joinpath("data/weights")))
VERSIONS: Final = Path("versions.yaml")
RUN_VARIABLE: Final = "INTEROP_RUN"


def add_selection_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to run")
    group.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="EXPRESSION",
        help="only these cases, e.g. 'go-* and tcp', 'dialer:js and listener:py'; may be repeated (docs/selection.md)",
    )
    group.add_argument(
        "--ignore", action="append", default=[], metavar="EXPRESSION", help="not these cases; may be repeated"
    )
    group.add_argument(
        "--quick",
        action="store_true",
        help="only as many of these as show each version dialing each other over each transport",
    )
    _add_files(group)


def add_version_arguments(parser: argparse.ArgumentParser) -> None:
    """Only which versions there are; everything among them is selected."""
    _add_files(parser.add_argument_group("what there is"))
    parser.set_defaults(select=[], ignore=[], quick=False)


def version_words(arguments: argparse.Namespace) -> list[str]:
    """The words of a command line that name the same versions once more; none for an ordinary checkout."""
    words = list(SUITES[arguments.suite].words.option)
    words += [] if arguments.simulator is None else ["--simulator", arguments.simulator]
    words += [] if arguments.versions == VERSIONS else ["--versions", str(arguments.versions)]
    files = [("--extra-versions", it) for it in arguments.extra_versions]
    files += [("--expectations", it) for it in arguments.expectations]
    words += [word for name, image in arguments.replace for word in ("--replace", f"{name}={image}")]
    return [*words, *(word for option, path in files for word in (option, str(path)))]


def selection_words(arguments: argparse.Namespace) -> list[str]:
    """The words of a command line that select the same cases once more."""
    chosen = [("--select", it) for it in arguments.select] + [("--ignore", it) for it in arguments.ignore]
    return [
        *version_words(arguments),
        *(word for option in chosen for word in option),
        *(["--quick"] if arguments.quick else []),
    ]


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--simulator",
        metavar="IMAGE",
        help="of another network simulator than ours, for the suites quic and webtransport",
    )
    group.add_argument(
        "--replace",
        type=_replacement,
        action="append",
        default=[],
        metavar="VERSION=IMAGE",
        help="another image for a version, such as that of a pull request: a reference, or the path of an archive "
        "(./image.tar) or of a folder with a Dockerfile; may be repeated",
    )
    add_suite_argument(group)
    group.add_argument("--versions", type=Path, default=VERSIONS, metavar="FILE", help="default: versions.yaml")
    group.add_argument(
        "--extra-versions",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="rows to add, such as the image of a pull request; may be repeated",
    )
    group.add_argument(
        "--expectations",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="what else is known of cases before they run; comes before what versions.yaml says; may be repeated",
    )


def _replacement(text: str) -> tuple[str, str]:
    name, equals, image = text.partition("=")
    if not name or not equals or not image.strip():
        raise ConfigurationError(
            "bad-value", f"--replace: `{shown(text)}` is no version and image", hint="--replace go-v0.51=my-image:pr"
        )
    return name, image


def implied_suite() -> str:
    """The name of the suite that is meant where nothing is said."""
    return next(name for name, suite in SUITES.items() if suite.words.implied)


def add_suite_argument(group: argparse._ActionsContainer) -> None:
    implied = implied_suite()
    group.add_argument("--suite", choices=tuple(SUITES), default=implied, help=f"default: {implied}")


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A checkout and the selection made in it.

    :param root: the folder that `versions.yaml` stands in
    :param simulator: reference of a network simulator to be taken in the place of ours
    """

    root: Path
    catalogue: Catalogue
    selects: Sequence[str]
    ignores: Sequence[str]
    suite: Suite
    simulator: str | None = None
    quick: bool = False
    unfit: Mapping[str, str] = field(default_factory=dict)
    hashes: FileHashes = field(default_factory=FileHashes)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Workspace:
        """:raises ConfigurationError: versions.yaml or an extra file has mistakes"""
        path: Path = arguments.versions
        return cls(
            root=path.resolve().parent,
            catalogue=load(
                path, known_suites(), extra=arguments.extra_versions, expectations=arguments.expectations
            ).replacing(dict(arguments.replace)),
            selects=arguments.select,
            ignores=arguments.ignore,
            suite=SUITES[arguments.suite],
            simulator=arguments.simulator,
            quick=arguments.quick,
        )

    @classmethod
    def at(cls, path: Path) -> Workspace:
        """The checkout that this `versions.yaml` stands in, with everything of the implied suite selected.

        :raises ConfigurationError: the file has mistakes
        """
        return cls(
            root=path.resolve().parent,
            catalogue=load(path, known_suites()),
            selects=(),
            ignores=(),
            suite=SUITES[implied_suite()],
        )

    @cached_property
    def plan(self) -> Plan:
        """:raises ConfigurationError, NothingSelectedError: see `make_plan`"""
        return make_plan(
            self.catalogue,
            suite=self.suite,
            selects=self.selects,
            ignores=self.ignores,
            weights=self._weights,
            fingerprints=self.content_keys(),
            auxiliary=self.auxiliary,
            quick=self.quick,
            unfit=self.unfit,
        )

    @cached_property
    def expected(self) -> ExpectedCases:
        """What is known of cases before they run.

        :raises ConfigurationError: `expectation-conflict`
        """
        return expected_cases(self.catalogue)

    @property
    def _weights(self) -> Mapping[str, float]:
        """What is recorded of the suite's cases; of one that is new nothing is yet."""
        path = weights_of(self.suite.words)
        return load_weights(path) if path.exists() else {}

    @property
    def versions(self) -> Mapping[str, Version]:
        return self.catalogue.by_id()

    @property
    def selected_versions(self) -> tuple[Version, ...]:
        """The versions that take part in a selected case, in the catalogue's order."""
        ids = {name for one in self.plan.selected for name in one.case.pair}
        return tuple(version for version in self.catalogue.versions if version.id in ids)

    @property
    def auxiliary(self) -> tuple[Version, ...]:
        """Whose images the suite's cases take beside those of their versions, whatever is selected."""
        return self.suite.auxiliary_images.all(self.simulator)

    @property
    def needed(self) -> tuple[Version, ...]:
        """All whose images the selected cases take: their versions, and who else takes part."""
        cases = (one.case for one in self.plan.selected)
        return (*self.selected_versions, *self.suite.auxiliary_images.needed(cases, self.simulator))

    def versions_named(self, terms: Sequence[str]) -> tuple[Version, ...]:
        """The versions that these terms of the selection language name, without the ones they meet.

        An auxiliary image of the suite is named by its id.

        :raises ConfigurationError: a term names no version
        """
        ids = {it.id for it in self.auxiliary}
        auxiliary = tuple(it for it in self.auxiliary if it.id in terms)
        selects = [f"{self.suite.words.roles[0]}:{term}" for term in terms if term not in ids]
        if not selects:  # which would select everything
            return auxiliary
        versions = self.catalogue.of(self.suite.words)
        # Each version alone with itself: then who plays which role is no question.
        alone = [self.suite.words.case(version.id, version.id, "alone") for version in versions]
        chosen = select(alone, self.catalogue.suites, versions, self.catalogue.aliases, selects=selects)
        named = {decision.case.first for decision in chosen if decision.selected}
        selected = replace(self, selects=()).selected_versions
        return (*(version for version in selected if version.id in named), *auxiliary)

    def content_keys(self, *, platform: str = "") -> dict[str, str]:
        """Content key by build folder; without a platform the same on every machine."""
        return {
            folder: self.content_key(folder, platform=platform)
            for folder in sorted(folders_of((*self.catalogue.versions, *self.auxiliary)))
        }

    def content_key(self, folder: str, *, platform: str = "") -> str:
        """The content key of one build folder, as its files are now."""
        arguments = {name: _digest(self.root / name) for name in SHARED_RECIPES}
        if snapshot := os.environ.get(SNAPSHOT_VARIABLE):
            arguments[SNAPSHOT_VARIABLE] = snapshot
        return content_key(
            self.root / folder, arguments=arguments, platform=platform, root=self.root, hashes=self.hashes
        )

    @property
    def everything(self) -> bool:
        """Nothing was said of what to run."""
        return not (self.selects or self.ignores or self.quick)

    def run_name(self, given: str | None, *, plan: str | None = None) -> str:
        """The run's folder: as given, from the CI provider, else named after the plan, so that its shards meet.

        :param plan: digest of the plan that counts instead of the workspace's own
        :raises ConfigurationError: `run-name`
        """
        digest = self.plan.digest if plan is None else plan
        return checked_run(given or os.environ.get(RUN_VARIABLE) or digest.partition(":")[2][:12])

    def finished_run(self, given: str | None, results: Path) -> str:
        """The run to read: as given, from the CI provider, else the one begun last, else that named after the plan.

        :raises ConfigurationError: `run-name`
        """
        return self.run_name(given or os.environ.get(RUN_VARIABLE) or latest_run(results))


def weights_of(suite: SuiteWords) -> Path:
    """The committed file of a suite's durations."""
    return WEIGHTS / f"{suite.name}.json"


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(read_given(path)).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigurationError(
            "no-content-key",
            f"cannot read {shown_path(path)}: {error.strerror or error}",
            why="it is part of the recipe of every image",
            hint=f"`git checkout {path.name}` in its folder brings back the one of the commit",
        ) from None


def folders_of(versions: Iterable[Version]) -> tuple[str, ...]:
    """The build folders of these versions, each once."""
    return tuple(dict.fromkeys(it.source.folder for it in versions if isinstance(it.source, BuildRecipe)))
