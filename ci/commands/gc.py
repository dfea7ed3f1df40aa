"""`gc`: removes this project's own leftovers, by label, lock and age, and nothing else."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ci.commands.gc_table import Decided, as_data, kept_lines, line, size_words, total
from ci.commands.workspace import Workspace
from ci.engines.docker.daemon import Daemon, connect
from ci.engines.docker.gc import DockerLeftovers
from ci.engines.docker.helper_image import helper_tag
from ci.engines.docker.images import Images
from ci.engines.gc import Leftover, Place, Rule, parse_age
from ci.engines.local.gc import LocalLeftovers, a_run_lives
from ci.errors import ConfigurationError, EngineError, ExitCode
from ci.model import BuildRecipe
from ci.terminal.spelling import spelled
from ci.util.cache_folder import cache_candidates
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]

_Decisions: TypeAlias = "list[tuple[Place, Decided]]"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "example: nox -s gc -- --older-than 7d --yes\nWithout --yes nothing is removed; results never are."
    parser.add_argument("--yes", action="store_true", help="remove them; without it they are only listed")
    parser.add_argument("--older-than", default="24h", metavar="AGE", help="e.g. 90m, 24h, 7d (default: 24h)")
    parser.add_argument(
        "--other-hosts",
        action="store_true",
        help="also what runs on other hosts have left in this engine, of which this one cannot tell whether they live",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document, with what stays and why")
    parser.add_argument(
        "--versions", type=Path, default=Path("versions.yaml"), metavar="FILE", help="default: versions.yaml"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    older_than = parse_age(arguments.older_than)
    rule = Rule(older_than=older_than, other_hosts=arguments.other_hosts)
    with _places(arguments.versions, console, quiet=arguments.json) as places:
        decisions = _decide(places, rule)
        if arguments.yes:
            decisions = [(place, one if one.kept is not None else _remove(place, one)) for place, one in decisions]
    decided = [one for _, one in decisions]
    if arguments.json:
        document = as_data(decided, removed=arguments.yes, older_than=older_than)
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        _tell(console, decided, removed=arguments.yes)
    return ExitCode.ENGINE if any(one.failed for one in decided) else ExitCode.GREEN


@contextmanager
def _places(versions: Path, console: Console, *, quiet: bool) -> Iterator[list[Place]]:
    places: list[Place] = [LocalLeftovers(caches=cache_candidates(os.environ, checkout=versions.resolve().parent))]
    try:
        client = connect()
    except EngineError as error:
        if not quiet:
            console.info(f"only this host's own folders: {error.message}")
        yield places
        return
    try:
        daemon = Daemon(client, run="gc")
        yield [DockerLeftovers(daemon, current=_current(versions, daemon)), *places]
    finally:
        client.close()


def _current(versions: Path, daemon: Daemon) -> frozenset[str] | None:
    """The tags that runs of this checkout would use now; None where that cannot be told."""
    try:
        workspace = Workspace.at(versions)
        version = daemon.call(daemon.api.version)
        keys = workspace.content_keys(platform=f"{version['Os']}/{version['Arch']}")
    except ConfigurationError:
        return None
    built = (it for it in workspace.catalogue.versions if isinstance(it.source, BuildRecipe))
    published = (it.source.reference for it in workspace.catalogue.versions if not isinstance(it.source, BuildRecipe))
    tags = (Images.tag(it, keys[it.source.folder]) for it in built if isinstance(it.source, BuildRecipe))
    return frozenset({helper_tag(), *tags, *published})


def _decide(places: Sequence[Place], rule: Rule) -> _Decisions:
    """A run that lives in one place keeps only what is shared there: it has no use for the other engine's."""
    decisions: _Decisions = []
    for place in places:
        found = place.find()
        here = replace(rule, lives=a_run_lives(found))
        decisions += [(place, Decided(it=it, kept=here.keeps(it))) for it in found]
    return decisions


def _remove(place: Place, one: Decided) -> Decided:
    try:
        place.remove(one.it)
    except EngineError as error:
        return replace(one, failed=error.message)
    return one


def _tell(console: Console, decided: Sequence[Decided], *, removed: bool) -> None:
    going: list[Leftover] = []
    for one in decided:
        if one.kept is None:
            console.info(line(one.it))
            if one.failed:
                console.error(f"{one.it.name} was not removed: {one.failed}")
            else:
                going.append(one.it)
    if going:
        what = "removed" if removed else "would be removed"
        console.info(f"{counted(len(going), 'thing')} {what}, at most {size_words(total(going))} (images share layers)")
    else:
        console.info("nothing was removed" if any(one.failed for one in decided) else "nothing to remove")
    kept = [one for one in decided if one.kept is not None]
    if kept:
        console.info("kept:")
        for text in kept_lines(kept):
            console.info(text)
    console.info("results/ is evidence and never touched")
    if going and not removed:
        console.info(spelled("next: nox -s gc -- --yes   # and the other words of this command: removes them"))
