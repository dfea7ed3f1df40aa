"""Records the captures of this folder that real endpoints make: `python record_captures.py [NAME …]`, Docker needed.

Images are those that `nox -s build-images` has made for the suites `quic` and `webtransport`, the newest of each
version. A recorded case is the real one, but for what would make its capture large: its files are smaller, and where
time matters the link is as much slower.
"""

from __future__ import annotations

import gzip
import io
import shutil
import sys
import tarfile
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT))

from ci.engines.docker.daemon import Daemon, connect  # noqa: E402
from ci.engines.docker.helper_image import helper_image  # noqa: E402
from ci.engines.docker.networks import NetworkEngine, NetworkSlot  # noqa: E402
from ci.model import Outcome, Role  # noqa: E402
from ci.runner.attempt import attempt  # noqa: E402
from ci.suites.quic.attempt_specs import RoleImages, attempt_spec, exchange_of  # noqa: E402
from ci.suites.quic.captures.key_logs import key_logs  # noqa: E402
from ci.suites.quic.captures.packets import Sender  # noqa: E402
from ci.suites.quic.judge import judge  # noqa: E402
from ci.suites.quic.materials.case_files import prepare  # noqa: E402
from ci.suites.quic.testcases import losses, measurements, paths, transfer  # noqa: E402
from ci.suites.quic.testcases.base import KIB, TestCase  # noqa: E402
from ci.suites.quic.testcases.checks import handshakes, only_version_1  # noqa: E402
from ci.suites.quic.testcases.handshake import HTTP3, IPV6, MULTIPLEXING  # noqa: E402
from ci.suites.quic.testcases.webtransport import WEBTRANSPORT_CASES  # noqa: E402
from ci.suites.quic.testcases.webtransport import transfer as webtransport_files  # noqa: E402

SEED: Final = 20261121
FEWER: Final = 10
SLOW: Final = ("--bandwidth=10Mbps", "--bandwidth=200kbps")


AIOQUIC: Final = "aioquic/quic/connection.py"
ANSWER_SECOND: Final = (
    "s/^        # Append the new path challenge unless.*/"
    '        self._forgot = not getattr(self, "_forgot", False)\\n        if self._forgot:\\n            return/'
)
# Endpoints that do something besides, or otherwise: the version whose image they are made from, and how.
VARIANTS: Final = {
    "aioquic-validating": ("aioquic-v1.7", """RUN sed -i 's/retry=task[^,]*/retry=True/' /opt/qns/server.py"""),
    "aioquic-chatty": (
        "aioquic-v1.7",
        "COPY chatter.py /opt/qns/\nRUN sed -i 's/^async def run/from . import chatter\\n&/' /opt/qns/server.py",
    ),
    # Of two challenges it answers the second, as some clients do that read both at once.
    "aioquic-forgetful": (
        "aioquic-v1.7",
        f"RUN sed -i '{ANSWER_SECOND}' /opt/venv/lib/python3*/site-packages/{AIOQUIC}",
    ),
}


@dataclass(frozen=True)
class Recording:
    client: str
    server: str
    test: TestCase


def slowed(test: TestCase, size: int) -> TestCase:
    """With one file, over a link of a fiftieth of the rate, once."""
    return replace(test, sizes=(size,), scenario=test.scenario.replace(*SLOW), repetitions=1)


def delivered(test: TestCase) -> TestCase:
    """What is spoilt arrives spoilt, which by default it does not (docs/simulator.md)."""
    return replace(test, scenario=f"{test.scenario} --corrupted=delivered")


def fewer_handshakes(test: TestCase) -> TestCase:
    """Some of the fifty, which would make a megabyte and more."""
    return replace(test, sizes=(32,) * FEWER, checks=(handshakes(FEWER), only_version_1))


def small_session(test: TestCase) -> TestCase:
    """A WebTransport case with as many files as it has, each of a few bytes."""
    sender: Sender = "server" if test.name.endswith("receive") else "client"
    sizes = tuple(20 + n for n in range(len(test.sizes)))
    return replace(test, sizes=sizes, make_files=partial(webtransport_files, sizes=sizes, sender=sender))


def recordings() -> Mapping[str, Recording]:
    go, quinn = "quic-go-v0.65", "quinn-v0.11"
    outage = transfer.BLACKHOLE.scenario.replace("--on=5s", "--on=1s")
    found = {
        "ecn": Recording(go, go, replace(transfer.ECN, sizes=(5 * KIB,))),
        "http3": Recording(go, go, replace(HTTP3, sizes=(5 * KIB,))),
        "blackhole": Recording(go, quinn, slowed(replace(transfer.BLACKHOLE, scenario=outage), 35 * KIB)),
        "transferloss": Recording(go, quinn, replace(losses.TRANSFER_LOSS, sizes=(100 * KIB,))),
        "transfercorruption": Recording(quinn, go, delivered(replace(losses.TRANSFER_CORRUPTION, sizes=(100 * KIB,)))),
        "handshakeloss": Recording(go, quinn, fewer_handshakes(losses.HANDSHAKE_LOSS)),
        "handshakecorruption": Recording(go, quinn, delivered(fewer_handshakes(losses.HANDSHAKE_CORRUPTION))),
        "goodput": Recording(go, quinn, slowed(measurements.GOODPUT, 50 * KIB)),
        "crosstraffic": Recording(go, quinn, slowed(measurements.CROSS_TRAFFIC, 60 * KIB)),
    }
    soon = paths.REBIND_PORT.scenario.replace("--first-rebind=1s", "--first-rebind=900ms")
    found |= {
        "always-validating": Recording(
            "aioquic-v1.7", "aioquic-validating", replace(MULTIPLEXING, sizes=(32,) * FEWER)
        ),
        "chatty-amplificationlimit": Recording(go, "aioquic-chatty", losses.AMPLIFICATION_LIMIT),
        "chatty-ipv6": Recording(go, "aioquic-chatty", replace(IPV6, sizes=(1 * KIB,))),
        "chatty-rebind-port": Recording(
            go, "aioquic-chatty", slowed(replace(paths.REBIND_PORT, scenario=soon), 30 * KIB)
        ),
    }
    found["two-challenges"] = Recording("aioquic-forgetful", "nginx-v1.26", slowed(paths.REBIND_PORT, 30 * KIB))
    for test in WEBTRANSPORT_CASES:
        small = small_session(test) if test.sizes else test
        found[f"webtransport-{test.name}"] = Recording("webtransport-go-v0.13", "webtransport-go-v0.13", small)
    return found


def image_of(daemon: Daemon, name: str) -> str:
    """The image of a version that was built last, or of a variant, made from that."""
    if name not in VARIANTS:
        return newest(daemon, name)
    version, how = VARIANTS[name]
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(HERE / "chatter.py", "chatter.py")
        recipe = f"FROM {newest(daemon, version)}\n{how}\n".encode()
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(recipe)
        archive.addfile(member, io.BytesIO(recipe))
    context.seek(0)
    tag = f"interop/recorded:{name}"
    said = [*daemon.call(daemon.api.build, fileobj=context, custom_context=True, tag=tag, rm=True, decode=True)]
    if any("error" in line for line in said):
        sys.exit(f"{name}: {said}")
    return tag


def newest(daemon: Daemon, version: str) -> str:
    """The image of a version that was built last."""
    found = daemon.call(daemon.api.images, name=f"interop/{version}")
    if not found:
        sys.exit(f"there is no image of {version}: python -m ci build-images --suite quic (and webtransport)")
    return str(max(found, key=lambda image: image["Created"])["Id"])


def record(recording: Recording, slot: NetworkSlot, image: Callable[[str], str], folder: Path) -> None:
    """Play the case and check that it passes, for that is what it shall show."""
    test, players = recording.test, {"client": recording.client, "server": recording.server, "simulator": "simulator"}
    players.update(dict.fromkeys(test.participants, "iperf"))
    roles: dict[Role, tuple[str, str]] = {role: (it, image(it)) for role, it in players.items()}  # type: ignore[misc]
    case = test.suite.case(recording.client, recording.server, test.name)
    case_files = test.case_files(SEED)
    prepare(case_files, folder)
    played = attempt_spec(case, test, case_files, RoleImages(roles, seeded=True), folder)
    slot.restore(*played.roles)
    evidence = attempt(slot, played, labels={}, cancelled=threading.Event(), folder=folder)
    verdict = judge(test, case_files, exchange_of(evidence, folder))
    if verdict.outcome is not Outcome.PASSED:
        sys.exit(f"{case.name}: {verdict.reason}")


def main(names: list[str]) -> None:
    wanted = recordings()
    daemon = Daemon(connect(), run="record-captures")
    engine = NetworkEngine(daemon, helper=helper_image(daemon, ROOT))
    with engine.slot(0) as slot:
        for name in names or wanted:
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                record(wanted[name], slot, partial(image_of, daemon), folder)
                target = HERE / name
                target.mkdir(exist_ok=True)
                for side in ("left", "right"):
                    packed = gzip.compress((folder / "sim" / f"trace_node_{side}.pcap").read_bytes(), mtime=0)
                    (target / f"{side}.pcap.gz").write_bytes(packed)
                secrets = key_logs(folder)
                if not secrets:
                    sys.exit(f"{name}: no key log")
                shutil.copy(secrets[0], target / "keys.log")
            sys.stdout.write(f"{name}: {sum(p.stat().st_size for p in target.iterdir())} bytes\n")


if __name__ == "__main__":
    main(sys.argv[1:])
