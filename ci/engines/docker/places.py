"""How a participant stands in a simulated network: what its container may do, and the addresses of its interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ci.engines.restrictions import Restrictions, of_participant
from ci.spec.attempt import MIB

if TYPE_CHECKING:
    from ci.model import Role
    from ci.spec.attempt import Participant
    from ci.spec.network import Place

__all__ = ["MEMLOCK", "POD_RESTRICTIONS", "POD_SYSCTLS", "addressing", "restrictions_of"]

# Section 1.3: QUIC stacks lock memory for their rings.
MEMLOCK: Final = 64 * MIB
# Who configures the interfaces of its namespace, and waits.
POD_RESTRICTIONS: Final = Restrictions(add=("NET_ADMIN",), memory_bytes=64 * MIB, processes=64)
SUBNETS: Final = ("/24", "/64")
ENDPOINTS: Final[tuple[Role, ...]] = ("client", "server")
POD_SYSCTLS: Final = {
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    # Nobody else is on these networks, so nobody has to be asked whether an address is free.
    "net.ipv6.conf.default.accept_dad": "0",
}


def restrictions_of(participant: Participant, *, locks_memory: bool) -> Restrictions:
    """What the contract gives a participant (section 1.3): the engine's own capabilities, and the network's.

    :param locks_memory: this host lets containers have the contract's limit for locked memory
    """
    return of_participant(
        participant.limits,
        drop=(),
        add=("NET_ADMIN", "NET_RAW") if participant.role == "simulator" else ("NET_ADMIN",),
        locked_bytes=MEMLOCK if locks_memory and participant.role in ENDPOINTS else None,
    )


def addressing(device: str, side: Place) -> list[str]:
    """The commands that give an interface the contract's addresses, and take away whatever it had."""
    v4, v6 = SUBNETS
    return [
        f"ip address flush dev {device}",
        f"ip route flush dev {device}",
        f"ip -6 route flush dev {device}",
        f"ip link set {device} up",
        f"ip address add {side.ipv4}{v4} dev {device}",
        f"ip -6 address add {side.ipv6}{v6} dev {device} nodad",
        f"ip neighbour flush dev {device}",
    ]
