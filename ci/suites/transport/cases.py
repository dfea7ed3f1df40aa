"""Which cases the transport suite has (transport-interop contract, section 2.2).

1. Ordered pairs (dialer, listener) over all versions, each with itself included.
2. A transport counts for a pair if the dialer lists it in any form and the listener lists it and may listen.
3. A standalone transport gives one case per pair.
4. Any other gives one per secure channel and muxer that both sides have.
5. Each case exists once, however often a version repeats a word.

The order is fixed: standalone transports before layered ones, then transport, secure channel and muxer, then
dialer, then listener, each by code unit. Nothing else (row order, hash seed, locale) has a say in it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from ci.model import MUXERS, SECURE_CHANNELS, STANDALONE, TRANSPORTS, Case, Version
from ci.suites.transport.words import Stack

__all__ = ["cases", "shown_by", "stacks", "why_excluded"]


def stacks(version: Version) -> Iterator[Stack]:
    """Every stack `version` can dial."""
    for transport in version.transports:
        if transport.name in STANDALONE:
            yield Stack(transport.name)
            continue
        for secure_channel in version.secure_channels:
            for muxer in version.muxers:
                yield Stack(transport.name, secure_channel, muxer)


def cases(versions: Iterable[Version]) -> tuple[Case, ...]:
    """All cases of the matrix, in the order given above."""
    dialers: dict[Stack, set[str]] = {}
    listeners: dict[Stack, set[str]] = {}
    for version in versions:
        for stack in stacks(version):
            dialers.setdefault(stack, set()).add(version.id)
            if version.listens(stack.transport):
                listeners.setdefault(stack, set()).add(version.id)
    return tuple(
        stack.case(dialer, listener)
        for stack in sorted(listeners, key=_position)
        for dialer in sorted(dialers[stack])
        for listener in sorted(listeners[stack])
    )


def _position(stack: Stack) -> tuple[bool, tuple[str, ...]]:
    return stack.transport not in STANDALONE, stack.words


def shown_by(case: Case) -> Iterable[Hashable]:
    """That one version dials another over a transport, and what each manages, in its role, over it."""
    stack = Stack.of(case)
    yield (*case.pair, stack.transport)
    for role, version in case.versions.items():
        yield (version, role, stack.transport, stack.secure_channel)
        yield (version, role, stack.muxer)


def why_excluded(dialer: Version, listener: Version, words: Sequence[str]) -> Iterator[str]:
    """Why these two do not meet in a case of these words."""
    misplaced = list(_misplaced(words))
    yield from misplaced or _unable(dialer, listener, words)


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
