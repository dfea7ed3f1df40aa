"""Images that no version is: the network a case is played over, and who else is on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from ci.model import BuildRecipe, Exercise, PublishedImage, Version

if TYPE_CHECKING:
    from ci.model import Case

__all__ = ["CROSS_TRAFFIC", "IPERF", "SIMULATOR", "simulator_of", "support_for"]

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


def support_for(cases: Iterable[Case], simulator: Version = SIMULATOR) -> tuple[Version, ...]:
    """Who takes part in these cases beside their two versions."""
    exercises = {case.params.name for case in cases if isinstance(case.params, Exercise)}
    if not exercises:
        return ()
    return (simulator, IPERF) if CROSS_TRAFFIC in exercises else (simulator,)
