"""Which expectation is said of which case: their selections, over all cases there are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ci.errors import ConfigurationError
from ci.plan.selection import Fitting
from ci.suites.registry import SUITES

if TYPE_CHECKING:
    from ci.config.catalogue import Catalogue
    from ci.model import Case, Expectation

__all__ = ["ExpectedCases", "every_case", "expected_cases"]


@dataclass(frozen=True, kw_only=True)
class ExpectedCases:
    """:param by_key: what is said of a case, by its key

    :param idle: what is said of no case at all
    """

    by_key: Mapping[str, Expectation] = field(default_factory=dict)
    idle: tuple[Expectation, ...] = ()


def every_case(catalogue: Catalogue) -> list[Case]:
    """The cases of all suites."""
    return [case for suite in SUITES.values() for case in suite.cases(catalogue.of(suite.words))]


def expected_cases(catalogue: Catalogue) -> ExpectedCases:
    """Resolve all expectations of a catalogue, whatever of it is selected.

    :raises ConfigurationError: `expectation-conflict`: one case, two expectations of the same file
    """
    if not (catalogue.expectations or catalogue.overlay):
        return ExpectedCases()
    cases = every_case(catalogue)
    fitting = Fitting(cases, catalogue.resolver)
    by_key: dict[str, Expectation] = {}
    idle = []
    for layer in (catalogue.overlay, catalogue.expectations):
        found: dict[str, Expectation] = {}
        for expectation in layer:
            fits = fitting.any_of(expectation.select)
            if not fits:
                idle.append(expectation)
            for case in (cases[index] for index in sorted(fits)):
                other = found.setdefault(case.key, expectation)
                if other is not expectation:
                    raise _conflict(case.name, other, expectation)
        by_key = found | by_key  # what was said first stays
    return ExpectedCases(by_key=by_key, idle=tuple(idle))


def _conflict(case: str, one: Expectation, other: Expectation) -> ConfigurationError:
    return ConfigurationError(
        "expectation-conflict",
        f"{case}: two expectations, `{one.id}` at {one.place} and `{other.id}` at {other.place}",
        why="nobody could say which of them a result is held against",
        hint="narrow one of them with ` and not …`",
    )
