"""Networks on which the machine that runs the engine has no address, so that nobody in them reaches its services.

A bridge usually has two: the gateway's, which the engine sets and can be told not to, and a link-local one of IPv6,
which the kernel sets by itself. For the second no engine has a setting, so a short-lived container of our own takes it
away, in the network namespace of the engine. An engine that refuses such a container leaves that address there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ci.engines.docker.daemon import TROUBLE
from ci.engines.restrictions import Restrictions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ci.engines.docker.daemon import Daemon

__all__ = ["create_network", "seal"]

NO_GATEWAY: Final = {"com.docker.network.bridge.inhibit_ipv4": "true"}
# Off for what may still come, then what is there; of both families, should an engine not know the option above. Fails
# where an address is left.
_SEAL: Final = """
for it in "$@"; do
    ip link set dev "$it" addrgenmode none
    ip address flush dev "$it"
    test -z "$(ip -o address show dev "$it")"
done
"""


def create_network(daemon: Daemon, name: str, *, options: dict[str, str] | None = None, **more: Any) -> str:
    """Make a bridge without a gateway's address; returns its id. `seal` takes the other address away.

    :raises EngineError: the engine refuses
    """
    created = daemon.call(
        daemon.api.create_network,
        name,
        driver="bridge",
        options={**NO_GATEWAY, **(options or {})},
        labels=daemon.labels(role="network"),
        **more,
    )
    return str(created["Id"])


def seal(daemon: Daemon, helper: str, networks: Iterable[str]) -> bool:
    """Take every address of the engine's machine off these networks, by id. Returns whether that could be done.

    :param helper: reference of the image that holds `ip`
    :raises EngineError: the engine is in trouble
    """
    bridges = [f"br-{network[:12]}" for network in networks]
    container = daemon.call(
        daemon.api.create_container,
        helper,
        ["sh", "-ec", _SEAL, "seal", *bridges],
        labels=daemon.labels(role="helper"),
        host_config=daemon.api.create_host_config(
            network_mode="host",
            **Restrictions(add=("NET_ADMIN",)).options(),
        ),
    )["Id"]
    try:
        daemon.api.start(container)
        return bool(daemon.api.wait(container)["StatusCode"] == 0)
    except TROUBLE:
        return False
    finally:
        daemon.remove(container)
