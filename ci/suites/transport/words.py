"""The words of the transport suite: its roles, what its cases say, and the stack as a value of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from ci.model import MUXERS, SECURE_CHANNELS, TRANSPORTS, Case, Param, SuiteWords

__all__ = ["TRANSPORT", "Stack"]

TRANSPORT: Final = SuiteWords(
    name="transport",
    roles=("dialer", "listener"),
    params=(
        Param(
            key="transport",
            called="transport",
            dimension="transport",
            words=TRANSPORTS,
            listed_by=lambda version: (transport.name for transport in version.transports),
        ),
        Param(
            key="secureChannel",
            called="secure channel",
            dimension="security",
            words=SECURE_CHANNELS,
            listed_by=lambda version: version.secure_channels,
        ),
        Param(key="muxer", called="muxer", dimension="muxer", words=MUXERS, listed_by=lambda version: version.muxers),
    ),
    example="py-v0.8 x go-v0.51 (tcp, noise, yamux)",
    marker="INTEROP",  # fixed by the established dashboards
    contract="transport-interop",
    row_keys=("transports", "dialOnly", "secureChannels", "muxers", "contract", "timeoutSecs", "local"),
    negotiated=True,
    implied=True,
)


@dataclass(frozen=True, order=True)
class Stack:
    """What two versions talk through. Standalone transports have no secure channel and no muxer."""

    transport: str
    secure_channel: str | None = None
    muxer: str | None = None

    @classmethod
    def of(cls, case: Case) -> Stack:
        """What the two versions of a case of this suite talk through."""
        transport, secure_channel, muxer = case.params
        assert transport is not None  # noqa: S101 -- the first of the params is always there
        return cls(transport, secure_channel, muxer)

    def case(self, dialer: str, listener: str) -> Case:
        return Case(TRANSPORT, dialer, listener, (self.transport, self.secure_channel, self.muxer))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The stack's words in the order of a case's name."""
        return tuple(word for word in (self.transport, self.secure_channel, self.muxer) if word is not None)

    @property
    def layers(self) -> dict[str, str]:
        """The stack's words by the names that reports and results have for them."""
        named = {"transport": self.transport, "secureChannel": self.secure_channel, "muxer": self.muxer}
        return {name: word for name, word in named.items() if word is not None}

    def __str__(self) -> str:
        return ", ".join(self.words)
