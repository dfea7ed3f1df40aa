"""Fake peers and a way to play a case with them: what the contract tests share.

A fake peer (`peers/peer.sh`) obeys the container contract in both generations and misbehaves as told, so that the
runner's heart can be shown every way in which a real one can end.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from ci.engines.docker.daemon import Daemon
from ci.engines.programs import Program
from ci.model import Case, Contract, PublishedImage, Transport, Verdict, Version
from ci.runner.attempt import attempt
from ci.runner.inbox import UNOBSERVED, AttemptObserver
from ci.spec.attempt import AttemptSpec, Evidence
from ci.suites.transport.judge import has_result as prints_a_result
from ci.suites.transport.running import TransportRun
from ci.suites.transport.words import Stack

if TYPE_CHECKING:
    from ci.engines.base import Slot

__all__ = ["ENDPOINT", "STACK", "DockerPeers", "LocalPeers", "PeerImage", "Play", "Played"]

PEER: Final = Path(__file__).parent / "peers" / "peer.sh"
ENDPOINT: Final = PEER.with_name("endpoint.sh")
STACK: Final = Stack("tcp", "noise", "yamux")
SIDES: Final = (Contract.CLASSIC, Contract.CLASSIC)


class PeerImage(Protocol):
    """Gives what the engine under test runs as the fake peer of this behaviour."""

    def __call__(self, behaviour: str, /, *, address: str = "", dockerfile: str = "") -> str: ...


class DockerPeers:
    """Fake peers as images, one per behaviour, made when first asked for and gone after `close`.

    :param script: what they all run
    """

    def __init__(self, daemon: Daemon, *, helper: str, script: Path = PEER, user: int = 1000) -> None:
        self._script = script
        self._user = user
        self._daemon = daemon
        self._helper = helper
        self._made: dict[str, str] = {}

    def __call__(self, behaviour: str, /, *, address: str = "", dockerfile: str = "") -> str:
        """The image's reference.

        :param address: what it publishes as a listener, instead of its usual address
        :param dockerfile: more instructions
        """
        recipe = [
            f"FROM {self._helper}",
            "COPY peer.sh /peer.sh",
            f"ENV BEHAVIOUR={behaviour}",
            *([f"ENV PEER_ADDRESS={address}"] if address else []),
            f"USER {self._user}",
            'ENTRYPOINT ["/peer.sh"]',
            *dockerfile.splitlines(),
        ]
        files = {"Dockerfile": "\n".join(recipe).encode(), "peer.sh": self._script.read_bytes()}
        content = hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:16]
        # Two test runs on one host may make the same image; each removes only its own tag.
        tag = f"interop/fake-peer:{content}-{self._daemon.prefix}"
        if tag not in self._made:
            self._build(tag, files)
            self._made[tag] = behaviour
        return tag

    def _build(self, tag: str, files: Mapping[str, bytes]) -> None:
        context = io.BytesIO()
        with tarfile.open(fileobj=context, mode="w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode = len(data), 0o755
                archive.addfile(member, io.BytesIO(data))
        context.seek(0)
        said = [
            line
            for line in self._daemon.call(
                self._daemon.api.build,
                fileobj=context,
                custom_context=True,
                tag=tag,
                rm=True,
                forcerm=True,
                decode=True,
            )
            if "error" in line
        ]
        if said:
            raise AssertionError(said)

    def close(self) -> None:
        for tag in self._made:
            self._daemon.quietly(self._daemon.api.remove_image, tag, force=True)


class LocalPeers:
    """Fake peers as programs of this host.

    :param tools: folder of `redis-cli`
    """

    def __init__(self, *, tools: Path) -> None:
        self._path = f"{tools}:/usr/local/bin:/usr/bin:/bin"
        self._made: dict[str, Program] = {}

    def __call__(self, behaviour: str, /, *, address: str = "", dockerfile: str = "") -> str:
        """The name under which the engine asks for the program."""
        assert not dockerfile, "there is no image to give these instructions for"
        environment = {"PATH": self._path, "BEHAVIOUR": behaviour}
        if address:
            environment["PEER_ADDRESS"] = address
        return self.add(Program(command=(str(PEER),), environment=environment))

    def add(self, program: Program) -> str:
        name = f"local:{hashlib.sha256(repr(program).encode()).hexdigest()[:16]}"
        self._made[name] = program
        return name

    def program(self, name: str) -> Program | None:
        return self._made.get(name)


@dataclass(frozen=True, kw_only=True)
class Played:
    """One attempt with fake peers: what it was, what it left behind, and how it was judged."""

    case: Case
    spec: AttemptSpec
    evidence: Evidence
    verdict: Verdict

    @property
    def code(self) -> str | None:
        return self.verdict.reason.code.value if self.verdict.reason else None

    @property
    def text(self) -> str:
        return self.verdict.reason.text if self.verdict.reason else ""

    def output(self, role: Any, stream: Any) -> str:
        return self.evidence.streams[role, stream].text()


class Play:
    """Plays cases on one slot.

    :param peer: gives the image of a behaviour
    """

    def __init__(self, slot: Slot, peer: PeerImage) -> None:
        self.slot = slot
        self.peer = peer
        self._count = 0

    def __call__(
        self,
        dialer: str,
        listener: str = "good",
        *,
        contracts: tuple[Contract, Contract] = SIDES,
        stack: Stack = STACK,
        deadline: float = 30.0,
        strict_exit: bool = False,
        images: Mapping[str, str] | None = None,
        change: Callable[[AttemptSpec], AttemptSpec] = lambda spec: spec,
        has_result: Callable[[str], bool] | None = None,
        cancelled: threading.Event | None = None,
        observer: AttemptObserver = UNOBSERVED,
    ) -> Played:
        """Play one case.

        :param dialer: behaviour of the dialer
        :param listener: behaviour of the listener
        :param contracts: generation of the contract, dialer first
        :param deadline: seconds; costs time only where nobody ends by itself
        :param images: image by side where it is not that of a behaviour
        :param change: what to change in the spec the suite describes
        :param has_result: instead of the suite's own; called whenever the dialer has printed something
        :param observer: sees what both sides write
        """
        versions = {
            side: Version(
                id=side,
                family=side,
                source=PublishedImage(reference=side),
                transports=(Transport(name=stack.transport),),
                contract=contract,
                timeout_seconds=20,
            )
            for side, contract in zip(("dialing", "listening"), contracts, strict=True)
        }
        suite = TransportRun(versions, deadline=deadline, strict_exit=strict_exit)
        case = stack.case("dialing", "listening")
        self._count += 1
        behaviours = {"dialing": dialer, "listening": listener}
        self.slot.restore()
        made = {side: (images or {}).get(side) or self.peer(behaviour) for side, behaviour in behaviours.items()}
        surroundings = self.slot.surroundings
        described = suite.attempt_spec(case, images=made, surroundings=surroundings, attempt=str(self._count))
        assert described.coordination is not None
        quick = replace(described.coordination, dialer_exit_timeout=0.5, dialer_alone_timeout=1.5)
        spec = change(replace(described, coordination=quick))
        evidence = attempt(
            self.slot,
            spec,
            has_result=has_result or prints_a_result,
            labels={"case": case.name},
            cancelled=cancelled or threading.Event(),
            observer=observer,
        )
        return Played(case=case, spec=spec, evidence=evidence, verdict=suite.judge(case, evidence, surroundings))
