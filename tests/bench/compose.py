"""One `docker compose up` per case, as runners before this one have done it: what cells are compared with."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.cells import ROOT, Session
from bench.measuring import Cost, costs
from ci.engines.by_hand import REDIS_SERVER
from ci.engines.docker.files import read_file
from ci.engines.docker.helper_image import BASE, ensure_base
from ci.model import Case
from ci.spec.attempt import Surroundings
from ci.suites.transport.running import TransportRun

__all__ = ["compose_program", "run_with_compose"]

_PLUGIN = "/usr/libexec/docker/cli-plugins/docker-compose"
_IMAGE = "interop/bench-compose"


def compose_program(session: Session, folder: Path) -> Path:
    """The plugin of Debian's package, a program that needs nothing besides; the host's own may be of any age."""
    program = folder / "docker-compose"
    if not program.exists():
        daemon = session.daemon
        ensure_base(daemon, ROOT, image=BASE)
        recipe = f"FROM {BASE}\nRUN apt-get update && apt-get install -y --no-install-recommends docker-compose\n"
        build: Any = daemon.api.build
        for line in build(fileobj=io.BytesIO(recipe.encode()), tag=_IMAGE, rm=True, decode=True):
            if "error" in line:
                raise RuntimeError(line["error"])
        container = daemon.api.create_container(_IMAGE, ["true"], labels=daemon.labels(role="helper"))["Id"]
        try:
            data = read_file(daemon, container, _PLUGIN, most_bytes=256 << 20)
        finally:
            daemon.remove(container)
        if data is None:
            raise RuntimeError(f"Debian's docker-compose has no {_PLUGIN}")
        folder.mkdir(parents=True, exist_ok=True)
        program.write_bytes(data)
        program.chmod(0o755)
    return program


def run_with_compose(session: Session, program: Path, cases: Sequence[Case], folder: Path, *, workers: int) -> Cost:
    """Run each case as a project of its own: a Redis and both sides on a network, until the dialer ends.

    :raises RuntimeError: a case came to something else than its dialer's end
    """
    suite = TransportRun(session.workspace.versions)

    def run_one(number: int) -> None:
        case = cases[number]
        digests = {name: image.digest for name, image in session.images.items()}
        spec = suite.attempt_spec(case, images=digests, surroundings=Surroundings(), attempt=str(number))
        file = folder / f"case-{number}.json"
        services: dict[str, Any] = {
            it.role: {"image": it.image, "init": True, "environment": dict(it.environment), "depends_on": ["redis"]}
            for it in spec.participants
        }
        services["redis"] = {"image": session.helper, "command": [*REDIS_SERVER, "--protected-mode", "no"]}
        file.write_text(json.dumps({"services": services}), encoding="utf-8")
        words = [str(program), "-p", f"bench-compose-{number}", "-f", str(file)]
        up = [*words, "up", "--exit-code-from", "dialer", "--abort-on-container-exit"]
        try:
            done = subprocess.run(up, check=False, capture_output=True, text=True)
        finally:
            subprocess.run([*words, "down", "--volumes"], check=True, capture_output=True)
        if done.returncode not in (0, 1):
            raise RuntimeError(
                f"{case.name}: compose exited {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )

    folder.mkdir(parents=True, exist_ok=True)
    with costs() as cost, ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(run_one, range(len(cases))))
    return cost
