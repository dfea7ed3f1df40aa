"""The Docker engine: cases as pairs of containers inside long-lived network namespaces.

A slot owns an internal network (no route out of the host), a Redis on it, and two *pods*: idle containers whose
network namespaces the containers of every case join. So a case pays for two cheap container starts and for
nothing else. Everything is labelled with its owner, and `daemon.sweep` removes what dead owners have left behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from docker.types import LogConfig

from ci.engines.base import RunningActor, Sink, Slot
from ci.engines.containers import DockerActor, bounded, create_actor
from ci.engines.daemon import Daemon
from ci.model import ROLES, Role
from ci.rendezvous import Rendezvous
from ci.reproduction import REDIS_SERVER, docker_lines
from ci.scene import CLASSIC_REDIS, MIB, Actor, Address, Scene, Surroundings

__all__ = ["DockerEngine", "describe"]


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

    :param helper: reference of the image that holds `redis-server` and `sleep`
    """

    name = "docker"

    def __init__(self, daemon: Daemon, *, helper: str) -> None:
        self.daemon = daemon
        self._api = daemon.api
        self.helper = helper

    def describe(self) -> dict[str, str | int]:
        return describe(self.daemon)

    @contextmanager
    def slot(self, number: int) -> Iterator[DockerSlot]:
        """A network, its Redis and two pods; all gone when the block ends, unless the daemon was told to keep them."""
        prefix = f"{self.daemon.prefix}-{number}"
        with ExitStack() as stack:
            network = self.daemon.call(
                self._api.create_network,
                f"{prefix}-net",
                driver="bridge",
                internal=True,
                labels=self.daemon.labels(role="network"),
            )["Id"]
            stack.callback(self.daemon.quietly, self._api.remove_network, network)

            redis = self._helper_container(
                f"{prefix}-redis",
                REDIS_SERVER,
                ports=[6379],
                host_config=self._host_config(port_bindings={6379: ("127.0.0.1", None)}),
            )
            stack.callback(self.daemon.remove, redis)
            pods: dict[Role, str] = {}
            for role in ROLES:
                pods[role] = self._helper_container(
                    f"{prefix}-pod-{role}",
                    ["sleep", "infinity"],
                    host_config=self._host_config(
                        network_mode=network,
                        # A loopback with both families, as on an ordinary machine, whatever the engine's default.
                        sysctls={"net.ipv6.conf.all.disable_ipv6": "0"},
                    ),
                )
                stack.callback(self.daemon.remove, pods[role])

            # The cases reach Redis on their own network, the runner by a port on the host's loopback.
            self.daemon.call(self._api.connect_container_to_network, redis, network, aliases=[CLASSIC_REDIS.host])
            with ThreadPoolExecutor() as pool:
                for started in [pool.submit(self.daemon.call, self._api.start, it) for it in (redis, *pods.values())]:
                    started.result()
            port = self.daemon.call(self._api.port, redis, 6379)
            if not port:
                raise self.daemon.trouble(f"the container {prefix}-redis ended at once")
            address = Address(host="127.0.0.1", port=int(port[0]["HostPort"]))
            with Rendezvous(address) as rendezvous:
                yield DockerSlot(self.daemon, prefix, pods, rendezvous)
            if self.daemon.keep:
                stack.pop_all()

    def reproduction(self, scene: Scene, slot: Slot, *, names: Mapping[str, str]) -> list[str]:
        del slot  # everything is made anew
        called = {actor.image: names.get(actor.image, actor.image) for actor in scene.actors}
        return docker_lines(scene, helper=self.helper, images=called)

    def _helper_container(self, name: str, command: list[str], **more: Any) -> str:
        created = self.daemon.call(
            self._api.create_container,
            self.helper,
            command,
            name=name,
            labels=self.daemon.labels(role="helper"),
            **more,
        )
        return str(created["Id"])

    def _host_config(self, **more: Any) -> Any:
        return self._api.create_host_config(
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            init=True,
            mem_limit=256 * MIB,
            pids_limit=64,
            log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m", "max-file": "1"}),
            **more,
        )


class DockerSlot:
    """Where one case at a time runs."""

    def __init__(self, daemon: Daemon, prefix: str, pods: Mapping[Role, str], rendezvous: Rendezvous) -> None:
        self._daemon = daemon
        self._prefix = prefix
        self.pods = pods
        # Of the attempt prepared last.
        self.containers: dict[Role, str] = {}
        self._count = 0
        self.rendezvous = rendezvous
        self.surroundings = Surroundings()

    def prepare(self, actor: Actor, sink: Sink, labels: Mapping[str, str]) -> RunningActor:
        """Create the actor's container, not started, its output attached."""
        self._count += 1
        host_config = self._daemon.api.create_host_config(
            network_mode=f"container:{self.pods[actor.role]}", cap_drop=["ALL"], **bounded(actor)
        )
        running = create_actor(
            self._daemon,
            actor,
            sink,
            name=f"{self._prefix}-{self._count}-{actor.role}",
            host_config=host_config,
            labels=labels,
        )
        if isinstance(running, DockerActor):
            self.containers[actor.role] = running.container
        return running
