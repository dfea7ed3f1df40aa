"""`versions.yaml`: which versions are tested and what they can do (docs/versions.md lists every key).

Every mistake in every file is reported at once, each with its place and, where one is near, the word that was
probably meant. Only an alias that names nothing has to wait until the rows are right: before that, nobody can
tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ci.config.expectations import ExpectationRow, check_expectations, read_expectations
from ci.config.expression import RESERVED, Resolver
from ci.config.row import Row, is_plain, read_row
from ci.config.yaml_source import Node, Place, Problems, read
from ci.errors import ConfigurationError
from ci.model import Expectation, PublishedImage, Suites, SuiteWords, Version
from ci.util.suggest import did_you_mean, shown

__all__ = ["Catalogue", "load"]

_SCHEMA: Final = 1


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """What is tested: versions in the order of their files, and names for selection expressions.

    An alias with several expressions stands for the cases that fit any of them.

    :param suites: those there are, by name
    :param expectations: what is known of cases
    :param overlay: what is said of them elsewhere, which comes first
    """

    suites: Suites
    versions: tuple[Version, ...]
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    expectations: tuple[Expectation, ...] = ()
    overlay: tuple[Expectation, ...] = ()

    def of(self, suite: SuiteWords) -> tuple[Version, ...]:
        """The versions that take part in a suite."""
        return tuple(version for version in self.versions if suite.name in version.suites)

    @property
    def resolver(self) -> Resolver:
        """Gives expressions of the selection language their meaning here."""
        return Resolver(suites=self.suites, versions=self.versions, aliases=self.aliases)

    def replacing(self, images: Mapping[str, str]) -> Catalogue:
        """The same, with other images for some versions.

        :param images: reference, or path of an archive or a build folder, by version id
        :raises ConfigurationError: there is no such version
        """
        known = self.by_id()
        for name in images:
            if name not in known:
                raise ConfigurationError(
                    "no-such-version",
                    f"--replace: there is no version `{shown(name)}`{did_you_mean(name, known)}",
                    hint="name one of versions.yaml, or of a file given with --extra-versions",
                )
        versions = tuple(
            replace(it, source=PublishedImage(reference=images[it.id])) if it.id in images else it
            for it in self.versions
        )
        return replace(self, versions=versions)

    def by_id(self) -> Mapping[str, Version]:
        return MappingProxyType({version.id: version for version in self.versions})


def load(path: Path, suites: Suites, *, extra: Sequence[Path] = (), expectations: Sequence[Path] = ()) -> Catalogue:
    """Read the catalogue.

    :param path: `versions.yaml`; build folders are relative to the folder it stands in
    :param suites: those that versions may be in
    :param extra: files with further rows (`--extra-versions`), which may not set aliases
    :param expectations: files with further expectations (`--expectations`), and nothing else
    :raises ConfigurationError: a file cannot be read; or `SourceError` with every mistake there is
    """
    problems = Problems()
    rows: list[Row] = []
    aliases: dict[str, _Alias] = {}
    known: list[ExpectationRow] = []
    for number, file in enumerate((path, *extra)):
        main = number == 0
        keys = ("schema", "aliases", "versions", "expectations") if main else ("schema", "versions")
        root = read(file, problems)
        if root is None:
            continue
        entries = root.entries("the file", problems, keys)
        if entries is None:
            continue
        _check_schema(entries.get("schema"), root.place, problems, required=main)
        rows.extend(_rows(entries.get("versions"), root.place, path.parent, suites, problems))
        if "aliases" in entries:
            aliases = _aliases(entries["aliases"], problems)
        if "expectations" in entries:
            known += read_expectations(entries["expectations"], problems)
    overlay = [row for file in expectations for row in _overlay(file, problems)]
    _check_ids(rows, problems)
    versions = tuple(row.version for row in rows if row.version is not None)
    rows_are_right = not problems.found
    _check_alias_names(aliases, rows, suites, problems)
    _check_alias_meanings(aliases, suites, versions, problems, rows_are_right=rows_are_right)
    texts = {name: tuple(text for _, text in alias.expressions) for name, alias in aliases.items()}
    if not problems.found:  # else their mistakes might be only what follows from those
        check_expectations([*known, *overlay], Resolver(suites=suites, versions=versions, aliases=texts), problems)
    problems.raise_if_any()
    return Catalogue(
        suites=suites,
        versions=versions,
        aliases=MappingProxyType(texts),
        expectations=tuple(row.expectation for row in known if row.expectation is not None),
        overlay=tuple(row.expectation for row in overlay if row.expectation is not None),
    )


def _overlay(file: Path, problems: Problems) -> list[ExpectationRow]:
    root = read(file, problems)
    entries = None if root is None else root.entries("the file", problems, ("schema", "expectations"))
    if root is None or entries is None:
        return []
    _check_schema(entries.get("schema"), root.place, problems, required=False)
    if "expectations" not in entries:
        problems.add(root.place, "key `expectations` is missing: it holds the list of expectations")
        return []
    return read_expectations(entries["expectations"], problems)


def _check_schema(schema: Node | None, root: Place, problems: Problems, *, required: bool) -> None:
    if schema is not None:
        schema.whole_number("`schema` (this tool knows 1)", problems, maximum=_SCHEMA)
    elif required:
        problems.add(root, f"key `schema` is missing: begin the file with `schema: {_SCHEMA}`")


def _rows(node: Node | None, root: Place, checkout: Path, suites: Suites, problems: Problems) -> list[Row]:
    if node is None:
        problems.add(root, "key `versions` is missing: it holds the list of versions")
        return []
    items = node.items("`versions`", problems)
    if items is not None and not items:
        problems.add(node.place, "`versions` lists nothing")
    return [read_row(item, checkout, suites, problems) for item in items or ()]


def _check_ids(rows: Sequence[Row], problems: Problems) -> None:
    seen: dict[str, Place] = {}
    for row in rows:
        if row.id is None:
            continue
        if row.id in seen:
            problems.add(row.id_place, f"version id `{row.id}` is already taken at {seen[row.id]}")
        seen.setdefault(row.id, row.id_place)


# --- aliases ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Alias:
    place: Place
    expressions: tuple[tuple[Place, str], ...]


def _aliases(node: Node, problems: Problems) -> dict[str, _Alias]:
    aliases: dict[str, _Alias] = {}
    for name, (key, value) in (node.any_entries("`aliases`", problems) or {}).items():
        if not is_plain(name):
            problems.add(key.place, f"alias `{shown(name)}`: use letters, digits, `.`, `_` and `-`")
            continue
        texts = [(item.place, item.word(f"alias `{name}`", problems)) for item in _expressions(value, problems)]
        aliases[name] = _Alias(
            place=key.place, expressions=tuple((place, text) for place, text in texts if text is not None)
        )
    return aliases


def _expressions(value: Node, problems: Problems) -> tuple[Node, ...]:
    """An alias is one expression or a list of them."""
    if value.kind != "a list":
        return (value,)
    items = value.items("an alias", problems) or ()
    if not items:
        problems.add(value.place, "the alias is empty: name something, or leave it out")
    return items


def _check_alias_names(aliases: Mapping[str, _Alias], rows: Sequence[Row], suites: Suites, problems: Problems) -> None:
    taken = {word: f"a {param.called}" for suite in suites.values() for param in suite.params for word in param.words}
    taken |= dict.fromkeys(suites, "a suite")
    taken |= dict.fromkeys(RESERVED, "a word of the selection language")
    taken |= {row.family: "a family" for row in rows if row.family is not None}
    taken |= {row.id: "a version" for row in rows if row.id is not None}
    for name, alias in aliases.items():
        if name in taken:
            problems.add(alias.place, f"alias `{name}` hides {taken[name]} of the same name: rename it")


def _check_alias_meanings(
    aliases: Mapping[str, _Alias],
    suites: Suites,
    versions: Sequence[Version],
    problems: Problems,
    *,
    rows_are_right: bool,
) -> None:
    texts = {name: tuple(text for _, text in alias.expressions) for name, alias in aliases.items()}
    resolver = Resolver(suites=suites, versions=versions, aliases=texts)
    for name, alias in aliases.items():
        mistake = next(
            (
                (place, error)
                for place, text in alias.expressions
                if (error := resolver.mistake_in(text, within=name)) is not None
            ),
            None,
        )
        if mistake is None:
            continue
        place, error = mistake
        if rows_are_right or error.reference != "matches-nothing":
            problems.add(place, f"alias `{name}`: {error.message}")
