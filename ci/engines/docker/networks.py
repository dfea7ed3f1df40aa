"""Slots with the fixed addresses of the quic-interop contract, several of them side by side on one daemon.

Each slot has two networks of its own, with whatever private subnets the engine gives them, and a *pod* for every place
in the contract: an idle container whose interface is given the contract's address inside its own namespace. The
containers of a case join the pods. So the same addresses exist once per slot, and no packet gets from one to another:
the networks are different bridges, nothing is masqueraded, and no pod keeps a route out of its network. Participants
may set addresses and routes here: what keeps them from the host's services is that it has no address on the networks.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

from docker.types import LogConfig

from ci.engines.base import RunningParticipant, Sink, Slot
from ci.engines.coordination import RedisCoordinator
from ci.engines.docker.conflicting_networks import conflicting
from ci.engines.docker.daemon import TROUBLE, Daemon
from ci.engines.docker.engine import describe
from ci.engines.docker.namespaces import LOOK_AT_ALL
from ci.engines.docker.network_by_hand import long_values, network_lines
from ci.engines.docker.places import MEMLOCK, POD_RESTRICTIONS, POD_SYSCTLS, addressing, restrictions_of
from ci.engines.docker.pod_shell import SHELL
from ci.engines.docker.sandbox import Sandboxes
from ci.engines.docker.sealed_network import create_network, seal
from ci.engines.docker.slot import ContainerSlot
from ci.engines.restrictions import Restrictions
from ci.errors import EngineError
from ci.model import Role
from ci.spec.attempt import AttemptSpec, Participant, Surroundings
from ci.spec.network import HOSTS, PLACES, SIDES_OF_SIMULATOR, Place
from ci.spec.sandbox import Sandbox

__all__ = ["UNSTARTABLE", "NetworkEngine", "NetworkSlot"]

# The name of the interface with a hardware address. No program is started for it.
_DEVICE_OF: Final = """
of() {
    for it in /sys/class/net/*; do
        read -r address <"$it/address" || true
        if [ "$address" = "$1" ]; then echo "${it##*/}"; fi
    done
}
"""
# Routes that lead to no interface are not flushed with one.
_NO_ROUTES: Final = "ip -4 route flush table main; ip -6 route flush table main"
# The kernel's own, which a simulator adds to so that nobody takes a way past it.
_USUAL_RULES: Final = """
for family in -4 -6; do
    ip $family rule flush
    ip $family rule add priority 32766 lookup main
done
ip -4 rule add priority 32767 lookup default
"""
# What Docker itself says of an image that cannot be started. 127 has a meaning of its own in this contract.
UNSTARTABLE: Final = 125


class NetworkEngine:
    """See the module's docstring.

    :param helper: reference of the helper image
    """

    name = "docker"

    def __init__(self, daemon: Daemon, *, helper: str) -> None:
        self.daemon = daemon
        self.helper = helper
        self._sandboxes = Sandboxes(daemon, helper)

    def describe(self) -> dict[str, str | int]:
        return describe(self.daemon)

    def sandbox(self) -> AbstractContextManager[Sandbox]:
        return self._sandboxes.open()

    def reproduction(
        self, spec: AttemptSpec, slot: Slot, *, names: Mapping[str, str], folder: Path | None
    ) -> list[str]:
        del slot  # everything is made anew
        assert folder is not None, "the inputs of a case over a network are files"  # noqa: S101
        for name, value in long_values(spec).items():
            (folder / name).write_text(value, encoding="utf-8")
        return network_lines(spec, folder.resolve(), helper=self.helper, images=names, locks_memory=self.locks_memory)

    @contextmanager
    def slot(self, number: int) -> Iterator[NetworkSlot]:
        """Two networks and the pods of simulator, client and server; all gone when the block ends.

        :raises EngineError: a network of somebody else would rewrite what is sent here; or the engine breaks
        """
        daemon = self.daemon
        self._refuse_masquerading()
        prefix = daemon.name(str(number))
        with self._sandboxes.one_ready(), ExitStack() as stack:
            networks = {}
            for side in ("left", "right"):
                networks[side] = create_network(
                    daemon,
                    f"{prefix}-{side}",
                    options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
                )
                stack.callback(daemon.quietly, daemon.api.remove_network, networks[side])
            seal(daemon, self.helper, networks.values())
            slot = NetworkSlot(self, prefix, networks)
            stack.callback(slot.close)
            slot.open("simulator", "client", "server")
            yield slot
            if daemon.keep:
                stack.pop_all()

    def _refuse_masquerading(self) -> None:
        """Every case would fail, and servers would be blamed for it."""
        found = [it for it in conflicting(self.daemon.call(self.daemon.api.networks)) if it.rewrites]
        if found:
            raise EngineError(
                "conflicting-network",
                f"Docker masquerades a network on the subnets of this suite: {', '.join(map(str, found))}",
                why="it goes by source address, so it rewrites what clients and servers send here, too",
                hint=f"docker network rm {' '.join(dict.fromkeys(it.name for it in found))}, or give it other subnets",
            )

    @cached_property
    def locks_memory(self) -> bool:
        """Whether this host lets containers have the contract's limit for locked memory."""
        allowed = Restrictions(locked_bytes=MEMLOCK)
        container = self.daemon.call(
            self.daemon.api.create_container,
            self.helper,
            ["true"],
            labels=self.daemon.labels(role="helper"),
            host_config=self.daemon.api.create_host_config(network_mode="none", **allowed.options()),
        )["Id"]
        try:
            self.daemon.api.start(container)
        except TROUBLE as error:
            if "rlimit" not in str(error):
                raise self.daemon.trouble(str(error)) from error
            return False
        finally:
            self.daemon.remove(container)
        return True


class NetworkSlot(ContainerSlot):
    """Where one case at a time runs."""

    def __init__(self, engine: NetworkEngine, prefix: str, networks: Mapping[str, str]) -> None:
        super().__init__(engine.daemon, engine.helper, prefix)
        self._engine = engine
        self._daemon = engine.daemon
        self._networks = networks
        self._macs: dict[Role, list[str]] = {}

    def open(self, *roles: Role) -> None:
        """Make the pods of these roles where they are not there, or not what they were.

        :raises EngineError: the engine refuses
        """
        there = self._addresses()
        new = [role for role in roles if role not in there]
        for role in new:
            self.drop_pod(role)
            self._make_pod(role)
        self._start(new)
        if new:
            there = self._addresses()
        for role in new:
            self._macs[role] = there[role]
            self.remember(role, self._reset(role))

    def _start(self, roles: Sequence[Role]) -> None:
        if roles:
            self.generation += 1
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda role: self._daemon.call(self._daemon.api.start, self.pods[role]), roles))

    def _addresses(self) -> dict[Role, list[str]]:
        """The hardware addresses of pods that run in all networks they belong to: left of the simulator, then right.

        Which interface is in which network, they say: the order in which engines attach them is nobody's promise.
        """
        listed = self.running(self.pods.values())
        found: dict[Role, list[str]] = {}
        for role, pod in self.pods.items():
            networks = listed[pod]["NetworkSettings"]["Networks"].values() if pod in listed else ()
            macs = {it["NetworkID"]: it["MacAddress"] for it in networks}
            wanted = [self._networks[side.network] for side in _sides(role)]
            if set(wanted) <= set(macs):
                found[role] = [macs[network] for network in wanted]
        return found

    def close(self) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.drop_pod, list(self.pods)))

    def _make_pod(self, role: Role) -> None:
        api = self._daemon.api
        sides = _sides(role)
        # As a list of lines, because a name may stand for an address of each family.
        hosts = [f"{name}:{address}" for name, address in HOSTS[role]]
        pod = self._daemon.call(
            api.create_container,
            self._engine.helper,
            **SHELL,
            name=self._daemon.name(f"pod-{role.replace('_', '-')}"),
            hostname="sim" if role == "simulator" else role,
            labels=self._daemon.labels(role="helper", slot=self._prefix),
            host_config=api.create_host_config(
                network_mode=self._networks[sides[0].network],
                extra_hosts=hosts,
                sysctls=POD_SYSCTLS,
                **POD_RESTRICTIONS.options(),
                log_config=LogConfig(type="none"),
            ),
        )["Id"]
        # Noted before anything else is done with it, which may fail.
        self.pods[role] = str(pod)
        for side in sides[1:]:
            self._daemon.call(api.connect_container_to_network, pod, self._networks[side.network])

    @property
    def coordinator(self) -> RedisCoordinator:
        raise EngineError(
            "no-coordination",
            "there is no Redis in a simulated network",
            why="the contract of its suites has none",
            hint="take a slot of `DockerEngine`",
        )

    @property
    def surroundings(self) -> Surroundings:
        """Nothing that the contract does not say."""
        return Surroundings()

    def restore(self, *roles: Role) -> None:
        """Give the pods of these roles the contract's addresses and nothing else: no route, no rule of a case before.

        :raises EngineError: the engine or the kernel refuses
        """
        self.open(*roles)
        dirty = self.dirty(roles, self._reset)
        for role in dirty:
            self.drop_pod(role)
        self.open(*dirty)

    def _reset(self, role: Role) -> str:
        """The script that undoes what a case has made of its interfaces, and tells what there is then."""
        return _addressing(self._macs[role], _sides(role)) + LOOK_AT_ALL

    def prepare(
        self, participant: Participant, sink: Sink, labels: Mapping[str, str], inputs: Mapping[str, Path]
    ) -> RunningParticipant:
        """Create the participant's container, not started, with what it is given in it."""
        return self.create(
            participant,
            sink,
            labels,
            inputs,
            restrictions=restrictions_of(participant, locks_memory=self._engine.locks_memory),
            unstartable=UNSTARTABLE,
        )


def _sides(role: Role) -> tuple[Place, ...]:
    """The places a role has: the simulator stands in both networks."""
    return SIDES_OF_SIMULATOR if role == "simulator" else (PLACES[role],)


def _addressing(macs: list[str], sides: tuple[Place, ...]) -> str:
    """The shell script that names and addresses the interfaces with these hardware addresses, in this order."""
    lines = [_DEVICE_OF, _NO_ROUTES, _USUAL_RULES]
    for index, mac in enumerate(macs):
        # Renamed in two steps, because the name may still be that of the other one.
        lines += [
            f"now=$(of {shlex.quote(mac)})",
            f'[ "$now" = eth{index} ] || {{ ip link set "$now" down; ip link set "$now" name new{index}; }}',
        ]
    for index, (mac, side) in enumerate(zip(macs, sides, strict=True)):
        device = f"eth{index}"
        lines += [
            f"now=$(of {shlex.quote(mac)})",
            f'[ "$now" = {device} ] || ip link set "$now" name {device}',
            *addressing(device, side),
        ]
    return "\n".join(lines)
