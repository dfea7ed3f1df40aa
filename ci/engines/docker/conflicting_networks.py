"""Other networks of an engine on the subnets of the quic-interop contract, and which of them spoil a simulated network.

Slots keep the contract's addresses inside namespaces, so such a network is no trouble by itself. But where the engine
*masquerades* it, the kernel does that by the source address alone: packets that cross a bridge of a slot with the same
addresses are rewritten too (bridged packets pass iptables on ordinary hosts), and no answer finds its way back.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ci.spec.network import PLACES

__all__ = ["CONTRACT_SUBNETS", "ConflictingNetwork", "conflicting"]

_Subnet: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"

# All addresses of the contract are in these (section 1.1).
CONTRACT_SUBNETS: Final = tuple(map(ipaddress.ip_network, ("193.167.0.0/16", "fd00:cafe:cafe::/48")))
# Those of them that participants have.
_TAKEN: Final = tuple(
    ipaddress.ip_network(it, strict=False)
    for place in PLACES.values()
    for it in (f"{place.ipv4}/24", f"{place.ipv6}/64")
)
_MASQUERADE: Final = "com.docker.network.bridge.enable_ip_masquerade"


@dataclass(frozen=True, kw_only=True)
class ConflictingNetwork:
    """A network that shares an address with the contract.

    :param rewrites: the engine rewrites the source address of what leaves it, and participants have such addresses
    """

    name: str
    subnet: str
    rewrites: bool

    def __str__(self) -> str:
        return f"{self.name} ({self.subnet})"


def conflicting(networks: Iterable[Mapping[str, Any]]) -> Iterator[ConflictingNetwork]:
    """:param networks: as the engine lists them"""
    for network in networks:
        masquerades = (
            network.get("Driver") == "bridge"
            and not network.get("Internal")
            and (network.get("Options") or {}).get(_MASQUERADE, "true") != "false"
        )
        for config in (network.get("IPAM") or {}).get("Config") or ():
            try:
                subnet = ipaddress.ip_network(config["Subnet"], strict=False)
            except (KeyError, ValueError):
                continue  # of a driver that has no subnets
            if _meets(subnet, CONTRACT_SUBNETS):
                rewrites = masquerades and _meets(subnet, _TAKEN)
                yield ConflictingNetwork(name=network["Name"], subnet=str(subnet), rewrites=rewrites)


def _meets(subnet: _Subnet, others: Iterable[_Subnet]) -> bool:
    return any(subnet.version == it.version and subnet.overlaps(it) for it in others)
