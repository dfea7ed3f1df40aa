"""From the name of a case, as a person has typed or pasted it, to the case; or to why there is none.

This is the one place where a name is taken apart. Records are joined by their keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.suites.registry import SUITES
from ci.util.suggest import did_you_mean, near_matches, shown

if TYPE_CHECKING:
    from ci.model import Case, Version
    from ci.suites.base import Suite

__all__ = ["find_case"]

_NAME: Final = re.compile(r"(?P<first>\S+) x (?P<second>\S+) \((?P<params>[^()]*)\)")


def find_case(name: str, versions: Sequence[Version], suite: Suite) -> Case:
    """The case of this name; how its words are spaced does not matter.

    :param versions: all there are, those of other suites too
    :raises ConfigurationError: `case-excluded` when both versions are known and cannot meet like that,
        `other-suite` when it is a case of another suite, `unknown-case` for any other name
    """
    cases = _matrix(suite, versions)
    wanted = re.sub(r"\s*,\s*", ", ", " ".join(name.replace("×", "x").split()))
    if wanted in cases:
        return cases[wanted]
    if others := [other for other in SUITES.values() if other is not suite and wanted in _matrix(other, versions)]:
        raise ConfigurationError(
            "other-suite",
            f"`{shown(wanted)}` is no case of the suite {suite}",
            why=f"it is one of the suite {' and of '.join(map(str, others))}",
            hint=f"say {' or '.join(f'`--suite {other}`' for other in others)}",
        )
    match = _NAME.fullmatch(wanted)
    if match is None:
        raise ConfigurationError(
            "unknown-case",
            f"`{shown(name)}` is not the name of a case",
            why=f"a name is like `{suite.words.example}`, in quotes",
            hint=_nearest(wanted, suite, versions),
        )
    known = {version.id: version for version in versions}
    words = [word for word in match["params"].split(", ") if word]
    strangers = [*_unknown(match, known, suite), *_unknown_words(words, suite)]
    if strangers:
        raise ConfigurationError(
            "unknown-case",
            f"there is no case `{shown(wanted)}`",
            why="; ".join(strangers),
            hint=_nearest(wanted, suite, versions),
        )
    first, second = known[match["first"]], known[match["second"]]
    why = suite.why_excluded(first, second, words)
    raise ConfigurationError(
        "case-excluded",
        f"`{shown(wanted)}` is not in the matrix",
        why="; ".join(why) or "its words stand in another order",
        hint=_nearest(wanted, suite, versions),
    )


def _matrix(suite: Suite, versions: Sequence[Version]) -> dict[str, Case]:
    return {case.name: case for case in suite.cases([it for it in versions if suite.name in it.suites])}


def _nearest(wanted: str, suite: Suite, versions: Sequence[Version]) -> str:
    """What was meant, of this suite or, where it has nothing like it, of another."""
    for one in (suite, *(other for other in SUITES.values() if other is not suite)):
        if found := near_matches(wanted, _matrix(one, versions)):
            return (
                "try " + " or ".join(f"`{name}`" for name in found) + ("" if one is suite else f" with --suite {one}")
            )
    more = f" -- {' '.join(suite.words.option)}" if suite.words.option else ""
    return f"`nox -s list{more}` shows every case there is"


def _unknown(match: re.Match[str], known: Mapping[str, Version], suite: Suite) -> Iterator[str]:
    for name in dict.fromkeys((match["first"], match["second"])):
        if name not in known:
            yield f"no version is called `{shown(name)}`{did_you_mean(name, known)}"
        elif suite.name not in known[name].suites:
            yield f"{name} takes part in {' and '.join(known[name].suites)}, not in {suite}"


def _unknown_words(words: Sequence[str], suite: Suite) -> Iterator[str]:
    vocabulary = _vocabulary(suite)
    params = suite.words.params
    part = f"{params[0].called} of {suite}" if len(params) == 1 else "part of a stack"
    for word in words:
        if word not in vocabulary:
            elsewhere = [
                it for it in SUITES.values() if it.words.contract == suite.words.contract and word in _vocabulary(it)
            ]
            where = f" (but of {elsewhere[0]})" if elsewhere else did_you_mean(word, vocabulary)
            yield f"`{shown(word)}` is no {part}{where}"


def _vocabulary(suite: Suite) -> tuple[str, ...]:
    return tuple(word for param in suite.words.params for word in param.words)
