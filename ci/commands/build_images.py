"""`build-images`: content key, cache, `make`; one line per image."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ci.commands.engine_choice import add_engine_argument, add_image_arguments, backend_for, image_choice
from ci.commands.workspace import Workspace, add_selection_arguments, folders_of, selection_words
from ci.engines.backend import Backend
from ci.errors import BuildError, ConfigurationError, ExitCode
from ci.images.base import Image, ImageReport, ImageStatus, Unavailable
from ci.model import BuildRecipe, ReasonCode, Version
from ci.terminal.build_progress import BuildProgress
from ci.terminal.interrupts import Interrupted, interruptible
from ci.terminal.spelling import say_next
from ci.util.arguments import whole_number
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["build", "configure", "found_or_built", "print_report", "run"]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example: nox -s build-images -- go-v0.51 js"
    add_selection_arguments(parser)
    add_image_arguments(parser)
    add_engine_argument(parser)
    parser.add_argument(
        "selection", nargs="*", metavar="SELECTION", help="versions, families, aliases: only these, not their peers"
    )
    parser.add_argument(
        "--jobs",
        type=whole_number("--jobs", minimum=1, maximum=256),
        default=1,
        metavar="N",
        help="how many folders are built at once (default: 1; a build takes all processors)",
    )
    parser.add_argument("--folder", metavar="FOLDER", help="only what is built in this folder, e.g. impls/go/v0.51")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    workspace = Workspace.from_arguments(arguments)
    versions = workspace.versions_named(arguments.selection) if arguments.selection else workspace.needed
    if arguments.folder:
        versions = _built_in(arguments.folder, versions)
    backend = backend_for(
        arguments.engine, workspace, console, run="images", images=image_choice(arguments, console, jobs=arguments.jobs)
    )
    console.info(backend.why)
    code = build(backend, versions, console)
    if code is ExitCode.GREEN:
        say_next(console, "interop", *selection_words(arguments))
    return code


def build(backend: Backend, versions: tuple[Version, ...], console: Console) -> ExitCode:
    """Provide images and print a line about each; a failed one does not keep the others from being built.

    :raises Interrupted: that was asked for meanwhile
    """
    lines: list[ImageReport] = []

    def report(line: ImageReport) -> None:
        lines.append(line)
        print_report(line, console)

    with interruptible(console, stop=backend.provider.stop) as cancelled, BuildProgress(console) as progress:
        backend.provide(versions, report, progress.building)
    if cancelled.is_set():
        raise Interrupted
    counts = {status: sum(line.status is status for line in lines) for status in ImageStatus}
    came_to = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.info(f"{counted(len(lines), 'image')}: {came_to}")
    return ExitCode.BUILD if counts[ImageStatus.FAILED] else ExitCode.GREEN


def found_or_built(
    versions: Sequence[Version], backend: Backend, console: Console, *, purpose: str
) -> dict[str, Image]:
    """All these images, by version id, built where they are missing.

    :param purpose: what cannot be done without them
    :raises BuildError: one of them can be neither found nor made
    """
    try:
        found = {version: backend.provider.find(version) for version in versions}
        missing = tuple(
            version
            for version, image in found.items()
            if isinstance(image, Unavailable) and image.code is ReasonCode.BUILD_FAILED
        )
        if missing:
            build(backend, missing, console)
            found |= {version: backend.provider.find(version) for version in missing}
    except BaseException:
        # Not otherwise: what is called off once is for ever, and the engine may have something to make for itself.
        backend.provider.stop()
        raise
    images = {}
    for version, image in found.items():
        if isinstance(image, Unavailable):
            raise BuildError(
                "image-missing",
                f"{purpose}: {image.text}",
                why=f"what runs {version.id} could be neither found nor made here",
                hint="see docs/adding-an-implementation.md, or choose other versions",
            )
        images[version.id] = image
    return images


def print_report(line: ImageReport, console: Console) -> None:
    """One line, and below it why there is no image, if there is none. Nothing of what was called off: that was said."""
    if isinstance(line.image, Unavailable) and line.image.code is ReasonCode.CANCELLED:
        return
    from_cache = f"  from {line.source}" if line.source else ""
    size = f"{line.size / 1e6:7.0f} MB" if line.size else " " * 10
    console.info(f"{line.status:11} {line.seconds:7.1f} s {size}  {line.version}{from_cache}")
    if isinstance(line.image, Unavailable):
        (console.error if line.status is ImageStatus.FAILED else console.warn)(f"{line.version}: {line.image.text}")
    else:
        for note in line.image.notes:
            console.info(f"{line.version}: {note}")


def _built_in(folder: str, versions: tuple[Version, ...]) -> tuple[Version, ...]:
    members = tuple(it for it in versions if isinstance(it.source, BuildRecipe) and it.source.folder == folder)
    if not members:
        raise ConfigurationError(
            "no-such-folder",
            f"no selected version is built in `{folder}`",
            hint=f"one of: {', '.join(folders_of(versions))}",
        )
    return members
