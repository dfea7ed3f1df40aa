"""The selection language: from text to meaning. docs/selection.md is its statement for users.

    expression = term { " and " term }
    term       = [ "not " ] pattern
    pattern    = [ role ":" ] versions | dimension ":" glob | "~" alias | bare word | case name
    role       = "dialer" | "client" | "listener" | "server", as the suites call them
    dimension  = "transport" | "security" | "muxer" | "test", as the suites have them

A pattern that fits nothing in the catalogue is an error with near matches; nothing here looks at cases.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Final, TypeAlias

from ci.errors import ConfigurationError
from ci.model import Param, Role, Suites, Version
from ci.util.suggest import did_you_mean, near_matches, shown

__all__ = [
    "RESERVED",
    "AliasTerm",
    "AllOf",
    "NameTerm",
    "NotTerm",
    "Resolver",
    "Term",
    "VersionTerm",
    "WordTerm",
]

# Words of the language itself; nothing may be called so.
RESERVED: Final = frozenset({"and", "not", "x"})

_DEEPEST_ALIAS: Final = 16
_HELP: Final = "docs/selection.md describes the language; `list` shows all cases"


# --- meaning ----------------------------------------------------------------------------------------------
# Nodes compare by identity: an alias used twice is the same node twice and is evaluated once.


@dataclass(frozen=True, kw_only=True, eq=False)
class VersionTerm:
    """Cases that one of these versions begins, or answers, or either."""

    text: str
    ids: frozenset[str]
    begins: bool = True
    answers: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class WordTerm:
    """Cases that have one of these words in this dimension: in their stack, or as their test case."""

    text: str
    dimension: str
    words: frozenset[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class NameTerm:
    """Cases whose whole name fits."""

    text: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class NotTerm:
    """The other cases."""

    text: str
    term: Term


@dataclass(frozen=True, kw_only=True, eq=False)
class AllOf:
    """An expression: cases that fit every term."""

    text: str
    terms: tuple[Term, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class AliasTerm:
    """Cases that fit any expression of an alias (or of several, where a glob names them)."""

    text: str
    expressions: tuple[AllOf, ...]


Term: TypeAlias = "VersionTerm | WordTerm | NameTerm | NotTerm | AliasTerm"


# --- resolving --------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """Gives texts a meaning against the versions and aliases there are.

    :raises ConfigurationError: from `resolve`, for a text without a clear meaning
    """

    suites: Suites
    versions: Sequence[Version]
    aliases: Mapping[str, tuple[str, ...]]
    _known_aliases: dict[tuple[str, Role | None], tuple[AllOf, ...]] = field(default_factory=dict, init=False)

    def resolve(self, text: str, *, within: str | None = None) -> AllOf:
        """The meaning of one expression.

        :param within: the alias whose expression it is, to notice a circle through it
        """
        return self._expression(text, None, () if within is None else (within,))

    def mistake_in(self, text: str, *, within: str | None = None) -> ConfigurationError | None:
        """Why an expression has no clear meaning; None where it has. See `resolve`."""
        try:
            self.resolve(text, within=within)
        except ConfigurationError as error:
            return error
        return None

    @cached_property
    def _dimensions(self) -> Mapping[str, tuple[Param, ...]]:
        """What cases of any suite say of themselves, by its name here."""
        found: dict[str, tuple[Param, ...]] = {}
        for suite in self.suites.values():
            for param in suite.params:
                found[param.dimension] = (*found.get(param.dimension, ()), param)
        return found

    @cached_property
    def _words_of(self) -> Mapping[str, frozenset[str]]:
        listed: dict[str, set[str]] = {dimension: set() for dimension in self._dimensions}
        for version in self.versions:
            for suite in version.suites:
                for param in self.suites[suite].params:
                    listed[param.dimension].update(param.words if param.listed_by is None else param.listed_by(version))
        return {dimension: frozenset(words) for dimension, words in listed.items()}

    # The version that begins and the one that answers, by the names that any suite has for them.

    @cached_property
    def _begins(self) -> tuple[Role, ...]:
        return tuple(dict.fromkeys(suite.roles[0] for suite in self.suites.values()))

    @cached_property
    def _answers(self) -> tuple[Role, ...]:
        return tuple(dict.fromkeys(suite.roles[1] for suite in self.suites.values()))

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        return (*self._begins, *self._answers, "version", "family", *self._dimensions, "name")

    def words(self, dimension: str) -> frozenset[str]:
        """The words of a dimension that at least one version lists, or is asked for."""
        return self._words_of[dimension]

    def everything_known(self) -> frozenset[str]:
        """Every plain word an expression may use."""
        names = {name for version in self.versions for name in (version.id, version.family)}
        return frozenset(names.union(self.aliases, *self._words_of.values()))

    # `role` is the role prefix in force (an alias after `dialer:` speaks of dialers only);
    # `path` holds the aliases being expanded, to notice a circle.

    def _expression(self, text: str, role: Role | None, path: tuple[str, ...]) -> AllOf:
        if not text.strip():
            raise ConfigurationError(
                "empty-selection",
                "an empty selection means nothing",
                why="often a variable that is not set: in a workflow, an input that was left empty",
                hint='leave the flag out, as `${SELECT:+--select "$SELECT"}` does in a shell, or name something',
            )
        parts = re.split(r"\s+and(?=\s)|^\s*and(?=\s)|\s+and\s*$", text)
        if any(not part.strip() for part in parts):
            raise _refusal(
                "bad-selection",
                f"`{shown(text)}`: ` and ` stands between two terms",
                "remove the ` and ` that has a side missing",
            )
        return AllOf(text=text.strip(), terms=tuple(self._term(part.strip(), role, path) for part in parts))

    def _term(self, text: str, role: Role | None, path: tuple[str, ...]) -> Term:
        if re.match(r"not\s", text):
            inner = text[4:].strip()
            if not inner or re.match(r"not(\s|$)", inner):
                raise _refusal("bad-selection", f"`{shown(text)}`: one `not ` and one pattern", _HELP)
            return NotTerm(text=text, term=self._term(inner, role, path))
        if text.startswith("name:"):
            return self._name(text, text[len("name:") :].strip(), role)
        if " x " in text or "(" in text:
            return self._name(text, text, role)
        if re.search(r"\s", text):
            raise _refusal(
                "bad-selection",
                f"`{shown(text)}`: a term holds no spaces",
                "join terms that must all fit by ` and `; repeat the flag for one or the other",
            )
        if "," in text:
            raise _refusal(
                "bad-selection",
                f"`{shown(text)}`: commas join nothing",
                "join terms that must all fit by ` and `; repeat the flag for one or the other",
            )
        prefix, colon, rest = text.partition(":")
        if colon:
            return self._prefixed(text, prefix, rest, role, path)
        if text.startswith("~"):
            return self._alias_term(text, text[1:], role, path)
        return self._bare(text, role, path)

    def _prefixed(self, text: str, prefix: str, rest: str, role: Role | None, path: tuple[str, ...]) -> Term:
        if prefix not in self._prefixes:
            raise _refusal(
                "bad-selection",
                f"`{shown(text)}`: unknown prefix `{shown(prefix)}:`{did_you_mean(prefix, self._prefixes)}",
                "the prefixes are " + " ".join(f"{known}:" for known in self._prefixes),
            )
        if not rest:
            raise _refusal("bad-selection", f"`{shown(text)}`: nothing after the prefix", _HELP)
        if prefix in self._dimensions:
            return self._words(text, prefix, rest, role)
        if prefix in (*self._begins, *self._answers):
            if role is not None:
                raise _refusal("bad-selection", f"`{shown(text)}`: a role inside a role ({role}:)", _HELP)
            return self._with_role(text, prefix, rest, path)
        return self._versions(text, rest, role, by_id=prefix == "version", by_family=prefix == "family")

    def _with_role(self, text: str, role: Role, rest: str, path: tuple[str, ...]) -> Term:
        if rest.startswith("~"):
            return self._alias_term(text, rest[1:], role, path)
        kind, colon, glob = rest.partition(":")
        if colon and kind in ("version", "family") and glob:
            return self._versions(text, glob, role, by_id=kind == "version", by_family=kind == "family")
        if colon:
            raise _refusal("bad-selection", f"`{shown(text)}`: a role says something about versions only", _HELP)
        if rest in self.aliases:
            return self._alias_term(text, rest, role, path)
        return self._versions(text, rest, role, by_id=True, by_family=True)

    def _bare(self, text: str, role: Role | None, path: tuple[str, ...]) -> Term:
        if text == "*":  # fits every dimension alike, so there is nothing to be unclear about
            return self._versions(text, text, role, by_id=True, by_family=False)
        if text in self.aliases:
            return self._alias_term(text, text, role, path)
        fits: dict[str, Callable[[], Term]] = {}
        if any(_fits(text, version.id) or _fits(text, version.family) for version in self.versions):
            fits["version"] = partial(self._versions, text, text, role, by_id=True, by_family=True)
        for dimension in self._dimensions:
            if any(_fits(text, word) for word in self.words(dimension)):
                fits[dimension] = partial(self._words, text, dimension, text, role)
        if len(fits) > 1:
            choices = " or ".join(f"`{kind}:{shown(text)}`" for kind in fits)
            raise _refusal(
                "ambiguous-selection",
                f"`{shown(text)}` fits {' and '.join(fits)}",
                f"write {choices}",
            )
        if not fits:
            raise self._nothing(text, text, self.everything_known())
        return next(iter(fits.values()))()

    def _versions(self, text: str, glob: str, role: Role | None, *, by_id: bool, by_family: bool) -> Term:
        ids = frozenset(
            version.id
            for version in self.versions
            if (by_id and _fits(glob, version.id)) or (by_family and _fits(glob, version.family))
        )
        if not ids:
            known = {version.id for version in self.versions if by_id}
            known |= {version.family for version in self.versions if by_family}
            raise self._nothing(text, glob, known)
        return VersionTerm(text=text, ids=ids, begins=role not in self._answers, answers=role not in self._begins)

    def _words(self, text: str, dimension: str, glob: str, role: Role | None) -> Term:
        self._no_role(text, role)
        words = frozenset(word for word in self.words(dimension) if _fits(glob, word))
        if words:
            return WordTerm(text=text, dimension=dimension, words=words)
        known = dict.fromkeys(word for param in self._dimensions[dimension] for word in param.words)
        if glob in known:
            raise _refusal("matches-nothing", f"`{shown(text)}`: no version lists {glob}", _HELP)
        raise self._nothing(text, glob, known)

    def _name(self, text: str, glob: str, role: Role | None) -> Term:
        self._no_role(text, role)
        if not glob:
            raise _refusal("bad-selection", f"`{shown(text)}`: nothing after the prefix", _HELP)
        try:
            return NameTerm(text=text, pattern=re.compile(fnmatch.translate(glob)))
        except re.error as error:  # a range such as [z-a], on some releases of Python
            raise _refusal("bad-selection", f"`{shown(text)}`: {error}", _HELP) from None

    def _no_role(self, text: str, role: Role | None) -> None:
        if role is not None:
            raise _refusal(
                "bad-selection",
                f"`{shown(text)}` after `{role}:`: a role says something about versions only",
                "take the role away, or use an alias that names only versions",
            )

    def _alias_term(self, text: str, glob: str, role: Role | None, path: tuple[str, ...]) -> Term:
        names = [name for name in sorted(self.aliases) if _fits(glob, name)]
        if not names:
            raise self._nothing(text, glob, self.aliases)
        found = [expression for name in names for expression in self._alias(name, role, path)]
        return AliasTerm(text=text, expressions=tuple(found))

    def _alias(self, name: str, role: Role | None, path: tuple[str, ...]) -> tuple[AllOf, ...]:
        if name in path:
            circle = " → ".join((*path[path.index(name) :], name))
            raise _refusal("alias-circle", f"`~{name}` leads back to itself: {circle}", "break the circle")
        if len(path) >= _DEEPEST_ALIAS:
            raise _refusal("alias-depth", f"`~{name}` is nested more than {_DEEPEST_ALIAS} deep", "flatten it")
        known = self._known_aliases.get((name, role))
        if known is None:
            known = tuple(self._expression(text, role, (*path, name)) for text in self.aliases[name])
            self._known_aliases[name, role] = known
        return known

    def _nothing(self, text: str, glob: str, known: Iterable[str]) -> ConfigurationError:
        core = re.sub(r"[*?\[\]]+", "", glob).strip("-.") or glob
        # A suite is no word of the language, but it is what people try; the implied one is never what they miss.
        suites = {name: " ".join(it.option) for name, it in self.suites.items() if name not in known and it.option}
        near = [suites.get(word, word) for word in near_matches(core, {*known, *suites})]
        meant = f": did you mean {' or '.join(f'`{word}`' for word in near)}?" if near else ""
        hint = _HELP if near else f"known: {_listed(known)}"
        return _refusal("matches-nothing", f"`{shown(text)}` matches nothing{meant}", hint)


def _refusal(reference: str, message: str, hint: str) -> ConfigurationError:
    return ConfigurationError(reference, message, hint=hint)


def _fits(glob: str, word: str) -> bool:
    try:
        return fnmatch.fnmatchcase(word, glob)
    except re.error:  # a range such as [z-a], on some releases of Python
        return False


def _listed(known: Iterable[str]) -> str:
    words = sorted(known)
    return ", ".join(words[:12]) + (f" and {len(words) - 12} more" if len(words) > 12 else "")
