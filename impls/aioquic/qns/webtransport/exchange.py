"""Files in a session: those of ours the peer asks for, and those of the peer's we want."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from .. import files
from ..protocol import PeerError
from .messages import Get, Push, parse
from .session import Origin, Session

#: Seconds between two datagrams that ask for a file. The queues on the way hold few packets, and an answer is as long
#: as a packet can be: 1 ms at 10 Mbit/s.
DATAGRAM_PACE = 0.005

#: Seconds without an answer after which what is still missing is asked for again, since datagrams get lost.
DATAGRAM_QUIET = 1.0


class Exchange:
    """Both directions of one session. `www` and `downloads` are the folders of this session's endpoint."""

    def __init__(self, session: Session, www: Path, downloads: Path) -> None:
        self._session = session
        self._www = www
        self._downloads = downloads
        self._missing: set[str] = set()
        self._asked: dict[int, str] = {}
        self._progress = asyncio.Event()
        self._failure: PeerError | None = None
        session.closed.add_done_callback(lambda _: self._progress.set())
        session.listen(self)

    async def fetch(self, names: Iterable[str], how: str) -> None:
        """Ask for files `how` the test case wants it; returns when all are on disk, `PeerError` if one will not be."""
        names = list(names)
        self._missing = set(names)
        if how == "datagram":
            asking = asyncio.create_task(self._ask_by_datagram(names))
            try:
                await self._complete()
            finally:
                asking.cancel()
            return
        for name in names:
            if how == "bidirectional":
                self._asked[self._session.ask(Get(name).encode())] = name
            else:
                self._session.send_stream(Get(name).encode())
        await self._complete()

    async def _complete(self) -> None:
        """Wait until nothing is missing, or nothing more can come."""
        while self._missing:
            self._progress.clear()
            if self._failure:
                raise self._failure
            if self._session.closed.done():
                self._session.closed.result()
                raise PeerError(f"the session was closed with {len(self._missing)} files missing")
            await self._progress.wait()

    async def _ask_by_datagram(self, names: list[str]) -> None:
        while names:
            for name in names:
                self._session.send_datagram(Get(name).encode())
                await asyncio.sleep(DATAGRAM_PACE)
            await self._quiet()
            names = [name for name in names if name in self._missing]

    async def _quiet(self) -> None:
        """Wait until no file has arrived for a while."""
        before = None
        while before != len(self._missing):
            before = len(self._missing)
            await asyncio.sleep(DATAGRAM_QUIET)

    # The session's listener.

    def message(self, origin: Origin, stream_id: int, data: bytes) -> None:
        """A message is complete."""
        if origin is Origin.ANSWER:
            self._keep(self._asked.pop(stream_id), data)
            return
        try:
            message = parse(data)
        except ValueError as error:
            print(f"qns: {error}", file=sys.stderr)
            return
        match message:
            case Push(name, content):
                self._keep(name, content)
            case Get(name):
                self._give(name, origin, stream_id)

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """Which file a stream would have pushed is not known, but what was asked for on it is."""
        if name := self._asked.pop(stream_id, None):
            self._failure = PeerError(f"{name}: {reason}")
            self._progress.set()

    def _keep(self, name: str, content: bytes) -> None:
        """Write what was asked for, once."""
        if name in self._missing:
            files.write(self._downloads, name, content)
            self._missing.discard(name)
            self._progress.set()

    def _give(self, name: str, origin: Origin, stream_id: int) -> None:
        """Send a file the way it was asked for."""
        try:
            content = files.read(self._www, name)
        except FileNotFoundError as error:
            print(f"qns: {error}", file=sys.stderr)
            if origin is Origin.BIDIRECTIONAL:
                self._session.refuse(stream_id)
            return
        ways: dict[Origin, Callable[[], object]] = {
            Origin.UNIDIRECTIONAL: lambda: self._session.send_stream(Push(name, content).encode()),
            Origin.BIDIRECTIONAL: lambda: self._session.answer(stream_id, content),
            Origin.DATAGRAM: lambda: self._session.send_datagram(Push(name, content).encode()),
        }
        ways[origin]()
