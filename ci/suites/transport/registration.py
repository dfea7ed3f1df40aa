"""The transport suite, as the registry has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.suites.base import Suite
from ci.suites.transport.cases import cases, shown_by, why_excluded
from ci.suites.transport.words import TRANSPORT

if TYPE_CHECKING:
    from ci.model import Version

__all__ = ["TRANSPORT_SUITE"]


def _definition(version: Version) -> dict[str, object]:
    return {
        "transports": {transport.name: transport.dial_only for transport in version.transports},
        "secureChannels": sorted(version.secure_channels),
        "muxers": sorted(version.muxers),
        "contract": version.contract.value,
        "timeoutSecs": version.timeout_seconds,
    }


TRANSPORT_SUITE: Final = Suite(
    words=TRANSPORT,
    cases=cases,
    definition=_definition,
    shown_by=shown_by,
    why_excluded=why_excluded,
    opener="ci.suites.transport.running:open_run",
    publication="ci.suites.transport.publication:PUBLICATION",
    matrix_table="ci.suites.transport.terminal:matrix_table",
)
