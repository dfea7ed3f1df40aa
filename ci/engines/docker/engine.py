"""The Docker engine: cases as pairs of containers inside long-lived network namespaces.

A slot owns an internal network (no route out of the host, no address of the host on it), a Redis on it, and two *pods*:
idle containers whose network namespaces the containers of every case join. So a case pays for two cheap container
starts and for nothing else. What a case has broken of them is made anew before the next one. Everything is labelled
with its owner, and `daemon.sweep` removes what dead owners have left behind.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from docker.types import LogConfig

from ci.engines.base import RunningParticipant, Sink, Slot
from ci.engines.by_hand import REDIS_SERVER, docker_lines
from ci.engines.coordination import RedisCoordinator
from ci.engines.docker.containers import CPU_SHARES
from ci.engines.docker.daemon import TROUBLE, Daemon
from ci.engines.docker.namespaces import LOOK
from ci.engines.docker.places import POD_RESTRICTIONS
from ci.engines.docker.pod_shell import SHELL
from ci.engines.docker.sandbox import open_sandbox
from ci.engines.docker.sealed_network import create_network, seal
from ci.engines.docker.slot import ContainerSlot
from ci.engines.redis_rights import RUNNER, runner_rules
from ci.engines.restrictions import Restrictions, of_participant
from ci.errors import EngineError
from ci.model import Role
from ci.spec.attempt import CLASSIC_REDIS, MIB, SIDES, Address, AttemptSpec, Participant, Surroundings
from ci.spec.sandbox import Sandbox

__all__ = ["DockerEngine", "DockerSlot", "describe"]

LOOPBACK: Final = "127.0.0.1"
REDIS_PORT: Final = CLASSIC_REDIS.port


def describe(daemon: Daemon) -> dict[str, str | int]:
    """What a reader of results wants to know of the engine."""
    info = daemon.call(daemon.api.info)
    return {
        "name": "docker",
        "version": info["ServerVersion"],
        "storage": info["Driver"],
        "cgroup": info.get("CgroupVersion", "1"),
        "kernel": info["KernelVersion"],
        "architecture": info["Architecture"],
        "cpus": info["NCPU"],
        "memoryBytes": info["MemTotal"],
    }


class DockerEngine:
    """See the module's docstring.

    :param helper: reference of the helper image
    """

    name = "docker"

    def __init__(self, daemon: Daemon, *, helper: str) -> None:
        self.daemon = daemon
        self.helper = helper

    def describe(self) -> dict[str, str | int]:
        return describe(self.daemon)

    def sandbox(self) -> AbstractContextManager[Sandbox]:
        return open_sandbox(self.daemon, self.helper)

    @contextmanager
    def slot(self, number: int) -> Iterator[DockerSlot]:
        """A network, its Redis and two pods; all gone when the block ends, unless the daemon was told to keep them."""
        with ExitStack() as stack:
            slot = DockerSlot(self.daemon, self.helper, str(number))
            stack.callback(slot.close)
            slot.open()
            yield slot
            if self.daemon.keep:
                stack.pop_all()

    def reproduction(
        self, spec: AttemptSpec, slot: Slot, *, names: Mapping[str, str], folder: Path | None
    ) -> list[str]:
        del slot, folder  # everything is made anew
        called = {
            participant.image: names.get(participant.image, participant.image) for participant in spec.participants
        }
        return docker_lines(spec, helper=self.helper, images=called)


class DockerSlot(ContainerSlot):
    """Where one case at a time runs."""

    surroundings = Surroundings()

    def __init__(self, daemon: Daemon, helper: str, number: str) -> None:
        super().__init__(daemon, helper, daemon.name(number))
        self._daemon = daemon
        self._api = daemon.api
        self._number = number
        self.redis = ""
        self._stack = ExitStack()

    def open(self) -> None:
        """Make everything, under names that nothing has had.

        :raises EngineError: the engine breaks, or is on another machine
        """
        self.generation += 1
        self._prefix = self._daemon.name(self._number)
        self._network = create_network(self._daemon, f"{self._prefix}-net", internal=True)
        self._stack.callback(self._daemon.quietly, self._api.remove_network, self._network)
        self._stack.callback(self._remove_parts)
        password = secrets.token_hex(16)
        self.redis = self._helper_container(
            "redis",
            command=[*REDIS_SERVER, "--user", *runner_rules(password)],
            ports=[REDIS_PORT],
            host_config=self._host_config(
                port_bindings={REDIS_PORT: (LOOPBACK, None)},
                **Restrictions(memory_bytes=256 * MIB, processes=64).options(),
            ),
        )
        for role in SIDES:
            self._create_pod(role)
        # The cases reach Redis on their own network, the runner by a port on the host's loopback.
        self._daemon.call(
            self._api.connect_container_to_network, self.redis, self._network, aliases=[CLASSIC_REDIS.host]
        )
        with ThreadPoolExecutor() as pool:
            sealed = pool.submit(seal, self._daemon, self._helper, [self._network])
            for started in [pool.submit(self._daemon.call, self._api.start, it) for it in self._parts]:
                started.result()
            sealed.result()
        for role in SIDES:
            self.remember(role, LOOK)
        self.coordinator = self._meet(password)

    def close(self) -> None:
        self._stack.close()

    def restore(self, *roles: Role) -> None:  # noqa: ARG002 -- both sides have their pods from the start
        """See that everything is as it was made, and make anew what is not.

        :raises EngineError: the engine breaks
        """
        if not self._is_whole():
            self.close()
            self.open()
            return
        for role in self.dirty(SIDES, lambda _: LOOK):
            self.drop_pod(role)
            self._create_pod(role)
            self._daemon.call(self._api.start, self.pods[role])
            self.remember(role, LOOK)
            self.generation += 1

    def prepare(
        self, participant: Participant, sink: Sink, labels: Mapping[str, str], inputs: Mapping[str, Path]
    ) -> RunningParticipant:
        """Create the participant's container, not started, its output attached."""
        return self.create(participant, sink, labels, inputs, restrictions=of_participant(participant.limits))

    def _remove_parts(self) -> None:
        """All at once: taking an interface out of a network takes its time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self.drop_pod, list(self.pods)))
            if self.redis:
                self._daemon.remove(self.redis)
        self.redis = ""

    @property
    def _parts(self) -> tuple[str, ...]:
        return (self.redis, *self.pods.values())

    def _is_whole(self) -> bool:
        joined = [
            any(network["NetworkID"] == self._network for network in it["NetworkSettings"]["Networks"].values())
            for it in self.running(self._parts).values()
        ]
        if len(joined) < len(self._parts) or not all(joined):
            return False
        try:
            return self.coordinator.change() is None
        except EngineError:
            return False

    def _meet(self, password: str) -> RedisCoordinator:
        port = self._daemon.call(self._api.port, self.redis, REDIS_PORT)
        if not port:
            raise self._daemon.trouble(f"the container {self._prefix}-redis ended at once")
        address = Address(host=LOOPBACK, port=int(port[0]["HostPort"]))
        try:
            return self._stack.enter_context(RedisCoordinator(address, username=RUNNER, password=password))
        except EngineError as error:
            if not self._answers_inside():
                raise
            raise EngineError(
                "remote-engine",
                f"Redis answers inside its container and not at {address}, where the engine publishes it",
                why=f"the engine ({self._api.base_url}) is on another machine or in another network than this command",
                hint="run the command where the engine is, or take an engine of this machine (DOCKER_HOST, context)",
            ) from error

    def _answers_inside(self) -> bool:
        try:
            asked = self._api.exec_create(self.redis, ["redis-cli", "ping"])["Id"]
            return b"PONG" in self._api.exec_start(asked)
        except TROUBLE:
            return False

    def _create_pod(self, role: Role) -> None:
        self.pods[role] = self._helper_container(
            f"pod-{role}.{next(self._count)}",
            **SHELL,
            host_config=self._host_config(
                network_mode=self._network,
                # A loopback with both families, as on an ordinary machine, whatever the engine's default.
                sysctls={"net.ipv6.conf.all.disable_ipv6": "0"},
                # Of the pod itself, which cleans its namespace between cases; participants have no capabilities.
                **POD_RESTRICTIONS.options(),
            ),
        )

    def _helper_container(self, name: str, **more: Any) -> str:
        created = self._daemon.call(
            self._api.create_container,
            self._helper,
            name=f"{self._prefix}-{name}",
            labels=self._daemon.labels(role="helper", slot=self._prefix),
            **more,
        )
        return str(created["Id"])

    def _host_config(self, **more: Any) -> Any:
        return self._api.create_host_config(
            cpu_shares=CPU_SHARES,
            log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m", "max-file": "1"}),
            **more,
        )
