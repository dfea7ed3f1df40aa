"""Which cases of a matrix are selected, and why (docs/selection.md).

Several `--select` are joined by "or"; without any, everything is selected. What an `--ignore` fits is then
left out. Every expression, and every term of it, must fit at least one case of the whole matrix: a selection
that silently stopped fitting anything would be a hole nobody sees.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from typing_extensions import assert_never

from ci.config.expression import (
    AliasTerm,
    AllOf,
    NameTerm,
    NotTerm,
    Resolver,
    Term,
    VersionTerm,
    WordTerm,
)
from ci.errors import ConfigurationError, NothingSelectedError
from ci.util.suggest import did_you_mean, shown
from ci.util.text import counted

if TYPE_CHECKING:
    from ci.model import Case, Suites, Version

__all__ = ["Decision", "Fitting", "select"]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What the selection does with one case, and the reason in words."""

    case: Case
    selected: bool
    why: str


def select(
    cases: Sequence[Case],
    suites: Suites,
    versions: Sequence[Version],
    aliases: Mapping[str, tuple[str, ...]],
    *,
    selects: Sequence[str] = (),
    ignores: Sequence[str] = (),
) -> tuple[Decision, ...]:
    """Decide every case, in the order given.

    :param cases: the whole unfiltered matrix of `versions`, of one suite
    :param suites: all there are, whose words the language has
    :param selects: expressions, joined by "or"; none selects everything
    :param ignores: expressions; what any of them fits is left out
    :raises ConfigurationError: an expression is malformed, ambiguous, or fits no case of the matrix
    :raises NothingSelectedError: everything is understood and no case is left
    """
    resolver = Resolver(suites=suites, versions=versions, aliases=aliases)
    fitting = Fitting(cases, resolver)
    selected_by = {text: fitting.at_least_one(text) for text in selects}
    ignored_by = {text: fitting.at_least_one(text) for text in ignores}
    decisions = tuple(_decide(case, index, selected_by, ignored_by) for index, case in enumerate(cases))
    if not any(decision.selected for decision in decisions):
        raise _nothing_left(len(cases), selected_by, ignored_by)
    return decisions


def _decide(
    case: Case,
    index: int,
    selected_by: Mapping[str, frozenset[int]],
    ignored_by: Mapping[str, frozenset[int]],
) -> Decision:
    why = "everything is selected"
    if selected_by:
        selector = next((text for text, fits in selected_by.items() if index in fits), None)
        if selector is None:
            return Decision(case=case, selected=False, why="no --select fits")
        why = f"--select {selector}"
    ignorer = next((text for text, fits in ignored_by.items() if index in fits), None)
    if ignorer is not None:
        return Decision(case=case, selected=False, why=f"--ignore {ignorer}")
    return Decision(case=case, selected=True, why=why)


def _nothing_left(
    total: int,
    selected_by: Mapping[str, frozenset[int]],
    ignored_by: Mapping[str, frozenset[int]],
) -> NothingSelectedError:
    if not total:
        return NothingSelectedError(
            "nothing-selected",
            "the matrix has no case at all",
            why="no two versions share a transport that one dials and the other listens on",
            hint="add versions, or check their transports and `dialOnly`",
        )
    chosen = len(frozenset().union(*selected_by.values())) if selected_by else total
    return NothingSelectedError(
        "nothing-selected",
        f"no case is left: of {counted(total, 'case')} {chosen} are selected and all of these ignored",
        why="each --ignore takes away from what all --select together chose",
        hint="narrow the --ignore; the ignored part was: " + "; ".join(shown(text) for text in ignored_by),
    )


@dataclass(frozen=True)
class Fitting:
    """Which cases fit expressions, by position; each part of one is looked at once, however often aliases use it."""

    cases: Sequence[Case]
    resolver: Resolver
    _known: dict[int, tuple[object, frozenset[int]]] = field(default_factory=dict, init=False)

    def any_of(self, expressions: Sequence[str]) -> frozenset[int]:
        """The cases that fit any of these; there may be none.

        :raises ConfigurationError: an expression has no clear meaning
        """
        return frozenset().union(*(self._of(self.resolver.resolve(text)) for text in expressions))

    def at_least_one(self, text: str) -> frozenset[int]:
        """The cases that fit an expression.

        :raises ConfigurationError: it has no clear meaning, or there is no case that fits it or one of its terms
        """
        expression = self.resolver.resolve(text)
        for term in expression.terms:
            positive = term.term if isinstance(term, NotTerm) else term
            if not self._of(positive):
                raise self._fits_no_case(positive)
        fits = self._of(expression)
        if not fits:
            raise ConfigurationError(
                "matches-nothing",
                f"`{shown(expression.text)}` fits no case of the matrix",
                why="each of its terms fits some cases, but no case fits all of them",
                hint="`list` with one term at a time shows where they part",
            )
        return fits

    def _of(self, node: Term | AllOf) -> frozenset[int]:
        # The node itself is kept next to its answer, so that its id stays its own.
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = (node, self._evaluate(node))
        return known[1]

    def _evaluate(self, node: Term | AllOf) -> frozenset[int]:
        if isinstance(node, AllOf):
            return frozenset.intersection(*(self._of(term) for term in node.terms))
        if isinstance(node, AliasTerm):
            return frozenset().union(*(self._of(expression) for expression in node.expressions))
        if isinstance(node, NotTerm):
            return frozenset(range(len(self.cases))) - self._of(node.term)
        return self._index.of(node)

    @cached_property
    def _index(self) -> _Index:
        return _Index(self.cases)

    def _fits_no_case(self, term: Term) -> ConfigurationError:
        known = self.resolver.everything_known()
        strangers = [
            f"`{shown(word)}` is not known{did_you_mean(word, known)}"
            for word in (re.findall(r"[\w.-]+", term.text) if isinstance(term, NameTerm) else ())
            if word not in known and word not in ("x", "name") and not set(word) <= set("-._")
        ]
        return ConfigurationError(
            "matches-nothing",
            f"`{shown(term.text)}` fits no case of the matrix" + "".join(f"\n  {line}" for line in strangers),
            why="no pair of versions shares that stack, or it is in a role none of them plays",
            hint="`list` without a selection shows every case there is",
        )


class _Index:
    """The positions of cases by what terms ask for: looked at once, however many terms there are."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._cases = cases
        first: dict[Hashable, list[int]] = {}
        second: dict[Hashable, list[int]] = {}
        params: dict[Hashable, list[int]] = {}
        for position, case in enumerate(cases):
            first.setdefault(case.first, []).append(position)
            second.setdefault(case.second, []).append(position)
            params.setdefault((id(case.suite), case.params), []).append(position)
        self._first, self._second = first, second
        # Thousands of cases share a few stacks.
        self._words: dict[Hashable, list[int]] = {}
        for positions in params.values():
            case = cases[positions[0]]
            for param, word in zip(case.suite.params, case.params, strict=True):
                self._words.setdefault((param.dimension, word), []).extend(positions)

    def of(self, term: VersionTerm | WordTerm | NameTerm) -> frozenset[int]:
        if isinstance(term, VersionTerm):
            begun = _all(self._first, term.ids) if term.begins else frozenset()
            return begun | _all(self._second, term.ids) if term.answers else begun
        if isinstance(term, WordTerm):
            return _all(self._words, [(term.dimension, word) for word in term.words])
        if isinstance(term, NameTerm):
            pattern = term.pattern
            return frozenset(at for at, case in enumerate(self._cases) if pattern.match(case.name) is not None)
        assert_never(term)


def _all(positions: Mapping[Hashable, list[int]], names: Iterable[Hashable]) -> frozenset[int]:
    return frozenset().union(*(positions.get(name, ()) for name in names))
