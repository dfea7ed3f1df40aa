"""An engine in one file: participants are threads that do what their image is called."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from ci.engines.backend import Backend, EngineOptions, no_network
from ci.engines.base import RunningParticipant, Sink, Slot
from ci.engines.coordination import RedisCoordinator
from ci.errors import EngineError
from ci.images.base import Image, ImageReport, ImageStatus, Watch, unwatched
from ci.images.caches.base import Limits
from ci.images.caches.chain import CacheChain
from ci.model import PublishedImage, Version
from ci.spec.attempt import AttemptSpec, Participant, Surroundings
from ci.spec.sandbox import Sandbox


class ToyParticipant:
    def __init__(self, participant: Participant, sink: Sink) -> None:
        self._participant = participant
        self._sink = sink
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._live)

    def _live(self) -> None:
        role, word = self._participant.role, self._participant.environment["WORD"]
        self._sink.output(role, "stdout", f"{word}\n".encode())
        if role == "callee":
            self._stopped.wait()
        self._sink.ended(role, int("rude" in self._participant.image), out_of_memory=False)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float) -> None:
        self._stopped.set()
        self._thread.join(timeout)

    def collect(self, source: str, target: Path, *, most_bytes: int) -> bool:
        return True

    def remove(self) -> None:
        self.stop(1)


class ToySlot:
    surroundings = Surroundings()
    generation = 0

    @property
    def coordinator(self) -> RedisCoordinator:
        raise EngineError("no-coordination", "toys meet nowhere")

    def restore(self, *roles: str) -> None: ...

    def prepare(
        self, participant: Participant, sink: Sink, labels: Mapping[str, str], inputs: Mapping[str, Path]
    ) -> RunningParticipant:
        return ToyParticipant(participant, sink)


class ToyEngine:
    name = "toy"

    def describe(self) -> dict[str, str | int]:
        return {"name": self.name}

    @contextmanager
    def slot(self, number: int) -> Iterator[Slot]:
        yield ToySlot()

    def sandbox(self) -> AbstractContextManager[Sandbox]:
        raise EngineError("no-sandbox", "toys read nothing")

    def reproduction(
        self, spec: AttemptSpec, slot: Slot, *, names: Mapping[str, str], folder: Path | None
    ) -> list[str]:
        return [f"echo {it.environment['WORD']}" for it in spec.participants]


class ToyImages:
    def __init__(self, caches: CacheChain | None) -> None:
        self._caches = caches

    def find(self, version: Version) -> Image:
        assert isinstance(version.source, PublishedImage)
        return Image(digest=version.source.reference)

    def missing_requirement(self, version: Version) -> None: ...

    def provide(
        self, versions: Iterable[Version], report: Callable[[ImageReport], None], watch: Watch = unwatched
    ) -> None:
        for version in versions:
            image = self.find(version)
            status = ImageStatus.PULLED
            if self._caches is not None:
                status = ImageStatus.LOADED if self._caches.restore(image.digest, self) else status
                self._caches.save(image.digest, self)
            report(ImageReport(version=version.id, status=status, seconds=0.0, image=image))

    def export(self, tag: str) -> Iterable[bytes]:
        return [tag.encode()]

    def load(self, archive: object) -> None: ...

    def fetch(self, reference: str, limits: Limits) -> None: ...

    def publish(self, reference: str, limits: Limits) -> None: ...

    def published(self, reference: str, limits: Limits) -> None: ...

    def alias(self, old: str, new: str) -> None: ...

    def forget(self, name: str) -> None: ...

    def packages(self, image: Image) -> None: ...

    def cached(self, version: Version) -> bool:
        return True

    def stop(self) -> None: ...


def open_backend(options: EngineOptions, reason: str) -> Backend:
    return Backend(
        why=f"engine: toys, {reason}",
        small=False,
        provider=ToyImages(options.caches),
        prepare=lambda *_: None,
        engine=ToyEngine,
        network=no_network,
    )
