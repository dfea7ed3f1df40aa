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

from collections.abc import Iterable, Iterator

from ci.model import STANDALONE, Case, Stack, Version

__all__ = ["cases", "stacks"]


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
        Case(dialer, listener, stack)
        for stack in sorted(listeners, key=_position)
        for dialer in sorted(dialers[stack])
        for listener in sorted(listeners[stack])
    )


def _position(stack: Stack) -> tuple[bool, tuple[str, ...]]:
    return stack.transport not in STANDALONE, stack.words
