"""From a row of `versions.yaml` to an image the engine can run: content key, cache, `make`, pull.

Three rules: an image is fully determined by the content key of its folder; caching is only an optimisation, so
any fault of a cache is a warning and a build; a hit costs one question to the engine.
"""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.docker.address import require_docker_command
from ci.engines.docker.daemon import Daemon
from ci.engines.docker.helper_image import make_missing
from ci.errors import BuildError, EngineError
from ci.images.base import Image, ImageReport, ImageStatus, Unavailable, Watch, unwatched
from ci.images.build_commands import Commands
from ci.images.caches.folder import Stopped
from ci.model import BuildRecipe, PublishedImage, ReasonCode, Version

if TYPE_CHECKING:
    from ci.images.caches.base import ImageCache

__all__ = ["Images"]

LOG: Final = "build.log"
# Of registries that are busy or limit their users; a job that waits longer is better run again.
PAUSES: Final = (2.0, 10.0, 40.0)
# How engines word that a registry is busy, limits its users, or was cut off in the middle.
_MAY_PASS: Final = re.compile(
    r"toomanyrequests|\b(?:429|5\d\d) [A-Z]|\bHTTP (?:429|5\d\d)\b|connection reset|\bEOF\b|broken pipe", re.ASCII
)


class Images:
    """The images of a catalogue in one engine.

    :param root: the checkout
    :param key_of: content key of a build folder (relative to `root`)
    :param cache: where images are kept outside the engine, if anywhere
    :param warn: told about faults of a cache, and of a registry that is asked again
    :param pauses: seconds to wait before each further try of a pull that failed for a reason that may pass
    :param commands: what `make` is run with, and ended by `stop`
    """

    def __init__(
        self,
        daemon: Daemon,
        *,
        root: Path,
        key_of: Callable[[str], str],
        cache: ImageCache | None = None,
        warn: Callable[[str], None] = lambda _: None,
        pauses: Sequence[float] = PAUSES,
        commands: Commands | None = None,
    ) -> None:
        self._daemon = daemon
        self._root = root
        self._key_of = key_of
        self._cache = cache
        self._warn = warn
        self._pauses = pauses
        self._stopped = threading.Event()
        self._commands = commands or Commands(daemon.address.environment)

    # --- what is there --------------------------------------------------------------------------------

    def find(self, version: Version) -> Image | Unavailable:
        """The image a case will run, without building anything; a published one is pulled if need be."""
        if isinstance(version.source, PublishedImage):
            return self._published(version.source.reference)
        key = self._key_of(version.source.folder)
        tag = self.tag(version, key)
        digest = self._digest(tag) or self._from_cache(tag)
        if digest is None:
            return Unavailable(
                code=ReasonCode.BUILD_FAILED,
                text=f"no image {tag}: build it with `nox -s build-images -- {version.id}`, or see why that failed",
            )
        return Image(digest=digest, build_key=key)

    def missing_requirement(self, version: Version) -> str | None:
        """See `Provider.missing_requirement`: whether an image can be pulled shows when it is."""
        del version
        return None

    @staticmethod
    def tag(version: Version, key: str) -> str:
        """The name an image has in the engine: version and content key, so an old image is never taken for new."""
        return f"interop/{version.id.lower()}:{key[:16]}"

    def _published(self, reference: str) -> Image | Unavailable:
        digest = self._digest(reference)
        if digest is None:
            trouble = self._pull(reference)
            digest = None if trouble else self._digest(reference)
            if digest is None:
                text = f"image {reference} cannot be pulled: {trouble or 'the engine has none of that name afterwards'}"
                return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text=text)
        return Image(digest=digest)

    def _pull(self, reference: str) -> str | None:
        """Pull it, more than once where that may help; None once it is there, else why it is not."""
        for pause in self._pauses:
            trouble = self._pull_once(reference)
            if trouble is None or not _MAY_PASS.search(trouble):
                return trouble
            self._warn(f"image {reference}: {trouble}; asked again in {pause:g} s")
            if self._stopped.wait(pause):
                return "interrupted"
        trouble = self._pull_once(reference)
        return trouble and f"{trouble} ({1 + len(self._pauses)} tries)"

    def _pull_once(self, reference: str) -> str | None:
        trouble = self._daemon.pull(reference, stopped=self._stopped.is_set)
        return trouble and _without_name_server(trouble.strip().splitlines()[-1])

    def _digest(self, reference: str) -> str | None:
        found = self._daemon.image(reference)
        return None if found is None else str(found["Id"])

    def _from_cache(self, tag: str, *, then: str = "") -> str | None:
        """:param then: what is done where it cannot be had from there, for the warning"""
        if self._cache is None:
            return None
        try:
            loaded = self._cache.restore(tag, self._daemon)
        except OSError as error:
            self._warn(f"cache: {tag} could not be loaded{then}: {error}")
            return None
        return self._digest(tag) if loaded else None

    # --- making what is not there ---------------------------------------------------------------------

    def provide(
        self, versions: Iterable[Version], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        """Build or fetch for these versions; `report` is told about each as soon as it is done, from any thread.

        Builds run one after the other, each with all processors; pulls run beside them.
        """
        folders: dict[str, list[Version]] = {}
        published: list[Version] = []
        for version in versions:
            if isinstance(version.source, BuildRecipe):
                folders.setdefault(version.source.folder, []).append(version)
            else:
                published.append(version)
        with ThreadPoolExecutor(max_workers=4) as pool:
            # Told as soon as they are known: a build may take a quarter of an hour.
            pulls = [pool.submit(lambda version: report(self._fetch(version)), version) for version in published]
            for folder, members in folders.items():
                for line in self._build(folder, members, watch):
                    report(line)
            for pull in pulls:
                pull.result()

    def stop(self) -> None:
        """See `Provider.stop`."""
        self._stopped.set()
        self._commands.stop()

    def _fetch(self, version: Version) -> ImageReport:
        started = time.monotonic()
        assert isinstance(version.source, PublishedImage)  # noqa: S101 -- sorted by the caller
        there = self._digest(version.source.reference) is not None
        image = self._published(version.source.reference)
        if isinstance(image, Unavailable):
            if self._stopped.is_set():
                return self._called_off(version, started)
            status = ImageStatus.UNAVAILABLE
        else:
            status = ImageStatus.HIT if there else ImageStatus.PULLED
        return self._line(version, status, started, image)

    def _build(self, folder: str, members: list[Version], watch: Watch) -> list[ImageReport]:
        started = time.monotonic()
        if self._stopped.is_set():
            return [self._called_off(it, started) for it in members]
        key = self._key_of(folder)
        tags = {version.id: self.tag(version, key) for version in members}
        digests = {version.id: self._digest(tags[version.id]) for version in members}
        statuses = {name: ImageStatus.HIT for name, digest in digests.items() if digest is not None}
        for name, digest in digests.items():
            loaded = self._from_cache(tags[name], then=", it is built instead") if digest is None else None
            if loaded is not None:
                digests[name], statuses[name] = loaded, ImageStatus.LOADED

        self._write_image_files(folder, members, digests)
        if missing := [version for version in members if digests[version.id] is None]:
            # image.json is there and counts as up to date: only what derives from it is built.
            base_is_there = any(_file(version) == "image.json" and digests[version.id] for version in members)
            try:
                with watch(", ".join(it.id for it in missing), self._root / folder / LOG):
                    failure = self._make(folder, ["-o", "image.json"] if base_is_there else [])
            except Stopped:
                return [self._called_off(it, started) for it in members]
            if failure is None and self._key_of(folder) != key:
                # Whatever was built may be of neither state: tagged, it would be taken for one of them for ever.
                failure = f"the files in {folder} changed while it was built; run the same command again"
            for version in missing:
                digest = None if failure else self._read_image_file(folder, _file(version))
                if digest is None:
                    text = failure or f"`make` in {folder} wrote no {_file(version)}"
                    image = Unavailable(code=ReasonCode.BUILD_FAILED, text=text)
                    return [self._line(it, ImageStatus.FAILED, started, image) for it in missing]
                self._daemon.call(self._daemon.api.tag, digest, *tags[version.id].rsplit(":", 1))
                digests[version.id], statuses[version.id] = digest, ImageStatus.BUILT
        for tag in tags.values():
            self._keep(tag)
        return [
            self._line(it, statuses[it.id], started, Image(digest=digests[it.id] or "", build_key=key))
            for it in members
        ]

    def _write_image_files(self, folder: str, members: Iterable[Version], digests: Mapping[str, str | None]) -> None:
        """`image.json` says what the engine has for these very sources; a stale one would mislead `make`."""
        for version in members:
            path = self._root / folder / _file(version)
            digest = digests[version.id]
            if digest is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(json.dumps({"imageID": digest}) + "\n", encoding="utf-8")

    def _read_image_file(self, folder: str, name: str) -> str | None:
        try:
            return str(json.loads((self._root / folder / name).read_text(encoding="utf-8"))["imageID"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make(self, folder: str, arguments: list[str]) -> str | None:
        """Run make; None when it succeeded, else what it said last.

        :raises Stopped: it was called off
        :raises EngineError: there is no `docker` command for it to call
        """
        require_docker_command(self._daemon.address.environment)
        if shutil.which("make", path=self._daemon.address.environment.get("PATH")) is None:
            raise make_missing()
        log = self._root / folder / LOG
        log.unlink(missing_ok=True)
        try:
            self._commands.run(["make", "--no-print-directory", *arguments], log=log, folder=self._root / folder)
        except BuildError as error:
            # In words that are the same on every machine: they stand in the results.
            _, _, tail = error.message.partition("\n")
            return f"`make` in {folder} failed, its log is {folder}/{LOG}; it ends:\n{tail}"
        return None

    def _called_off(self, version: Version, started: float) -> ImageReport:
        why = Unavailable(code=ReasonCode.CANCELLED, text=f"{version.id} was not built: interrupted")
        return self._line(version, ImageStatus.UNAVAILABLE, started, why)

    def _keep(self, tag: str) -> None:
        if self._cache is None:
            return
        try:
            self._cache.save(tag, self._daemon)
        except (OSError, EngineError) as error:
            self._warn(f"cache: {tag} could not be kept: {error}")

    def _line(self, version: Version, status: ImageStatus, started: float, image: Image | Unavailable) -> ImageReport:
        found = self._daemon.image(image.digest) if isinstance(image, Image) else None
        size = int(found["Size"]) if found is not None else 0
        return ImageReport(
            version=version.id, status=status, seconds=time.monotonic() - started, size=size, image=image
        )


def _file(version: Version) -> str:
    return version.source.image_file if isinstance(version.source, BuildRecipe) else ""


def _without_name_server(words: str) -> str:
    """The addresses of the host's name servers say nothing to a reader."""
    return re.sub(r"(lookup \S+) on [\d.:\[\]a-f]+:\d+", r"\1", words)
