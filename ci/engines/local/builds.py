"""From a row of `versions.yaml` to a program that the local engine can start: content key, cache, build."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ci.engines.local.recipes.base import Bench, Recipe
from ci.engines.local.recipes.go import GoRecipe
from ci.engines.local.recipes.node import NodeRecipe
from ci.engines.local.recipes.python import PythonRecipe
from ci.engines.local.recipes.rust import RustRecipe
from ci.engines.local.toolchains import Toolchains
from ci.engines.programs import Program
from ci.errors import BuildError, InteropError
from ci.images.base import Image, ImageReport, ImageStatus, Unavailable, Watch, unwatched
from ci.images.build_commands import Commands, build_environment
from ci.images.caches.folder import Cache, Stopped, cache_folder
from ci.images.content_key import content_key
from ci.model import BuildRecipe, ReasonCode, Version

__all__ = ["Builds"]

KIND: Final = "builds"
# Changes whenever a recipe's steps do, so that what an earlier one made is not taken for its own.
_RECIPES: Final = "1"


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What is to be there for a version: known without building anything."""

    recipe: Recipe
    source: Path
    entry: str
    key: str


class Builds:
    """The programs of a catalogue on this machine. Safe to use from several threads.

    :param root: the checkout; nothing is written there
    :param cache: the folder from `cache_folder`
    :param environment: the user's; proxies, mirrors and certificates are taken from it, and PATH
    """

    def __init__(self, *, root: Path, cache: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._cache = Cache(cache)
        self._commands = Commands(build_environment(environment, cache))
        self._toolchains = Toolchains(self._cache, self._commands, path=environment.get("PATH", ""))
        bench = Bench(cache=self._cache, commands=self._commands, toolchains=self._toolchains)
        self._recipes: Mapping[str, Recipe] = {
            "python": PythonRecipe(bench),
            "node": NodeRecipe(bench),
            "go": GoRecipe(bench),
            "rust": RustRecipe(bench),
        }
        self._lock = threading.Lock()
        self._orders: dict[str, _Order | Unavailable] = {}
        self._programs: dict[str, Program] = {}

    @classmethod
    def of_user(cls, root: Path, environment: Mapping[str, str]) -> Builds:
        """With the cache folder that the user's environment asks for.

        :raises EngineError: no folder can be written
        """
        return cls(root=root, cache=cache_folder(environment, checkout=root), environment=environment)

    # --- what is there --------------------------------------------------------------------------------

    def find(self, version: Version) -> Image | Unavailable:
        """The program a case will run, without building anything."""
        order = self._order(version)
        if isinstance(order, Unavailable):
            return order
        image = self._image(order)
        if image is None:
            return Unavailable(
                code=ReasonCode.BUILD_FAILED,
                text=f"{version.id} is not built as a local program; if its build failed, see {self._log(version)}",
            )
        return image

    def cached(self, version: Version) -> bool:
        """See `Provider.cached`."""
        found = self.find(version)
        return not isinstance(found, Unavailable) or found.code is not ReasonCode.BUILD_FAILED

    def packages(self, image: Image) -> None:
        """None are known."""

    def missing_requirement(self, version: Version) -> str | None:
        """See `Provider.missing_requirement`."""
        order = self._order(version)
        return order.text.removeprefix(f"{version.id} ") if isinstance(order, Unavailable) else None

    def missing(self) -> Mapping[str, str]:
        """What this machine needs to have for a language, in words that follow `needs`, where it is amiss."""
        found = {language: recipe.missing() for language, recipe in self._recipes.items()}
        return {language: it for language, it in found.items() if it is not None}

    def program(self, digest: str) -> Program | None:
        """What an image stands for, once `find` or `provide` has returned that image."""
        return self._programs.get(digest)

    def redis_server(self) -> Path:
        """The `redis-server` to run, installed where that takes it.

        :raises EngineError: there is none for this machine
        """
        return self._toolchains.redis_server()

    # --- making what is not there ---------------------------------------------------------------------

    def provide(
        self, versions: Iterable[Version], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        """Build what is missing; `report` is told about each version as soon as it is done.

        Languages are built side by side and the versions of one after the other: they share its caches and locks.
        """
        lanes: dict[str | None, list[Version]] = {}
        for version in versions:
            lanes.setdefault(version.local, []).append(version)

        def work_off(lane: list[Version]) -> None:
            for version in lane:
                report(self._provide(version, watch))

        with ThreadPoolExecutor(max_workers=max(1, len(lanes))) as pool:
            for done in [pool.submit(work_off, lane) for lane in lanes.values()]:
                done.result()

    def stop(self) -> None:
        """End the builds under way and begin no other; `provide` returns soon, and nothing half-made is left."""
        self._cache.stop()
        self._commands.stop()

    def _provide(self, version: Version, watch: Watch) -> ImageReport:
        started = time.monotonic()
        order = self._order(version)
        if isinstance(order, Unavailable):
            return _line(version, ImageStatus.UNAVAILABLE, started, order)
        if (image := self._image(order)) is not None:
            return _line(version, ImageStatus.HIT, started, image, self._cache.size(KIND, order.entry))
        log = self._log(version)

        def build(making: Path) -> None:
            log.unlink(missing_ok=True)
            order.recipe.build(order.source, making, log)

        try:
            _require_files(version, order)
            with watch(version.id, log):
                order.recipe.prepare()
                # What an entry leans on outside of the cache, such as a Python, may be gone since it was made.
                self._cache.make(KIND, order.entry, build, usable=lambda it: order.recipe.program(it) is not None)
        except Stopped:
            why = Unavailable(code=ReasonCode.CANCELLED, text=f"{version.id} was not built: interrupted")
            return _line(version, ImageStatus.UNAVAILABLE, started, why)
        except InteropError as error:
            why = Unavailable(code=ReasonCode.BUILD_FAILED, text=str(error))
            return _line(version, ImageStatus.FAILED, started, why)
        except OSError as error:
            text = f"{version.id} cannot be built in {self._cache.folder}: {error}"
            why = Unavailable(code=ReasonCode.BUILD_FAILED, text=text)
            return _line(version, ImageStatus.FAILED, started, why)
        return _line(version, ImageStatus.BUILT, started, self.find(version), self._cache.size(KIND, order.entry))

    # --- inside ---------------------------------------------------------------------------------------

    def _order(self, version: Version) -> _Order | Unavailable:
        with self._lock:
            if version.id not in self._orders:
                self._orders[version.id] = self._make_order(version)
            return self._orders[version.id]

    def _make_order(self, version: Version) -> _Order | Unavailable:
        if version.local is None or not isinstance(version.source, BuildRecipe):
            text = f"{version.id} runs only in a container, and the local engine starts plain processes"
            return Unavailable(code=ReasonCode.PLANNED_OUT, text=text)
        recipe = self._recipes[version.local]
        if missing := recipe.missing():
            return Unavailable(code=ReasonCode.PLANNED_OUT, text=f"{version.id} needs {missing}")
        source = self._root / version.source.folder
        ingredients = {"recipes": _RECIPES, "language": version.local, **recipe.ingredients()}
        key = content_key(source, arguments=ingredients, root=self._root)
        return _Order(recipe=recipe, source=source, entry=f"{version.id}-{key[:16]}", key=key)

    def _image(self, order: _Order) -> Image | None:
        entry = self._cache.find(KIND, order.entry)
        program = order.recipe.program(entry) if entry is not None else None
        if entry is None or program is None:
            return None
        digest = f"local:{order.key}"
        notes = entry / "notes.txt"
        self._programs[digest] = program
        return Image(
            digest=digest,
            build_key=order.key,
            notes=tuple(notes.read_text(encoding="utf-8").splitlines()) if notes.exists() else (),
        )

    def _log(self, version: Version) -> Path:
        return self._cache.folder / "logs" / f"{version.id}.log"


def _require_files(version: Version, order: _Order) -> None:
    missing = [name for name in order.recipe.files if not (order.source / name).is_file()]
    if missing:
        raise BuildError(
            "local-files",
            f"{version.id} says `local: {version.local}`, and {order.source} has no {' and no '.join(missing)}",
            why=f"a version runs as a process of {version.local} from {', '.join(order.recipe.files)}",
            hint="add them (docs/local.md), or take `local` out of its row: then it runs in containers only",
        )


def _line(
    version: Version, status: ImageStatus, started: float, image: Image | Unavailable, size: int = 0
) -> ImageReport:
    return ImageReport(version=version.id, status=status, seconds=time.monotonic() - started, size=size, image=image)
