"""From the name of a case, as a person has typed or pasted it, to the case; or to why there is none.

This is the one place where a name is taken apart. Records are joined by their keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from ci.errors import ConfigurationError
from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, SUITES, TEST_CASES, TRANSPORTS
from ci.suites.registry import matrix
from ci.util.suggest import did_you_mean, near_matches, shown

if TYPE_CHECKING:
    from ci.model import Case, SuiteName, Version

__all__ = ["find_case"]

_NAME: Final = re.compile(r"(?P<first>\S+) x (?P<second>\S+) \((?P<params>[^()]*)\)")
_EXAMPLES: Final[Mapping[SuiteName, str]] = {
    "transport": "py-v0.8 x go-v0.51 (tcp, noise, yamux)",
    "quic": "aioquic-v1.7 x quic-go-v0.65 (retry)",
    "webtransport": "aioquic-v1.7 x aioquic-v1.7 (handshake)",
}


def find_case(name: str, versions: Sequence[Version], suite: SuiteName = "transport") -> Case:
    """The case of this name; how its words are spaced does not matter.

    :param versions: all there are, those of other suites too
    :raises ConfigurationError: `case-excluded` when both versions are known and cannot meet like that,
        `other-suite` when it is a case of another suite, `unknown-case` for any other name
    """
    cases = _matrix(suite, versions)
    wanted = re.sub(r"\s*,\s*", ", ", " ".join(name.replace("×", "x").split()))
    if wanted in cases:
        return cases[wanted]
    if others := [other for other in SUITES if other != suite and wanted in _matrix(other, versions)]:
        raise ConfigurationError(
            "other-suite",
            f"`{shown(wanted)}` is no case of the suite {suite}",
            why=f"it is one of the suite {' and of '.join(others)}",
            hint=f"say {' or '.join(f'`--suite {other}`' for other in others)}",
        )
    match = _NAME.fullmatch(wanted)
    if match is None:
        raise ConfigurationError(
            "unknown-case",
            f"`{shown(name)}` is not the name of a case",
            why=f"a name is like `{_EXAMPLES[suite]}`, in quotes",
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
    if suite == "transport":
        why = [*_misplaced(words)] or [*_unable(first, second, words)]
    else:
        why = [*_one_test_case(words), *_other_part(first, second)]
    raise ConfigurationError(
        "case-excluded",
        f"`{shown(wanted)}` is not in the matrix",
        why="; ".join(why) or "its words stand in another order",
        hint=_nearest(wanted, suite, versions),
    )


def _matrix(suite: SuiteName, versions: Sequence[Version]) -> dict[str, Case]:
    return {case.name: case for case in matrix(suite, [it for it in versions if suite in it.suites])}


def _nearest(wanted: str, suite: SuiteName, versions: Sequence[Version]) -> str:
    """What was meant, of this suite or, where it has nothing like it, of another."""
    for one in (suite, *(other for other in SUITES if other != suite)):
        if found := near_matches(wanted, _matrix(one, versions)):
            return (
                "try " + " or ".join(f"`{name}`" for name in found) + ("" if one == suite else f" with --suite {one}")
            )
    more = "" if suite == "transport" else f" -- --suite {suite}"
    return f"`nox -s list{more}` shows every case there is"


def _unknown(match: re.Match[str], known: Mapping[str, Version], suite: SuiteName) -> Iterator[str]:
    for name in dict.fromkeys((match["first"], match["second"])):
        if name not in known:
            yield f"no version is called `{shown(name)}`{did_you_mean(name, known)}"
        elif suite not in known[name].suites:
            yield f"{name} takes part in {' and '.join(known[name].suites)}, not in {suite}"


def _unknown_words(words: Sequence[str], suite: SuiteName) -> Iterator[str]:
    vocabulary: tuple[str, ...] = TEST_CASES[suite] or (*TRANSPORTS, *SECURE_CHANNELS, *MUXERS)
    part = f"test case of {suite}" if TEST_CASES[suite] else "part of a stack"
    for word in words:
        if word not in vocabulary:
            elsewhere = [other for other, names in TEST_CASES.items() if other != suite and word in names]
            where = f" (but of {elsewhere[0]})" if elsewhere else did_you_mean(word, vocabulary)
            yield f"`{shown(word)}` is no {part}{where}"


# --- over a simulated network -----------------------------------------------------------------------------


def _one_test_case(words: Sequence[str]) -> Iterator[str]:
    if len(words) != 1:
        yield "a case is of one test case, whose name stands alone in the brackets"


def _other_part(client: Version, server: Version) -> Iterator[str]:
    if client.part == "server":
        yield f"{client.id} is a server only"
    if server.part == "client":
        yield f"{server.id} is a client only"


# --- the transport suite ----------------------------------------------------------------------------------


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
