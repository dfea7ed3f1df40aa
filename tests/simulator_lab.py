"""One client, one server and the network simulator between them, at the addresses the quic-interop contract gives.

Three idle containers (*pods*) hold the network namespaces and are re-addressed inside; the simulator joins one of them,
scenario after scenario. Nothing of it is visible to another lab, so labs may run side by side.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import struct
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from typing_extensions import Self

from ci.engines.docker.daemon import Daemon

__all__ = ["CLIENT", "LINK", "SERVER", "Lab", "Simulation", "build", "captured"]

PEER: Final = Path(__file__).parent / "peers" / "numbered.py"
IMPLEMENTATIONS: Final = Path(__file__).parents[1] / "impls"

LINK: Final = "--delay=15ms --bandwidth=10Mbps --queue=25"
CLIENT: Final = ("193.167.0.100", "fd00:cafe:cafe::100")
SERVER: Final = ("193.167.100.100", "fd00:cafe:cafe:100::100")
LEFT: Final = ("193.167.0.2", "fd00:cafe:cafe::2")
RIGHT: Final = ("193.167.100.2", "fd00:cafe:cafe:100::2")
SYSCTLS: Final = {"net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.default.accept_dad": "0"}

PODS: Final = b"""\
FROM interop/base:trixie
RUN apt-get update && apt-get install -y --no-install-recommends ethtool iproute2 && rm -rf /var/lib/apt/lists/*
RUN apt-get update && apt-get install -y --no-install-recommends iputils-ping python3-minimal \\
 && apt-get clean && rm -rf /var/lib/apt/lists/*
COPY numbered.py /numbered.py
"""


def build(name: str) -> str:
    """The id of the image that `impls/<name>` makes, built if its sources have changed."""
    folder = IMPLEMENTATIONS / name
    subprocess.run(["make", "--no-print-directory", "-C", str(folder)], check=True, capture_output=True)
    return str(json.loads((folder / "image.json").read_text(encoding="utf-8"))["imageID"])


def captured(capture: bytes) -> list[tuple[int, float]]:
    """Numbers and times (Unix, seconds) of the IPv4 datagrams in a capture of numbered ones, in order.

    :raises ValueError: the file ends within a block
    """
    datagrams, at, unit = [], 0, 1e-6
    while at < len(capture):
        kind, length = struct.unpack_from("<II", capture, at)
        block = capture[at : at + length]
        if length < 12 or len(block) < length:
            raise ValueError("the capture is cut off")
        if kind == 1:  # interface description: the one option that matters is the time stamps' resolution
            unit = 1e-9 if b"\x09\x00\x01\x00\x09" in block else 1e-6
        if kind == 6:  # enhanced packet
            high, low, size = struct.unpack_from("<III", block, 12)
            frame = block[28 : 28 + size]
            if frame[12:14] == b"\x08\x00" and frame[23] == 17:
                datagrams.append((int.from_bytes(frame[-4:], "big"), (high << 32 | low) * unit))
        at += length
    return datagrams


@dataclass(frozen=True)
class Finished:
    """What a simulator left behind when it had ended."""

    exit_code: int
    output: str
    report: dict[str, Any]
    """/logs/simulator.json"""
    left: bytes
    """The capture on the client's side."""
    right: bytes
    seconds: float
    """How long it took to end after it was told to."""


class Simulation:
    """A simulator that runs."""

    def __init__(self, daemon: Daemon, container: str) -> None:
        self._daemon = daemon
        self.container = container
        self.finished: Finished | None = None

    def cpu_seconds(self) -> float:
        """Processor time it has used so far."""
        stats = self._daemon.api.stats(self.container, stream=False)
        return float(stats["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def wait(self) -> Finished:
        """Let it end by itself, and collect what it leaves."""
        self._daemon.api.wait(self.container, timeout=60)
        return self.finish()

    def finish(self) -> Finished:
        """Tell it to end, if it has not done so, and collect what it leaves."""
        begin = time.monotonic()
        self._daemon.api.stop(self.container, timeout=10)
        seconds = time.monotonic() - begin
        files = self._files()
        self.finished = Finished(
            exit_code=int(self._daemon.api.wait(self.container)["StatusCode"]),
            output=self._daemon.api.logs(self.container).decode(),
            report=json.loads(files.get("simulator.json", b"{}")),
            left=files.get("trace_node_left.pcap", b""),
            right=files.get("trace_node_right.pcap", b""),
            seconds=seconds,
        )
        return self.finished

    def _files(self) -> dict[str, bytes]:
        stream, _ = self._daemon.api.get_archive(self.container, "/logs")
        with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
            return {
                Path(member.name).name: content.read()
                for member in archive.getmembers()
                if (content := archive.extractfile(member)) is not None
            }


class Lab:
    """The pods and their two networks, from `with` to its end."""

    def __init__(self, daemon: Daemon, simulator: str) -> None:
        self.daemon = daemon
        self.simulator = simulator
        self._stack = contextlib.ExitStack()
        self._sim = self._client = self._server = ""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            left, right = (self._network(stack) for _ in range(2))
            image = self._pod_image()
            forwarding = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
            self._sim = self._pod(stack, image, left, sysctls=SYSCTLS | forwarding, server=SERVER[0])
            self.daemon.api.connect_container_to_network(self._sim, right)
            self._client = self._pod(stack, image, left, sysctls=SYSCTLS, sim=LEFT[0])
            self._server = self._pod(stack, image, right, sysctls=SYSCTLS, sim=RIGHT[0])
            self._address(self._sim, "eth0", LEFT)
            self._address(self._sim, "eth1", RIGHT)
            for pod, own, gateway in ((self._client, CLIENT, LEFT), (self._server, SERVER, RIGHT)):
                self._address(pod, "eth0", own)
                self._route_through(pod, gateway)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def simulate(self, scenario: str, *, wait_for: str = "", until_ready: bool = True) -> Iterator[Simulation]:
        """Run the simulator with this SCENARIO; inside, it is ready, if `until_ready`."""
        container = self._run(
            self.simulator,
            network=f"container:{self._sim}",
            capabilities=("NET_ADMIN", "NET_RAW"),
            environment={"SCENARIO": scenario, "WAITFORSERVER": wait_for},
        )
        simulation = Simulation(self.daemon, container)
        try:
            if until_ready:
                self.client(
                    "bash",
                    "-c",
                    "for i in {1..200}; do : 2>/dev/null <>/dev/tcp/sim/57832 && exit; sleep 0.1; done; exit 1",
                )
            yield simulation
            if simulation.finished is None:
                simulation.finish()
        finally:
            self.daemon.remove(container)

    @contextlib.contextmanager
    def endpoint(self, image: str, role: str, **environment: str) -> Iterator[str]:
        """An endpoint's image in the place that its role has; the container's id."""
        pod = self._client if role == "client" else self._server
        container = self._run(
            image,
            network=f"container:{pod}",
            capabilities=("NET_ADMIN",),
            environment={"ROLE": role, **environment},
        )
        try:
            yield container
        finally:
            self.daemon.remove(container)

    def client(self, *command: str) -> str:
        """Run a command at the client's place; its standard output."""
        return self._finish(self._start(self._client, command))

    def server(self, *command: str) -> str:
        """The same at the server's place."""
        return self._finish(self._start(self._server, command))

    def middle(self, *command: str) -> str:
        """The same in the simulator's network namespace."""
        return self._finish(self._start(self._sim, command))

    def talk(
        self,
        serve: tuple[str, ...],
        talk: tuple[str, ...],
        *,
        ipv6: bool = False,
        port: int = 443,
        backwards: bool = False,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Have the client's numbered.py talk to the server's, or the other way round; what client and server saw.

        :param serve: command and options of the one that serves, without the port
        :param talk: command and options of the other, without address and port
        """
        family = ("--ipv6",) if ipv6 else ()
        address = (CLIENT if backwards else SERVER)[ipv6]
        places = (self._server, self._client) if backwards else (self._client, self._server)
        server = self._start(places[1], ("/numbered.py", *family, serve[0], str(port), *serve[1:]))
        assert server.stderr is not None
        server.stderr.readline()
        talker = self._finish(self._start(places[0], ("/numbered.py", *family, talk[0], address, str(port), *talk[1:])))
        return json.loads(talker), json.loads(self._finish(server))

    @contextlib.contextmanager
    def answering(self, *serve: str, port: int = 443) -> Iterator[None]:
        """Have the server's numbered.py answer meanwhile."""
        server = self._start(self._server, ("/numbered.py", serve[0], str(port), *serve[1:]))
        assert server.stderr is not None
        server.stderr.readline()
        try:
            yield
        finally:
            self._finish(server)

    @staticmethod
    def _start(pod: str, command: tuple[str, ...]) -> subprocess.Popen[str]:
        words = ("python3", *command) if command[0] == "/numbered.py" else command
        return subprocess.Popen(
            ["docker", "exec", pod, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    @staticmethod
    def _finish(process: subprocess.Popen[str]) -> str:
        output, trouble = process.communicate(timeout=300)
        if process.returncode != 0:
            raise RuntimeError(f"{process.args!r}: exit {process.returncode}: {trouble}")
        return output

    def _network(self, stack: contextlib.ExitStack) -> str:
        made = self.daemon.api.create_network(
            f"interop-lab-{time.monotonic_ns()}",
            options={"com.docker.network.bridge.enable_ip_masquerade": "false"},
            labels=self.daemon.labels(),
        )
        stack.callback(self.daemon.api.remove_network, made["Id"])
        return str(made["Id"])

    def _pod(
        self, stack: contextlib.ExitStack, image: str, network: str, *, sysctls: dict[str, str], **hosts: str
    ) -> str:
        pod = self._run(
            image,
            network=network,
            capabilities=("NET_ADMIN",),
            command=["sleep", "infinity"],
            sysctls=sysctls,
            hosts=hosts,
        )
        stack.callback(self.daemon.remove, pod)
        return pod

    def _run(
        self,
        image: str,
        *,
        network: str,
        capabilities: tuple[str, ...],
        command: list[str] | None = None,
        environment: dict[str, str] | None = None,
        sysctls: dict[str, str] | None = None,
        hosts: dict[str, str] | None = None,
    ) -> str:
        api = self.daemon.api
        made = api.create_container(
            image,
            command,
            environment=environment,
            labels=self.daemon.labels(),
            host_config=api.create_host_config(
                network_mode=network,
                cap_drop=["ALL"],
                cap_add=list(capabilities),
                sysctls=sysctls,
                extra_hosts=hosts,
                init=command is not None,  # idle ones end at once when told so
            ),
        )
        api.start(made["Id"])
        return str(made["Id"])

    def _address(self, pod: str, interface: str, addresses: tuple[str, str]) -> None:
        self._shell(
            pod,
            f"ip addr flush dev {interface}; ip addr add {addresses[0]}/24 dev {interface};"
            f"ip -6 addr add {addresses[1]}/64 dev {interface} nodad; ip link set {interface} up",
        )

    def _route_through(self, pod: str, gateway: tuple[str, str]) -> None:
        connected = gateway[0].rpartition(".")[0] + ".0/24", gateway[1].rpartition("::")[0] + "::/64"
        self._shell(
            pod,
            "ethtool -K eth0 tx off >/dev/null;"
            f"ip route add 193.167.0.0/16 via {gateway[0]} dev eth0 onlink; ip route delete {connected[0]};"
            f"ip -6 route add fd00:cafe:cafe::/48 via {gateway[1]} dev eth0 onlink;"
            f"ip -6 route delete {connected[1]} dev eth0",
        )

    def _shell(self, pod: str, script: str) -> None:
        self._finish(self._start(pod, ("sh", "-ec", script)))

    def _pod_image(self) -> str:
        content = PEER.read_bytes()
        tag = f"interop/network-lab:{hashlib.sha256(PODS + content).hexdigest()[:16]}"
        if self.daemon.image(tag) is None:
            context = io.BytesIO()
            with tarfile.open(fileobj=context, mode="w") as archive:
                for name, data in (("Dockerfile", PODS), ("numbered.py", content)):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
            subprocess.run(
                ["docker", "build", "-q", "-t", tag, "-"], input=context.getvalue(), check=True, capture_output=True
            )
        return tag
