"""Images that somebody else has published: looked for in the engine, pulled where that is wanted, by reference."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ci.images.base import Image, PullPolicy, Unavailable
from ci.model import ReasonCode

if TYPE_CHECKING:
    from ci.engines.docker.daemon import Daemon

__all__ = ["PAUSES", "PublishedImages"]

# Of registries that are busy or limit their users; a job that waits longer is better run again.
PAUSES: Final = (2.0, 10.0, 40.0)
# How engines word that a registry is busy, limits its users, or was cut off in the middle.
_MAY_PASS: Final = re.compile(
    r"toomanyrequests|\b(?:429|5\d\d) [A-Z]|\bHTTP (?:429|5\d\d)\b|connection reset|\bEOF\b|broken pipe", re.ASCII
)


class PublishedImages:
    """Published images in one engine. Each is pulled once at most. Safe to use from several threads.

    :param policy: when they are pulled
    :param pauses: seconds to wait before each further try of a pull that failed for a reason that may pass
    :param platform: what the engine runs without emulation, such as `linux/amd64`; empty where that is not known
    :param warn: told of a registry that is asked again
    :param stopped: set once nobody wants an image any more
    """

    def __init__(
        self,
        daemon: Daemon,
        *,
        policy: PullPolicy,
        pauses: Sequence[float],
        platform: str,
        warn: Callable[[str], None],
        stopped: threading.Event,
    ) -> None:
        self._daemon = daemon
        self._policy = policy
        self._pauses = pauses
        self._platform = platform
        self._warn = warn
        self._stopped = stopped
        self._lock = threading.Lock()
        self._pulls: dict[str, threading.Lock] = {}
        self._answers: dict[str, str | None] = {}

    def is_here(self, reference: str) -> bool:
        return self._daemon.image(reference) is not None

    def find(self, reference: str) -> Image | Unavailable:
        """The image, pulled if need be."""
        trouble = None
        digest = self._digest(reference)
        if self._policy is PullPolicy.ALWAYS or (digest is None and self._policy is PullPolicy.MISSING):
            trouble = self._pulled(reference)
            digest = None if trouble else self._digest(reference)
        elif digest is None:
            trouble = "it is not here, and nothing is pulled (--pull never)"
        if digest is None:
            text = f"image {reference} cannot be pulled: {trouble or 'the engine has none of that name afterwards'}"
            return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text=text)
        return self._refuse_foreign(reference) or Image(digest=digest)

    def _pulled(self, reference: str) -> str | None:
        """As `_pull`, once for however many ask for it."""
        with self._lock:
            one_at_a_time = self._pulls.setdefault(reference, threading.Lock())
        with one_at_a_time:
            if reference not in self._answers:
                self._answers[reference] = self._pull(reference)
            return self._answers[reference]

    def _refuse_foreign(self, reference: str) -> Unavailable | None:
        """An engine would start what is for other processors in an emulator, which says nothing of an implementation
        in the time that it takes."""
        found = self._daemon.image(reference) or {}
        given = f"{found.get('Os', '')}/{found.get('Architecture', '')}"
        if not self._platform or given in ("/", self._platform):
            return None
        text = f"this host runs {self._platform}, and the image {reference} is for {given}: emulated, it would be slow"
        return Unavailable(code=ReasonCode.IMAGE_UNAVAILABLE, text=text)

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


def _without_name_server(words: str) -> str:
    """The addresses of the host's name servers say nothing to a reader."""
    return re.sub(r"(lookup \S+) on [\d.:\[\]a-f]+:\d+", r"\1", words)
