"""(f) local processes against containers; (i) images that are there already, and images from a cache."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from bench.cells import ROOT, Cells, open_session, pairs, run_shard
from bench.measuring import Cost, Section, Table, at_most, by_turns, costs, ratios, spread

__all__ = ["images", "local_against_docker"]


def local_against_docker(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(f)"""
    cells = Cells(tuple(pairs(("dialer", "listener"), "py-v0.8")), ignored=("not tcp",) if quick else ())
    build = ["build-images", *cells.words, "--engine", "local"]
    subprocess.run([sys.executable, "-m", "ci", *build], cwd=ROOT, check=True, capture_output=True)
    found = by_turns(
        {
            engine: (lambda engine=engine: run_shard(cells, scratch / engine, "--engine", engine, "--workers", "2")[0])  # type: ignore[misc]
            for engine in ("docker", "local")
        },
        repetitions,
    )
    count, docker = len(cells.cases()), [it.wall for it in found["docker"]]
    rows = tuple(
        (
            name,
            str(spread([60 * count / it.wall for it in each])),
            f"{ratios(docker, [it.wall for it in each])} ×",
            f"{ratios([it.cpu for it in found['docker']], [it.cpu for it in each])} ×",
        )
        for name, each in found.items()
    )
    return Section(
        letter="f",
        title="Local processes against containers",
        method=f"{count} cells py-v0.8 × py-v0.8 with two workers, `run-shard` from start to end.",
        tables=(
            Table(columns=("engine", "cells/min", "cells/min against docker", "CPU of docker against it"), rows=rows),
        ),
    )


def images(scratch: Path, *, repetitions: int, quick: bool) -> Section:
    """(i)"""
    cells = Cells(("dialer:py-v0.8 and listener:py-v0.8",))
    several = Cells(("version:go-v0.51",) if quick else ("~built",))
    cache = f"dir:{scratch / 'cache'}"
    tag = _tag(cells)
    _build(cells, "--cache", cache)  # kept there, if it was not yet

    def unchanged() -> Cost:
        return _build(several)

    def from_cache() -> Cost:
        with open_session(cells) as session:
            for name in session.daemon.api.inspect_image(tag)["RepoTags"]:  # type: ignore[no-untyped-call]
                session.daemon.forget(name)
        return _build(cells, "--cache", cache)

    found = by_turns({"again": unchanged, "from a cache": from_cache}, repetitions)
    versions = len(several.workspace().selected_versions)
    each = spread([it.wall / versions for it in found["again"]])
    times = ratios([it.wall for it in found["from a cache"]], [it.wall / versions for it in found["again"]])
    again, cached = (spread([it.wall for it in found[name]]) for name in ("again", "from a cache"))
    rows = (
        (f"nothing has changed, {versions} versions", str(again), f"{each} s"),
        ("one from a cache", str(cached), f"{times} × as long"),
    )
    return Section(
        letter="i",
        title="Images that are there, or in a cache",
        method=f"`build-images` where nothing has changed, for {versions} versions; and for py-v0.8 (388 MB), whose "
        "image the engine has forgotten, from a folder. What the same images take to build is in docs/caches.md.",
        tables=(Table(columns=("what", "seconds", "an image"), rows=rows),),
        bars=(at_most("`build-images` where nothing has changed, an image", 0.3, "s", each.median, str(each)),),
    )


def _build(cells: Cells, *words: str) -> Cost:
    with costs() as cost:
        subprocess.run(
            [sys.executable, "-m", "ci", "build-images", *cells.words, "--pull", "never", *words],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
    return cost


def _tag(cells: Cells) -> str:
    with open_session(cells) as session:
        [image] = session.images.values()
        names = session.daemon.api.inspect_image(image.digest)["RepoTags"]  # type: ignore[no-untyped-call]
    return str(next(it for it in names if re.fullmatch(r"interop/py-v0\.8:[0-9a-f]{16}", it)))
