"""Records the packets of a case: tcpdump beside each side, in the network namespace that side lives in."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ci.engines.docker.daemon import TROUBLE, Daemon
from ci.engines.restrictions import Restrictions
from ci.errors import EngineError
from ci.spec.attempt import MIB

if TYPE_CHECKING:
    from ci.engines.docker.engine import DockerSlot
    from ci.model import Role

__all__ = ["MOST_BYTES", "packets"]

# Of each file. A case that moves more than this is no ping.
MOST_BYTES: Final = 256 * MIB
READY_SECONDS: Final = 15.0
# All interfaces, the loopback too; every packet at once, to standard output; and no second user to become. A packet
# that is handed over at once takes a place of the longest length there may be, whatever its own: of the usual buffer
# (2 MiB, places of 256 KiB) eight packets fill all of it. This one (in KiB) has a thousand places.
COMMAND: Final = [
    *("tcpdump", "-i", "any", "-p", "-U", "--immediate-mode", "-s", "65535", "-B", "65536"),
    *("-Z", "root", "-w", "-"),
]
DROPPED: Final = re.compile(rb"^(\d+) packets? dropped by kernel", re.MULTILINE)
# Told to stop, tcpdump forgets what the kernel has not handed to it yet. So the last packet is one of our own, sent
# once the case is over: when it has come through, so has everything before it.
LAST_WORDS: Final = b"end of the recording"
SAY_LAST_WORDS: Final = ["bash", "-c", f"echo -n {LAST_WORDS.decode()} > /dev/udp/127.0.0.1/9"]


@contextmanager
def packets(
    daemon: Daemon, slot: DockerSlot, *, helper: str, files: dict[Role, Path], warn: Callable[[str], None]
) -> Iterator[None]:
    """Record what each side of a slot sends and receives while the block runs, its talk with Redis included.

    :param helper: reference of the image that holds `tcpdump`
    :param files: where to, in the format of pcap
    :param warn: told when a recording lacks packets
    :raises EngineError: it cannot be recorded
    """
    with ExitStack() as stack:
        for role, path in files.items():
            stack.enter_context(_recording(daemon, slot.pods[role], helper, path, warn))
        yield


@contextmanager
def _recording(daemon: Daemon, pod: str, helper: str, path: Path, warn: Callable[[str], None]) -> Iterator[None]:
    api = daemon.api
    with ExitStack() as stack:
        container = daemon.call(
            api.create_container,
            helper,
            COMMAND,
            labels=daemon.labels(role="packets"),
            host_config=api.create_host_config(
                network_mode=f"container:{pod}",
                **Restrictions(add=("NET_RAW",), memory_bytes=256 * MIB, processes=16).options(),
            ),
        )["Id"]
        stack.callback(daemon.remove, container)
        output = daemon.call(api.attach, container, stdout=True, stderr=True, stream=True, logs=False, demux=True)
        # The SDK leaves the hijacked connection open.
        stack.callback(daemon.quietly, output._response.close)  # noqa: SLF001
        reader = _Reader(output, path)
        daemon.call(api.start, container)
        reader.start()
        if not reader.ready.wait(READY_SECONDS) or reader.failed:
            raise EngineError(
                "packets",
                f"packets cannot be recorded: {reader.said.decode(errors='replace').strip() or 'tcpdump is silent'}",
                why="the engine does not give containers raw sockets (NET_RAW), or its kernel lacks them",
                hint="leave --pcap out, or try an engine that is not rootless",
            )
        try:
            yield
        finally:
            daemon.quietly(_run_inside, daemon, container, SAY_LAST_WORDS)
            reader.complete.wait(READY_SECONDS)
            daemon.quietly(api.kill, container, "SIGINT")
            reader.join(10)
            if (dropped := DROPPED.search(reader.said)) is not None and int(dropped[1]) > 0:
                warn(f"{path.stem}.pcap lacks {int(dropped[1])} packets: the kernel dropped them, tcpdump was too slow")


def _run_inside(daemon: Daemon, container: str, command: list[str]) -> None:
    daemon.api.exec_start(daemon.api.exec_create(container, command)["Id"])


class _Reader(threading.Thread):
    """Takes what tcpdump writes: packets to the file, and its messages, which say why there are none."""

    def __init__(self, output: Any, path: Path) -> None:
        super().__init__(name=f"packets-{path.stem}", daemon=True)
        self._output = output
        self._path = path
        self.ready = threading.Event()
        self.complete = threading.Event()
        self.failed = False
        self.said = b""

    def run(self) -> None:
        left = MOST_BYTES
        seam = b""
        try:
            with self._path.open("wb") as file:
                for packets, words in self._output:
                    if packets:
                        file.write(packets[:left])
                        left -= min(left, len(packets))
                        seam += packets
                        if LAST_WORDS in seam:
                            self.complete.set()
                        seam = seam[-len(LAST_WORDS) :]
                    if words:
                        self.said += words
                    if b"listening on" in self.said:
                        self.ready.set()
        except TROUBLE as error:
            self.said += str(error).encode()
        finally:
            self.failed = not self.ready.is_set()
            self.ready.set()
            self.complete.set()
