"""What is asked of an image before it is run: its manifest (docs/image-contracts.md, sections 1.4 and 1.10)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ci.conformance.base import Answer, Check, ImageFacts, Level
from ci.spec.attempt import MIB
from ci.util.text import clip

__all__ = ["ENDPOINT_IMAGE_CHECKS", "IMAGE_CHECKS"]

LARGE_IMAGE: Final = 1024 * MIB
ROOT: Final = ("", "0", "root")


def _architecture(image: ImageFacts) -> Answer:
    if image.architecture == image.host_architecture:
        return Answer(note=image.architecture)
    return Answer(wrong=(f"the image is for {image.architecture}, this engine runs {image.host_architecture}",))


def _user(image: ImageFacts) -> Answer:
    name = image.user.split(":")[0]
    if name in ROOT:
        said = f"says USER {image.user}" if image.user else "names no USER"
        return Answer(wrong=(f"the image {said}, so its program runs as root",))
    return Answer(note=f"user {name}")


def _entrypoint(image: ImageFacts) -> Answer:
    shell = image.entrypoint[:2] in (("/bin/sh", "-c"), ("/bin/bash", "-c"), ("sh", "-c"), ("bash", "-c"))
    if shell and not " ".join(image.entrypoint[2:]).lstrip().startswith("exec "):
        return Answer(wrong=(f"a shell runs the program: {clip(' '.join(image.entrypoint), 120)}",))
    return Answer()


def _size(image: ImageFacts) -> Answer:
    size = f"{image.size / MIB:.0f} MiB"
    return Answer(wrong=(f"the image takes {size}",)) if image.size > LARGE_IMAGE else Answer(note=size)


IMAGE_CHECKS: Final[tuple[Check[ImageFacts], ...]] = (
    Check(
        code="right-architecture",
        level=Level.MUST,
        title="the image is built for this host",
        section="1.4",
        why="programs for another processor end with exit code 126, 127 or 132, or run under slow emulation",
        hint="build with `--platform`, or check the image on a host of its own kind",
        ask=_architecture,
    ),
    Check(
        code="not-root",
        level=Level.SHOULD,
        title="the program does not run as root",
        section="1.10",
        why="a program under test needs no power over the host; without capabilities root gains nothing anyway",
        hint="add `USER nobody` (or any numeric uid) as the last but one line of the Dockerfile",
        ask=_user,
    ),
    Check(
        code="exec-form-entrypoint",
        level=Level.SHOULD,
        title="the entrypoint is in exec form",
        section="1.4",
        why="signals go to the shell and do not reach the program, which is then killed instead of stopping",
        hint='write ENTRYPOINT ["/program"], or begin the script\'s last line with `exec`',
        ask=_entrypoint,
    ),
    Check(
        code="moderate-size",
        level=Level.SHOULD,
        title=f"the image is no larger than {LARGE_IMAGE // MIB} MiB",
        section="1.10",
        why="every shard of every run fetches it",
        hint="build in one stage, and copy the program and its runtime only into the final one",
        ask=_size,
    ),
)

# Endpoints over a simulated network set their routes themselves: they start as root, and the contract has it so.
ENDPOINT_IMAGE_CHECKS: Final = tuple(replace(it, section="1") for it in IMAGE_CHECKS if it.code != "not-root")
