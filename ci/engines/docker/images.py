"""From a row of `versions.yaml` to an image the engine can run: content key, cache, `make`, pull.

Three rules: an image is fully determined by the content key of its folder; caching is only an optimisation, so
any fault of a cache is a warning and a build; a hit costs one question to the engine.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ci.engines.docker.address import require_docker_command
from ci.engines.docker.daemon import LABEL, Daemon
from ci.engines.docker.files import read_file
from ci.engines.docker.helper_image import make_missing
from ci.engines.docker.own_images import OwnImages, names_a_path
from ci.engines.docker.published import PAUSES, PublishedImages
from ci.errors import BuildError
from ci.images.base import Image, ImageReport, ImageStatus, PullPolicy, Unavailable, Watch, unwatched
from ci.images.build_commands import Commands
from ci.images.caches.folder import Stopped
from ci.images.packages import BUILD_STATUS, MOST_STATUS_BYTES, STATUS, package_list
from ci.model import BuildRecipe, PublishedImage, ReasonCode, Version

if TYPE_CHECKING:
    from ci.images.caches.chain import CacheChain

__all__ = ["Images"]

LOG: Final = "build.log"
# Says what an image was built as; `impls/image.mk` writes it.
KEY_LABEL: Final = f"{LABEL}.key"


class Images:
    """The images of a catalogue in one engine.

    :param root: the checkout
    :param key_of: content key of a build folder (relative to `root`)
    :param caches: where images are kept outside the engine, if anywhere
    :param jobs: how many folders are built at once
    :param pull: when published images are pulled
    :param platform: what the engine runs without emulation, such as `linux/amd64`
    :param warn: told of a registry that is asked again
    :param pauses: seconds to wait before each further try of a pull that failed for a reason that may pass
    :param commands: what `make` is run with, and ended by `stop`
    """

    def __init__(
        self,
        daemon: Daemon,
        *,
        root: Path,
        key_of: Callable[[str], str],
        caches: CacheChain | None = None,
        jobs: int = 1,
        pull: PullPolicy = PullPolicy.MISSING,
        platform: str = "",
        warn: Callable[[str], None] = lambda _: None,
        pauses: Sequence[float] = PAUSES,
        commands: Commands | None = None,
    ) -> None:
        self._daemon = daemon
        self._root = root
        self._key_of = key_of
        self._caches = caches
        self._jobs = jobs
        self._stopped = threading.Event()
        self._published = PublishedImages(
            daemon, policy=pull, pauses=pauses, platform=platform, warn=warn, stopped=self._stopped
        )
        self._commands = commands or Commands(daemon.address.environment)
        self._own = OwnImages(daemon, self._commands)

    # --- what is there --------------------------------------------------------------------------------

    def find(self, version: Version) -> Image | Unavailable:
        """The image a case will run, without building anything; a published one is pulled if need be."""
        if isinstance(version.source, PublishedImage):
            return self._given(version.source.reference)
        key = self._key_of(version.source.folder)
        tag = self.tag(version, key)
        digest = self._digest(tag)
        if digest is None and self._from_caches(version, key) is not None:
            digest = self._digest(tag)
        if digest is None:
            return Unavailable(
                code=ReasonCode.BUILD_FAILED,
                text=f"no image {tag}: it was not built here, or its build failed{_build_it(version)}",
            )
        return Image(digest=digest, build_key=key)

    def _given(self, reference: str) -> Image | Unavailable:
        return (self._own if names_a_path(reference) else self._published).find(reference)

    def packages(self, image: Image) -> str | None:
        """See `Provider.packages`."""
        if image.build_key is None:
            return None
        labels = self._daemon.labels(role="packages")
        container = self._daemon.call(self._daemon.api.create_container, image.digest, ["nothing"], labels=labels)["Id"]
        try:
            read = partial(read_file, self._daemon, container, most_bytes=MOST_STATUS_BYTES)
            return package_list(read(STATUS), read(BUILD_STATUS))
        finally:
            self._daemon.remove(container)

    def missing_requirement(self, version: Version) -> str | None:
        """See `Provider.missing_requirement`: whether an image can be pulled shows when it is."""
        del version
        return None

    @staticmethod
    def tag(version: Version, key: str) -> str:
        """The name an image has in the engine: version and content key, so an old image is never taken for new."""
        return f"interop/{version.id.lower()}:{key[:16]}"

    def _digest(self, reference: str) -> str | None:
        found = self._daemon.image(reference)
        return None if found is None else str(found["Id"])

    def _from_caches(self, version: Version, key: str, *, then: str = "") -> str | None:
        """Which cache has given the engine this image, if any has.

        :param then: what is done where it cannot be had from there, for the warning
        """
        if self._caches is None:
            return None
        tag = self.tag(version, key)

        def objection() -> str | None:
            labels = ((self._daemon.image(tag) or {}).get("Config") or {}).get("Labels") or {}
            built_as = labels.get(KEY_LABEL) or "an image of unknown origin"
            return None if built_as == _label(version, key) else f"what is kept by that name is {built_as}"

        try:
            return self._caches.restore(tag, self._daemon, objection=objection, then=then)
        except Stopped:
            return None  # and nothing is built instead

    def cached(self, version: Version) -> bool:
        """See `Provider.cached`."""
        if isinstance(version.source, PublishedImage):
            return True
        tag = self.tag(version, self._key_of(version.source.folder))
        return self._caches is not None and self._caches.has(tag, self._daemon)

    # --- making what is not there ---------------------------------------------------------------------

    def provide(
        self, versions: Iterable[Version], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        """Build or fetch for these versions; `report` is told about each as soon as it is done, from any thread.

        What is in a cache is fetched first, several at once; then what is not is built, `jobs` folders at once, while
        pulls still run. Versions that share a folder are made one after the other, each from what is there by then.
        """
        folders: dict[str, list[Version]] = {}
        published: list[Version] = []
        for version in versions:
            if isinstance(version.source, BuildRecipe):
                folders.setdefault(version.source.folder, []).append(version)
            else:
                published.append(version)
        with ThreadPoolExecutor(max_workers=4) as pool, ThreadPoolExecutor(max_workers=self._jobs) as builders:
            # Told as soon as they are known: a build may take a quarter of an hour.
            pulls = [pool.submit(lambda version: report(self._fetch(version)), version) for version in published]
            looks = [pool.submit(self._look, folder, members) for folder, members in folders.items()]
            builds: list[Future[None]] = []
            for look in looks:
                found = look.result()
                for line in found.there:
                    report(line)
                if found.missing:
                    builds.append(builders.submit(self._build_and_report, found, report, watch))
            for task in (*builds, *pulls):
                task.result()

    def stop(self) -> None:
        """See `Provider.stop`."""
        self._stopped.set()
        if self._caches is not None:
            self._caches.stop()
        self._commands.stop()

    def _fetch(self, version: Version) -> ImageReport:
        started = time.monotonic()
        assert isinstance(version.source, PublishedImage)  # noqa: S101 -- sorted by the caller
        reference = version.source.reference
        there = not names_a_path(reference) and self._published.is_here(reference)
        image = self._given(reference)
        if isinstance(image, Unavailable):
            if self._stopped.is_set():
                return self._called_off(version, started)
            status = ImageStatus.UNAVAILABLE
        else:
            status = ImageStatus.HIT if there else ImageStatus.PULLED
        return self._line(version, status, started, image)

    def _look(self, folder: str, members: list[Version]) -> _Folder:
        """What of a folder is in the engine or in a cache."""
        started = time.monotonic()
        if self._stopped.is_set():
            return _Folder(folder=folder, there=[self._called_off(it, started) for it in members])
        key = self._key_of(folder)
        digests: dict[str, str | None] = {}
        there = []
        for version in members:
            began = time.monotonic()
            tag, source = self.tag(version, key), None
            digest = self._digest(tag)
            if digest is None:
                source = self._from_caches(version, key, then=", it is built instead")
                digest = self._digest(tag) if source else None
            digests[version.id] = digest
            if digest is not None:
                self._keep(tag)
                status = ImageStatus.LOADED if source else ImageStatus.HIT
                image = Image(digest=digest, build_key=key)
                there.append(self._line(version, status, began, image, source=source))
        self._write_image_files(folder, members, digests)
        missing = [version for version in members if digests[version.id] is None]
        base_is_there = any(_file(it) == "image.json" and digests[it.id] for it in members)
        return _Folder(folder=folder, key=key, there=there, missing=missing, base_is_there=base_is_there)

    def _build_and_report(self, found: _Folder, report: Callable[[ImageReport], None], watch: Watch) -> None:
        for line in self._build(found, watch):
            report(line)

    def _build(self, found: _Folder, watch: Watch) -> list[ImageReport]:
        """Make what is missing."""
        started = time.monotonic()
        folder, key, missing = found.folder, found.key, found.missing
        if self._stopped.is_set():
            return [self._called_off(it, started) for it in missing]
        # image.json is there and counts as up to date: only what derives from it is built.
        base_is_there = found.base_is_there
        try:
            with watch(", ".join(it.id for it in missing), self._root / folder / LOG):
                failure = self._make(folder, ["-o", "image.json"] if base_is_there else [], key)
        except Stopped:
            return [self._called_off(it, started) for it in missing]
        if failure is None and self._key_of(folder) != key:
            # Whatever was built may be of neither state: tagged, it would be taken for one of them for ever.
            failure = f"the files in {folder} changed while it was built; run the same command again"
        lines = []
        for version in missing:
            digest = None if failure else self._read_image_file(folder, _file(version))
            if digest is None:
                text = failure or f"`make` in {folder} wrote no {_file(version)}"
                image = Unavailable(code=ReasonCode.BUILD_FAILED, text=text)
                return [self._line(it, ImageStatus.FAILED, started, image) for it in missing]
            tag = self.tag(version, key)
            self._daemon.alias(digest, tag)
            lines.append(self._line(version, ImageStatus.BUILT, started, Image(digest=digest, build_key=key)))
        for version in missing:
            self._keep(self.tag(version, key))
        return lines

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

    def _make(self, folder: str, arguments: list[str], key: str) -> str | None:
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
            self._commands.run(
                ["make", "--no-print-directory", *arguments, f"KEY={key}"], log=log, folder=self._root / folder
            )
        except BuildError as error:
            # In words that are the same on every machine: they stand in the results.
            _, _, tail = error.message.partition("\n")
            return f"`make` in {folder} failed, its log is {folder}/{LOG}; it ends:\n{tail}"
        return None

    def _called_off(self, version: Version, started: float) -> ImageReport:
        why = Unavailable(code=ReasonCode.CANCELLED, text=f"{version.id} was not built: interrupted")
        return self._line(version, ImageStatus.UNAVAILABLE, started, why)

    def _keep(self, tag: str) -> None:
        if self._caches is not None:
            self._caches.save(tag, self._daemon)

    def _line(
        self,
        version: Version,
        status: ImageStatus,
        started: float,
        image: Image | Unavailable,
        source: str | None = None,
    ) -> ImageReport:
        found = self._daemon.image(image.digest) if isinstance(image, Image) else None
        return ImageReport(
            version=version.id,
            status=status,
            seconds=time.monotonic() - started,
            size=int(found["Size"]) if found is not None else 0,
            source=source,
            image=image,
        )


@dataclass(frozen=True, kw_only=True)
class _Folder:
    """What was found of the images that a folder makes.

    :param there: a line each about those that need not be made
    :param base_is_there: one of them is what the others are derived from
    """

    folder: str
    key: str = ""
    there: Sequence[ImageReport]
    missing: Sequence[Version] = ()
    base_is_there: bool = False


def _label(version: Version, key: str) -> str:
    """What an image is labelled with (`impls/image.mk`): whatever name it gets, it tells what it was built as."""
    return f"{key}/{_file(version)}"


def _file(version: Version) -> str:
    return version.source.image_file if isinstance(version.source, BuildRecipe) else ""


def _build_it(version: Version) -> str:
    """The command, for a version; auxiliary images are of no suite, and who needs one says how to have it."""
    if not version.suites:
        return ""
    return f"; build it with `nox -s build-images -- --suite {version.suites[0]} {version.id}`"
