"""Auxiliary images: the network a case is run over, and who else is on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ci.model import BuildRecipe, PublishedImage, Version

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["CROSS_TRAFFIC", "IPERF", "NETWORK_IMAGES", "SIMULATOR", "simulator_of"]

SIMULATOR: Final = Version(
    id="simulator", family="simulator", source=BuildRecipe(folder="impls/simulator"), transports=(), suites=()
)
IPERF: Final = Version(id="iperf", family="iperf", source=BuildRecipe(folder="impls/iperf"), transports=(), suites=())
# The measurement that takes two more containers (quic-interop contract, section 4.5).
CROSS_TRAFFIC: Final = "crosstraffic"


def simulator_of(reference: str | None) -> Version:
    """Our own simulator, or a published image of one that follows the same contract (section 2)."""
    if reference is None:
        return SIMULATOR
    return Version(
        id="simulator", family="simulator", source=PublishedImage(reference=reference), transports=(), suites=()
    )


class _NetworkImages:
    def all(self, simulator: str | None, /) -> tuple[Version, ...]:
        return (simulator_of(simulator), IPERF)

    def needed(self, cases: Iterable[Case], simulator: str | None, /) -> tuple[Version, ...]:
        test_cases = {case.words[0] for case in cases}
        if not test_cases:
            return ()
        return (simulator_of(simulator), IPERF) if CROSS_TRAFFIC in test_cases else (simulator_of(simulator),)


NETWORK_IMAGES: Final = _NetworkImages()
