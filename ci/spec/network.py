"""Where participants stand in a simulated network: the addresses and names of the quic-interop contract, section 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ci.model import Role

__all__ = ["HOSTS", "PLACES", "SIDES_OF_SIMULATOR", "Place"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a participant stands: a network (`left` of the simulator or `right`) and its addresses in there."""

    network: str
    ipv4: str
    ipv6: str


PLACES: Final[Mapping[Role, Place]] = {
    "client": Place(network="left", ipv4="193.167.0.100", ipv6="fd00:cafe:cafe:0::100"),
    "server": Place(network="right", ipv4="193.167.100.100", ipv6="fd00:cafe:cafe:100::100"),
    "iperf_client": Place(network="left", ipv4="193.167.0.90", ipv6="fd00:cafe:cafe:0::90"),
    "iperf_server": Place(network="right", ipv4="193.167.100.110", ipv6="fd00:cafe:cafe:100::110"),
}
# The simulator stands in both: eth0 is its left, eth1 its right.
SIDES_OF_SIMULATOR: Final = (
    Place(network="left", ipv4="193.167.0.2", ipv6="fd00:cafe:cafe:0::2"),
    Place(network="right", ipv4="193.167.100.2", ipv6="fd00:cafe:cafe:100::2"),
)

_SERVER4, _SERVER6 = PLACES["server"].ipv4, PLACES["server"].ipv6
_IPERF4, _IPERF6 = PLACES["iperf_server"].ipv4, PLACES["iperf_server"].ipv6
_CLIENT4, _CLIENT6 = PLACES["iperf_client"].ipv4, PLACES["iperf_client"].ipv6
_LEFT, _RIGHT = (side.ipv4 for side in SIDES_OF_SIMULATOR)

# Names that each participant knows (section 1.2): name and address, a name may stand there twice. Upstream's iperf
# server takes the QUIC client for `client6`; here it is the iperf client, which is what was meant.
HOSTS: Final[Mapping[Role, tuple[tuple[str, str], ...]]] = {
    "client": (
        ("sim", _LEFT),
        ("server4", _SERVER4),
        ("server6", _SERVER6),
        ("server46", _SERVER4),
        ("server46", _SERVER6),
    ),
    "server": (("sim", _RIGHT), ("server4", _SERVER4), ("server6", _SERVER6)),
    "simulator": (("server", _SERVER4),),
    "iperf_client": (
        ("sim", _LEFT),
        ("server4", _IPERF4),
        ("server6", _IPERF6),
        ("server46", _IPERF4),
        ("server46", _IPERF6),
    ),
    "iperf_server": (
        ("sim", _RIGHT),
        ("client4", _CLIENT4),
        ("client6", _CLIENT6),
        ("client46", _CLIENT4),
        ("client46", _CLIENT6),
    ),
}
