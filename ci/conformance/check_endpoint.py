"""`check-image` for the suites over a simulated network: hold one endpoint's image to the container contract.

The image is asked what it does, and runs two test cases with a counterpart that is known to work, in each role. What
it is held to is in `ci.conformance.endpoint`, how the facts are come by in `ci.conformance.endpoint_laboratory`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ci.conformance.check_image import inspect
from ci.conformance.endpoint import EndpointReport, EndpointRole, checks_for
from ci.conformance.endpoint_laboratory import EndpointLaboratory
from ci.conformance.manifest import ENDPOINT_IMAGE_CHECKS

if TYPE_CHECKING:
    from ci.conformance.base import Result
    from ci.conformance.endpoint import EndpointBehaviour
    from ci.engines.base import Slot as NetworkSlot
    from ci.engines.docker.daemon import Daemon
    from ci.model import SuiteWords
    from ci.spec.sandbox import OpenSandbox

__all__ = ["Surroundings", "check_endpoint"]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """Who else takes part.

    :param peers: the counterparts, each by what it is called and its image, in the order in which they are tried
    :param simulator: reference of its image
    :param seeded: the simulator is ours and takes a seed
    """

    peers: tuple[tuple[str, str], ...]
    simulator: str
    seeded: bool


def check_endpoint(
    daemon: Daemon,
    slot: NetworkSlot,
    image: str,
    suite: SuiteWords,
    roles: Iterable[EndpointRole],
    surroundings: Surroundings,
    *,
    open_sandbox: OpenSandbox,
    tell: Callable[[str], None] = lambda _: None,
) -> EndpointReport:
    """Hold an image to the container contract of a suite over a simulated network.

    :param slot: where it runs
    :param roles: in which it is tried
    :param open_sandbox: where captures are read
    :param tell: told in a few words what is being done, for the one who waits
    :raises ConfigurationError: the engine has no such image
    :raises EngineError: the engine broke; says nothing about the image
    :raises OSError: there is no room for what containers leave
    """
    facts = inspect(daemon, image)
    peers = tuple((called, inspect(daemon, reference).digest) for called, reference in surroundings.peers)
    results: dict[EndpointRole | None, tuple[Result, ...]] = {
        None: tuple(check.result(facts) for check in ENDPOINT_IMAGE_CHECKS)
    }
    behaviours: list[EndpointBehaviour] = []
    for role in roles:
        laboratory = EndpointLaboratory(
            slot,
            open_sandbox,
            suite,
            role,
            facts.digest,
            peers=peers,
            simulator=surroundings.simulator,
            seeded=surroundings.seeded,
            tell=tell,
        )
        seen = laboratory.observe()
        behaviours.append(seen)
        results[role] = tuple(check.result(seen) for check in checks_for(role))
    return EndpointReport(
        image=facts,
        suite=suite.name,
        peers=tuple(called for called, _ in peers),
        behaviours=tuple(behaviours),
        results=results,
    )
