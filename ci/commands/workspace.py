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
from ci.images.content_key import content_key
from ci.model import SUITES, BuildRecipe, Case, Exercise, SuiteName, Version
from ci.plan.plan import make_plan
from ci.plan.selection import select
from ci.plan.weights import load_weights
from ci.results.plan_file import Plan
from ci.results.shard_file import checked_run
from ci.suites.quic.auxiliary_images import IPERF, SIMULATOR, simulator_of, support_for
from ci.util.given_files import read_given
from ci.util.suggest import shown_path

if TYPE_CHECKING:
    import argparse

__all__ = [
    "RUN_VARIABLE",
    "WEIGHTS",
    "Workspace",
    "add_selection_arguments",
    "add_version_arguments",
    "folders_of",
    "selection_words",
    "version_words",
    "weights_of",
]

# Shared by all families and outside their folders, so their content goes into every content key.
SHARED_RECIPES: Final = ("impls/image.mk", "impls/base/Dockerfile")
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
    words = [] if arguments.suite == "transport" else ["--suite", arguments.suite]
    words += [] if arguments.simulator is None else ["--simulator", arguments.simulator]
    words += [] if arguments.versions == VERSIONS else ["--versions", str(arguments.versions)]
    return [*words, *(word for path in arguments.extra_versions for word in ("--extra-versions", str(path)))]


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
    group.add_argument("--suite", choices=SUITES, default="transport", help="default: transport")
    group.add_argument("--versions", type=Path, default=VERSIONS, metavar="FILE", help="default: versions.yaml")
    group.add_argument(
        "--extra-versions",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="rows to add, such as the image of a pull request; may be repeated",
    )


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """A checkout and the selection made in it.

    :param root: the folder that `versions.yaml` stands in
    """

    root: Path
    catalogue: Catalogue
    selects: Sequence[str]
    ignores: Sequence[str]
    suite: SuiteName = "transport"
    simulator: Version = SIMULATOR
    quick: bool = False
    unfit: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_arguments(cls, arguments: argparse.Namespace) -> Workspace:
        """:raises ConfigurationError: versions.yaml or an extra file has mistakes"""
        path: Path = arguments.versions
        return cls(
            root=path.resolve().parent,
            catalogue=load(path, extra=arguments.extra_versions),
            selects=arguments.select,
            ignores=arguments.ignore,
            suite=arguments.suite,
            simulator=simulator_of(arguments.simulator),
            quick=arguments.quick,
        )

    @classmethod
    def at(cls, path: Path) -> Workspace:
        """The checkout that this `versions.yaml` stands in, with everything selected.

        :raises ConfigurationError: the file has mistakes
        """
        return cls(root=path.resolve().parent, catalogue=load(path), selects=(), ignores=())

    @cached_property
    def plan(self) -> Plan:
        """:raises ConfigurationError, NothingSelectedError: see `make_plan`"""
        return make_plan(
            self.catalogue,
            suite=self.suite,
            selects=self.selects,
            ignores=self.ignores,
            weights=load_weights(weights_of(self.suite)),
            fingerprints=self.content_keys(),
            network=self.network,
            quick=self.quick,
            unfit=self.unfit,
        )

    @property
    def versions(self) -> Mapping[str, Version]:
        return self.catalogue.by_id()

    @property
    def selected_versions(self) -> tuple[Version, ...]:
        """The versions that take part in a selected case, in the catalogue's order."""
        ids = {name for one in self.plan.selected for name in (one.case.dialer, one.case.listener)}
        return tuple(version for version in self.catalogue.versions if version.id in ids)

    @property
    def network(self) -> tuple[Version, ...]:
        """What the suite's simulated network is made of; nothing for the transport suite."""
        return () if self.suite == "transport" else (self.simulator, IPERF)

    @property
    def needed(self) -> tuple[Version, ...]:
        """All whose images the selected cases take: their versions, and who else takes part."""
        support = support_for((one.case for one in self.plan.selected), self.simulator)
        return (*self.selected_versions, *support)

    def versions_named(self, terms: Sequence[str]) -> tuple[Version, ...]:
        """The versions that these terms of the selection language name, without the ones they meet.

        :raises ConfigurationError: a term names no version
        """
        versions = self.catalogue.of(self.suite)
        # Each version alone with itself: then who plays which role is no question.
        alone = [Case(version.id, version.id, Exercise(self.suite, "alone")) for version in versions]
        chosen = select(alone, versions, self.catalogue.aliases, selects=[f"dialer:{term}" for term in terms])
        named = {decision.case.dialer for decision in chosen if decision.selected}
        return tuple(version for version in replace(self, selects=()).selected_versions if version.id in named)

    def content_keys(self, *, platform: str = "") -> dict[str, str]:
        """Content key by build folder; without a platform the same on every machine."""
        return {
            folder: self.content_key(folder, platform=platform)
            for folder in sorted(folders_of((*self.catalogue.versions, *self.network)))
        }

    def content_key(self, folder: str, *, platform: str = "") -> str:
        """The content key of one build folder, as its files are now."""
        recipes = {name: _digest(self.root / name) for name in SHARED_RECIPES}
        return content_key(self.root / folder, arguments=recipes, platform=platform, root=self.root)

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


def weights_of(suite: SuiteName) -> Path:
    """The committed file of a suite's durations."""
    return WEIGHTS / f"{suite}.json"


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
