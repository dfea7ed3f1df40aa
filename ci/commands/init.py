"""`init`: the skeleton of a new implementation, or of a new version of one that is here, and its row."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Final

from ci.commands.init_outside import init_outside
from ci.commands.workspace import implied_suite
from ci.config.catalogue import Catalogue, load
from ci.config.edit import NewRow, VersionsText, first_row
from ci.config.row import is_plain, name_defect
from ci.config.skeleton import BUILD_RULES, Skeleton, has_rule, natural_key, new_family, new_version
from ci.errors import ConfigurationError, ExitCode
from ci.model import BuildRecipe, Version
from ci.suites.registry import SUITES, known_suites
from ci.terminal.spelling import spelled
from ci.util.atomic import write_atomically
from ci.util.suggest import near_matches, shown, shown_path

if TYPE_CHECKING:
    from ci.terminal.console import Console

__all__ = ["configure", "run"]

FIRST_VERSION: Final = "v1.0"
# What the skeleton promises, as arguments of `check-image`.
FIRST_STACK: Final = "--transport tcp --security noise --muxer yamux --contract both"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Makes the folder of a new implementation: everything the container contract asks for is in it "
        "but two functions. Where the family is here already, makes a new version beside its newest one. "
        "Nothing that exists is changed."
    )
    parser.epilog = (
        "example: nox -s init -- zig-libp2p\nexample: nox -s init -- go --version v0.52 --write\n"
        "example: nox -s init -- go --into ../go-libp2p"
    )
    parser.add_argument("family", metavar="FAMILY", help="the implementation, as `family` in versions.yaml")
    parser.add_argument(
        "--version",
        metavar="vX.Y",
        help=f"the release (default: {FIRST_VERSION}; must be given where the family is here)",
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("impls"), metavar="FOLDER", help="where new families go (default: impls)"
    )
    parser.add_argument(
        "--versions", type=Path, default=Path("versions.yaml"), metavar="FILE", help="default: versions.yaml"
    )
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="the root of your own repository: make interop/FAMILY.yaml and a workflow there, and nothing here",
    )
    parser.add_argument(
        "--hub", metavar="OWNER/NAME@COMMIT", help="with --into: where the matrix is; default: this checkout's origin"
    )
    parser.add_argument("--write", action="store_true", help="add the row to versions.yaml instead of printing it")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, console: Console) -> ExitCode:
    path: Path = arguments.versions
    if arguments.into is not None:
        catalogue = load(path, known_suites())
        _check_name("family", arguments.family, catalogue)
        return init_outside(arguments.family, arguments.into, arguments.hub, path, catalogue, console)
    order = _understand(arguments, path.resolve().parent, load(path, known_suites()))
    text = VersionsText(path)
    rows = order.rows(text)
    with ExitStack() as undo:
        if order.source is None:
            skeleton = undo.enter_context(new_family(order.root, order.folder.parent, order.version))
        else:
            skeleton = undo.enter_context(new_version(order.source, order.folder))
        if arguments.write:
            _write(path, text.with_rows(rows), order)
    _describe(order, skeleton, console)
    _print_rows([text.indented(row) for row in rows], path, console, written=arguments.write)
    _print_steps(order, skeleton, console, written=arguments.write)
    return ExitCode.GREEN


# --- what is asked for ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to make.

    :param root: the checkout
    :param folder: the version's folder, which does not exist yet
    :param source: folder of the version to start from; None for a new family
    :param models: a row that builds in `source` → id of the row to make after it
    :param sibling: id of the family's last row, if it has any
    :param near: families with names like the new one's
    """

    root: Path
    family: str
    version: str
    folder: Path
    source: Path | None = None
    models: Mapping[Version, str]
    sibling: str | None = None
    near: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The version's folder, relative to the checkout."""
        return self.folder.relative_to(self.root).as_posix()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self.models.values()) or (f"{self.family}-{self.version}",)

    def rows(self, text: VersionsText) -> list[NewRow]:
        if self.source is None or not self.models:
            return [NewRow(text=first_row(self.ids[0], self.family, self.place), after=self.sibling)]
        moved = {self.source.relative_to(self.root).as_posix(): self.place}
        return [
            NewRow(text=text.copy(model.id, {model.id: identifier} | moved), after=model.id)
            for model, identifier in self.models.items()
        ]


def _understand(arguments: argparse.Namespace, root: Path, catalogue: Catalogue) -> Order:
    """:raises ConfigurationError: a name that may not be, or is taken; no checkout to make it in"""
    family: str = arguments.family
    _check_name("family", family, catalogue)
    known = {version.family for version in catalogue.versions}
    _check_family(family, known)
    if not (root / BUILD_RULES).is_file():
        raise ConfigurationError(
            "no-checkout",
            f"{shown_path(root)} holds no {BUILD_RULES}",
            why="the skeleton is built by rules that stand in the checkout, beside versions.yaml",
            hint="run from the root of the checkout",
        )
    members = [version for version in catalogue.versions if version.family == family]
    folder = _home(root, arguments.folder, family, members)
    _check_place(root, folder)
    if members or folder.is_dir():
        version = _further_version(arguments.version, family, members, folder)
        source = _newest(folder, members, root)
        if source is None:
            _check_suite(family, members)
    else:
        _check_case(family, known)
        version = FIRST_VERSION if arguments.version is None else arguments.version
        source = None
    _check_version(version)
    models = {
        it: f"{it.family}-{version}"
        for it in catalogue.versions
        if isinstance(it.source, BuildRecipe) and root / it.source.folder == source
    }
    order = Order(
        root=root,
        family=family,
        version=version,
        folder=folder / version,
        source=source,
        models=models,
        sibling=members[-1].id if members else None,
        near=() if family in known else near_matches(family, known),
    )
    for identifier in order.ids:
        _check_id(identifier, catalogue)
    return order


def _home(root: Path, given: Path, family: str, members: Sequence[Version]) -> Path:
    """The family's folder; some families build in the folder of another, as a browser that runs the same program."""
    folders = [it.source.folder for it in members if isinstance(it.source, BuildRecipe)]
    if folders:
        return root / PurePosixPath(folders[-1]).parent
    return (root / given).resolve() / family


def _newest(folder: Path, members: Sequence[Version], root: Path) -> Path | None:
    """The version's folder to start from: the newest that has a row, else the newest there is."""
    listed = [root / it.source.folder for it in members if isinstance(it.source, BuildRecipe)]
    found = listed or [it.parent for it in folder.glob("*/Makefile")]
    if not found and folder.is_dir():
        raise ConfigurationError(
            "no-version-to-start-from",
            f"{shown_path(folder)} is there and holds no version",
            why="a version is a folder with a Makefile; where a family is here, a new one is made after the newest",
            hint="remove the folder if it is a leftover, or make the first version by hand",
        )
    return max(found, key=lambda it: natural_key(it.name), default=None)


def _further_version(given: str | None, family: str, members: Sequence[Version], folder: Path) -> str:
    if given is not None:
        return given
    here = [it.id for it in members] or sorted((it.parent.name for it in folder.glob("*/Makefile")), key=natural_key)
    raise ConfigurationError(
        "family-exists",
        f"the family `{family}` is here already" + (f": {', '.join(here)}" if here else ""),
        why="so this is to be a new version of it, and nobody but you knows which",
        hint=f"nox -s init -- {family} --version vX.Y; a different implementation needs a family name of its own",
    )


# --- names ------------------------------------------------------------------------------------------------

_LISTED: Final = "docs/versions.md lists what is allowed; these names become parts of paths, labels and command lines"


def _check_name(what: str, name: str, catalogue: Catalogue) -> None:
    defect = name_defect(name, known_suites())
    if defect is None and name in catalogue.aliases:
        defect = " is an alias in versions.yaml, and selections would no longer tell the two apart"
    if defect is not None:
        raise ConfigurationError(
            "bad-name", f"{what} `{shown(name)}`{defect}", why=_LISTED, hint=f"choose another {what}"
        )


def _check_version(version: str) -> None:
    if not is_plain(version) or not version.startswith("v"):
        advice = f"--version v{version}" if is_plain(f"v{version}") else f"--version {FIRST_VERSION}"
        raise ConfigurationError(
            "bad-name",
            f"version `{shown(version)}`: it begins with `v`, then letters, digits, `.`, `_` and `-`",
            why="it names the folder and ends the id, and a family's versions are found as `v*`",
            hint=advice,
        )


def _check_family(family: str, known: set[str]) -> None:
    """`go-v0.52` for a family would have `go-v0.52-v1.0` for a version, and its name means something else."""
    found = re.fullmatch(r"(?:(.+)-)?(v\d[\w.]*)", family)
    if found is None or family in known:
        return
    name = found[1] or "NAME"
    raise ConfigurationError(
        "bad-name",
        f"family `{shown(family)}` is named like a version",
        why="an id is made of both, as go-v0.51 of the family go and its version v0.51",
        hint=f"nox -s init -- {name} --version {found[2]}",
    )


def _check_case(family: str, known: set[str]) -> None:
    for other in sorted(known):
        if other.lower() == family.lower():
            raise ConfigurationError(
                "bad-name",
                f"family `{family}` differs from `{other}` by upper and lower case only",
                why="some file systems cannot hold both folders, and no reader keeps them apart",
                hint=f"for a new version of it: nox -s init -- {other} --version vX.Y; else choose another name",
            )


def _check_suite(family: str, members: Sequence[Version]) -> None:
    suites = list(dict.fromkeys(suite for version in members for suite in version.suites))
    if suites and implied_suite() not in suites:
        raise ConfigurationError(
            "no-such-skeleton",
            f"`{family}` plays {' and '.join(suites)}, and the skeleton is a program of the suite {implied_suite()}",
            why="an endpoint gets its files, certificates and addresses in another way: docs/quic-contract.md",
            hint="begin with a copy of an endpoint in your language, such as impls/aioquic, impls/quic-go, impls/quinn",
        )


def _check_id(identifier: str, catalogue: Catalogue) -> None:
    _check_name("id", identifier, catalogue)
    if identifier in catalogue.by_id():
        raise ConfigurationError(
            "id-taken",
            f"versions.yaml has a version `{identifier}` already",
            why="an id names one row and one column of the matrix",
            hint="give another --version",
        )


def _check_place(root: Path, folder: Path) -> None:
    if not folder.is_relative_to(root) or not all(map(is_plain, folder.relative_to(root).parts)):
        raise ConfigurationError(
            "bad-folder",
            f"{shown_path(folder)} cannot hold a build folder",
            why="versions.yaml names build folders inside the checkout, in letters, digits, `.`, `_`, `-` and `/`",
            hint="leave --folder out, or name a folder below the checkout",
        )


# --- writing and telling ----------------------------------------------------------------------------------


def _write(path: Path, content: bytes, order: Order) -> None:
    """Put the new text in the file's place once it has been read back and found to say what was meant."""
    try:
        with NamedTemporaryFile(dir=order.root, prefix=f".{path.name}.", suffix=".tmp") as trial:
            trial.write(content)
            trial.flush()
            ids = {version.id for version in load(Path(trial.name), known_suites()).versions}
        if ids != {version.id for version in load(path, known_suites()).versions} | set(order.ids):
            raise ConfigurationError(
                "cannot-add-row",
                f"{shown_path(path)}: the row cannot be added where the list ends",
                why="the file is laid out in a way that adding lines would change its meaning",
                hint="leave --write out and add the row that is printed by hand",
            )
        write_atomically(path, content)
    except OSError as error:
        raise ConfigurationError(
            "cannot-write-row",
            f"cannot write {shown_path(path)}: {error.strerror or error}",
            why="the checkout is read-only, or its disk is full",
            hint="leave --write out and add the row that is printed by hand",
        ) from None


def _describe(order: Order, skeleton: Skeleton, console: Console) -> None:
    if order.near:
        names = " or ".join(f"`{name}`" for name in order.near)
        console.warn(f"`{order.family}` is taken for a new family; was {names} meant? Then remove this one again")
    if order.source is None:
        what = "a new family" if order.sibling is None else "for the first version of the family that is built here"
        console.info(f"made {PurePosixPath(order.place).parent}, {what}:")
        console.info("  ping.py        listen() and dial(), the two functions to write")
        console.info("  app.py         the container contract, kept for them")
        console.info("  Dockerfile     how the image is made")
        console.info(f"  {order.version + '/':14} this version's requirements, and links to the above")
    else:
        source = order.source.relative_to(order.root).as_posix()
        console.info(f"made {order.place} after {source}; its own files, so far the same as there:")
        for name in skeleton.own:
            console.info(f"  {name}")


def _print_rows(rows: Sequence[str], path: Path, console: Console, *, written: bool) -> None:
    console.info("")
    console.info(f"added to {path}:" if written else f"for {path}, under `versions:` (or use --write next time):")
    console.info("")
    for row in rows:
        console.info(row)
        console.info("")


def _print_steps(order: Order, skeleton: Skeleton, console: Console, *, written: bool) -> None:
    place = shlex.quote(order.place)
    lock = f", then: make -C {place} lock" if has_rule(skeleton.folder / "Makefile", "lock") else ""
    if order.source is None:
        family = PurePosixPath(order.place).parent
        steps = [
            f"write listen() and dial() in {family}/ping.py",
            f"name your library in {order.place}/requirements.in{lock}",
        ]
    else:
        # Where nothing else is a version's own, its Makefile says which release it is.
        steps = [f"name the new release in {', '.join(skeleton.own) or 'Makefile'}{lock}"]
    steps += [f"make -C {place}", *_checks(order, place)]
    if not written:
        steps.append("add the row; what it promises is what check-image saw")
    steps += _trials(order)
    console.info("next:")
    for number, step in enumerate(steps, start=1):
        console.info(spelled(f"  {number}. {step}"))


def _checks(order: Order, place: str) -> Iterator[str]:
    """The commands that try each image by itself, in each suite it is for."""
    if not order.models:
        yield f"nox -s check-image -- {place}/image.json{f' {FIRST_STACK}' if order.source is None else ''}"
    for model in order.models:
        assert isinstance(model.source, BuildRecipe)  # noqa: S101 -- models build in a folder
        for suite in model.suites:
            words = [f"{order.place}/{model.source.image_file}"]
            words += SUITES[suite].words.option
            words += [] if model.part == "both" else ["--role", model.part]
            yield f"nox -s check-image -- {shlex.join(words)}"


def _trials(order: Order) -> Iterator[str]:
    """The commands that let the new versions meet all others, suite by suite."""
    suites: dict[str, list[str]] = {} if order.models else {implied_suite(): list(order.ids)}
    for model, identifier in order.models.items():
        for suite in model.suites:
            suites.setdefault(suite, []).append(identifier)
    for suite, ids in suites.items():
        selection = " ".join(f"--select 'version:{identifier}'" for identifier in ids)
        yield " ".join(["nox -s interop --", *SUITES[suite].words.option, selection])
