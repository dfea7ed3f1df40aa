"""From the name of a case, as a person has typed or pasted it, to the case; or to why there is none.

This is the one place where a name is taken apart. Records are joined by their keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, TRANSPORTS
from ci.suggest import did_you_mean, near_matches, shown
from ci.suites.transport_cases import cases

if TYPE_CHECKING:
    from ci.model import Case, Version

__all__ = ["find_case"]

_NAME: Final = re.compile(r"(?P<dialer>\S+) x (?P<listener>\S+) \((?P<stack>[^()]*)\)")
_EXAMPLE: Final = "py-v0.8 x go-v0.51 (tcp, noise, yamux)"


def find_case(name: str, versions: Sequence[Version]) -> Case:
    """The case of this name; how its words are spaced does not matter.

    :raises ConfigurationError: `case-excluded` when both versions are known and cannot talk like that,
        `unknown-case` for any other name
    """
    matrix = {case.name: case for case in cases(versions)}
    wanted = re.sub(r"\s*,\s*", ", ", " ".join(name.replace("×", "x").split()))
    if wanted in matrix:
        return matrix[wanted]
    match = _NAME.fullmatch(wanted)
    if match is None:
        raise ConfigurationError(
            "unknown-case",
            f"`{shown(name)}` is not the name of a case",
            why=f"a name is like `{_EXAMPLE}`, in quotes",
            hint=_nearest(wanted, matrix) or "`nox -s list` shows all of them",
        )
    known = {version.id: version for version in versions}
    words = [word for word in match["stack"].split(", ") if word]
    strangers = [*_unknown(match, known), *_unknown_words(words)]
    if strangers:
        raise ConfigurationError(
            "unknown-case",
            f"there is no case `{shown(wanted)}`",
            why="; ".join(strangers),
            hint=_nearest(wanted, matrix) or "`nox -s list` shows all of them",
        )
    why = [*_misplaced(words)] or [*_unable(known[match["dialer"]], known[match["listener"]], words)]
    raise ConfigurationError(
        "case-excluded",
        f"`{shown(wanted)}` is not in the matrix",
        why="; ".join(why) or "its words stand in another order",
        hint=_nearest(wanted, matrix) or "`nox -s list` shows every case there is",
    )


def _nearest(wanted: str, matrix: Mapping[str, Case]) -> str:
    found = near_matches(wanted, matrix)
    return "try " + " or ".join(f"`{name}`" for name in found) if found else ""


def _unknown(match: re.Match[str], known: Mapping[str, Version]) -> Iterator[str]:
    for name in dict.fromkeys((match["dialer"], match["listener"])):
        if name not in known:
            yield f"no version is called `{shown(name)}`{did_you_mean(name, known)}"


def _unknown_words(words: Sequence[str]) -> Iterator[str]:
    vocabulary = (*TRANSPORTS, *SECURE_CHANNELS, *MUXERS)
    for word in words:
        if word not in vocabulary:
            yield f"`{shown(word)}` is no part of a stack{did_you_mean(word, vocabulary)}"


def _misplaced(words: Sequence[str]) -> Iterator[str]:
    """What no two versions could have in common."""
    if not words or words[0] not in TRANSPORTS:
        yield "a stack begins with its transport"
    elif words[0] in STANDALONE and len(words) > 1:
        yield f"{words[0]} brings its own security and streams: its cases end with `({words[0]})`"
    elif words[0] not in STANDALONE and len(words) < 3:
        yield f"{words[0]} needs a secure channel and a muxer: `({words[0]}, noise, yamux)`"
    elif words[1:] and (words[1] not in SECURE_CHANNELS or words[2] not in MUXERS):
        yield "the secure channel stands second, the muxer third"
    elif len(words) > 3:
        yield "a stack is a transport, a secure channel and a muxer, each once"


def _unable(dialer: Version, listener: Version, words: Sequence[str]) -> Iterator[str]:
    transport = words[0]
    if not dialer.dials(transport):
        yield f"{dialer.id} does not speak {transport}"
    if not listener.listens(transport):
        does = "only dials, and never listens on," if listener.dials(transport) else "does not speak"
        if listener is not dialer or listener.dials(transport):
            yield f"{listener.id} {does} {transport}"
    for word, kind in zip(words[1:], ("secure_channels", "muxers"), strict=False):
        for version in dict.fromkeys((dialer, listener)):
            if word not in getattr(version, kind):
                yield f"{version.id} has no {word}"
