"""`compare --bisect`: the smallest case of each group of newly failing ones, with one image at a time put back."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ci.commands.case_runs import add_time_arguments, by_digest, done, open_cases
from ci.commands.engine_choice import add_engine_argument, add_image_arguments, backend_for, image_choice
from ci.commands.repro_loop import Repeat
from ci.commands.workspace import Workspace, add_version_arguments
from ci.images.base import Image, Unavailable
from ci.results.bisection import Bisected, bisected, changed_images, digests_of, smallest
from ci.runner.schedule import Ready
from ci.suites.registry import SUITES
from ci.terminal.interrupts import interruptible
from ci.util.arguments import whole_number

if TYPE_CHECKING:
    from ci.engines.backend import Backend
    from ci.model import Case, Version
    from ci.results.comparison import Comparison
    from ci.terminal.console import Console

__all__ = ["add_bisect_arguments", "bisect"]

RUN = "bisect"


def add_bisect_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("to prove it")
    group.add_argument(
        "--bisect",
        action="store_true",
        help="run the smallest newly failing case of each group with the images of either run, then with one at a time "
        "put back, and name the one that broke it",
    )
    group.add_argument(
        "--times",
        type=whole_number("--times", minimum=1, maximum=1000),
        default=3,
        metavar="N",
        help="how often each (default: 3)",
    )
    add_time_arguments(group)
    add_image_arguments(parser)
    add_engine_argument(parser)
    add_version_arguments(parser)
    parser.set_defaults(captures="red", strict_exit=False, seed=None)


def bisect(comparison: Comparison, arguments: argparse.Namespace, console: Console) -> Iterator[Bisected]:
    """The culprit of each group, proved by running it.

    :raises EngineError: the engine does not answer, or broke
    """
    if not comparison.culprits:
        return
    workspace = replace(Workspace.from_arguments(arguments), suite=SUITES[comparison.head.suite.name])
    backend = backend_for(arguments.engine, workspace, console, run=RUN, images=image_choice(arguments, console))
    console.info(backend.why)
    for culprit in comparison.culprits:
        found = smallest(culprit)
        if found.base is None or found.head is None:
            continue
        base, head = digests_of(found.base), digests_of(found.head)
        session = _Session(arguments, workspace, backend, found.case, console)
        if changed_images(base, head) and (gone := session.gone(base, head)):
            text = f"cannot be told: {'; '.join(gone)}"
            yield Bisected(case=found.case, rounds=(), conclusion=text)
            continue
        seeds = [it.seed for it in found.head.counted if it.seed is not None]
        arguments.seed = seeds[0] if seeds else None
        yield bisected(found.case, base, head, session.passes, times=arguments.times)


class _Session:
    """One case, run with whatever images are asked for."""

    def __init__(
        self, arguments: argparse.Namespace, workspace: Workspace, backend: Backend, case: Case, console: Console
    ) -> None:
        self._arguments = arguments
        self._workspace = workspace
        self._backend = backend
        self._case = case
        self._console = console

    def gone(self, *images: Mapping[str, str]) -> list[str]:
        """The images that are not here any more, each as a sentence."""
        wanted = {(name, digest) for some in images for name, digest in some.items()}
        return [
            f"the image {digest[:19]} of {name} is not at hand any more"
            for name, digest in sorted(wanted)
            if isinstance(self._found(name, digest), Unavailable)
        ]

    def passes(self, images: Mapping[str, str]) -> int:
        found = {name: self._found(name, digest) for name, digest in images.items()}
        there = {name: image for name, image in found.items() if not isinstance(image, Unavailable)}
        ready = Ready(self._case, {name: there[name] for name in self._case.pair})
        with tempfile.TemporaryDirectory() as folder, interruptible(self._console) as cancelled:
            futures = {name: done(image) for name, image in there.items()}
            for version in self._workspace.suite.auxiliary_images.needed([self._case], self._workspace.simulator):
                if version.id not in futures:
                    futures[version.id] = done(self._backend.provider.find(version))
            cases = open_cases(self._arguments, self._workspace, self._backend, [self._case], futures, Path(folder))
            with cases.slot(0) as slot:
                repeat = Repeat(ready=ready, case_runner=cases, slot=slot, folder=Path(folder), cancelled=cancelled)
                return sum(it.passed for it in repeat.tries(self._arguments.times))

    def _found(self, name: str, digest: str) -> Image | Unavailable:
        return by_digest(self._backend.provider, self._version(name), digest)

    def _version(self, name: str) -> Version:
        auxiliary = self._workspace.suite.auxiliary_images.needed([self._case], self._workspace.simulator)
        return next((it for it in auxiliary if it.id == name), None) or self._workspace.versions[name]
