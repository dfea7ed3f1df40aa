"""`check-image`: one image judged by itself, before it meets anybody."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ci.check_image import add_arguments, check, stacks_from
from ci.engines.daemon import Daemon, connect, sweep
from ci.engines.docker import DockerEngine
from ci.errors import ConfigurationError, ExitCode
from ci.helper_image import helper_image
from ci.model import Contract
from ci.report.check_image import as_data, render
from ci.suggest import shown_path

if TYPE_CHECKING:
    from ci.console import Console

__all__ = ["add_parser", "image_named", "run"]


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check-image",
        help="hold one image to the container contract",
        epilog="example: nox -s check-image -- my-image:head --transport tcp --transport quic-v1",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    daemon = Daemon(connect(), run="check")
    sweep(daemon.api)
    stacks, required = stacks_from(arguments.transport, arguments.security, arguments.muxer)
    contracts = None
    if arguments.contract:
        contracts = tuple(Contract) if arguments.contract == "both" else (Contract(arguments.contract),)
    engine = DockerEngine(daemon, helper=helper_image(daemon, Path.cwd()))
    with engine.slot(0) as slot:
        report = check(
            daemon,
            slot,
            image_named(arguments.image),
            stacks=stacks,
            required=required,
            contracts=contracts,
            peer=arguments.peer,
            patience=arguments.timeout,
            tell=(lambda _: None) if arguments.json else console.info,
        )
    if arguments.json:
        sys.stdout.write(json.dumps(as_data(report), indent=2) + "\n")
    else:
        console.info(render(report))
    return ExitCode.GREEN if report.passed else ExitCode.FAILED


def image_named(name: str) -> str:
    """The image as the engine knows it: `name` itself, or the id in the `image.json` of that name that `make` wrote.

    :raises ConfigurationError: there is such a file and it holds no id
    """
    path = Path(name)
    if not name.endswith("image.json") or not path.is_file():
        return name
    try:
        return str(json.loads(path.read_bytes())["imageID"])
    except (OSError, ValueError, TypeError, KeyError):
        raise ConfigurationError(
            "no-image-id",
            f"{shown_path(path)} holds no `imageID`",
            why="it was not written by a version's Makefile, or not to its end",
            hint=f"rm {shown_path(path)}, then `make` in its folder",
        ) from None
