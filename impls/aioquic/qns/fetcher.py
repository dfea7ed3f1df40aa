"""A client's connection that fetches files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from aioquic.asyncio import connect
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated
from aioquic.tls import SessionTicketHandler

from . import files
from .protocol import HttpProtocol, PeerError, describe
from .task import Url

P = TypeVar("P", bound=HttpProtocol)


class Fetcher(HttpProtocol):
    """Sends GETs and keeps what comes until it is complete."""

    #: Bytes after which the keys are updated once, if they are to be.
    key_update_after: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bodies: dict[int, bytearray] = {}
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._received = 0

    async def fetch(self, urls: Iterable[Url], downloads: Path) -> None:
        """Fetch files side by side, a stream each, and write them; `PeerError` unless all arrive."""
        answers = [(url, self.request(url)) for url in urls]
        self.transmit()
        await asyncio.gather(*(keep(answer, downloads, url) for url, answer in answers))

    def request(self, url: Url) -> asyncio.Future[bytes]:
        """Queue one GET; the content will be complete when it is there. Sent by the next `transmit()`."""
        if self.http is None:
            raise PeerError("no application protocol was negotiated")
        stream_id = self._quic.get_next_available_stream_id()
        self._bodies[stream_id] = bytearray()
        self._answers[stream_id] = answer = asyncio.get_running_loop().create_future()
        self.http.send_headers(
            stream_id,
            [
                (b":method", b"GET"),
                (b":scheme", b"https"),
                (b":authority", url.authority.encode()),
                (b":path", url.path.encode()),
            ],
            end_stream=True,
        )
        return answer

    def http_event_received(self, event: H3Event) -> None:
        """Headers or data of an answer."""
        if isinstance(event, HeadersReceived):
            status = dict(event.headers).get(b":status", b"200").decode()
            if status != "200" and not status.startswith("1"):
                self.stream_failed(event.stream_id, f"the server answered with status {status}")
        elif isinstance(event, DataReceived) and event.stream_id in self._bodies:
            self._bodies[event.stream_id] += event.data
            self._count(len(event.data))
        if isinstance(event, HeadersReceived | DataReceived) and event.stream_ended:
            body = self._bodies.pop(event.stream_id, None)
            answer = self._answers.pop(event.stream_id, None)
            if body is not None and answer is not None:
                answer.set_result(bytes(body))

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """One answer will not be complete."""
        self._bodies.pop(stream_id, None)
        answer = self._answers.pop(stream_id, None)
        if answer is not None:
            answer.set_exception(PeerError(reason))

    def terminated(self, event: ConnectionTerminated) -> None:
        """No answer will be complete."""
        for stream_id in list(self._answers):
            self.stream_failed(stream_id, describe(event))

    def _count(self, size: int) -> None:
        self._received += size
        if self.key_update_after is not None and self._received >= self.key_update_after:
            self.key_update_after = None
            self.request_key_update()


async def keep(answer: asyncio.Future[bytes], downloads: Path, url: Url) -> None:
    """Write a file as soon as it is complete."""
    try:
        files.write(downloads, url.file, await answer)
    except PeerError as error:
        raise PeerError(f"{url.path}: {error}") from error


@asynccontextmanager
async def connection(
    url: Url,
    configuration: QuicConfiguration,
    protocol: type[P],
    *,
    on_ticket: SessionTicketHandler | None = None,
    wait: bool = True,
) -> AsyncIterator[P]:
    """One connection to the server of a URL, closed at the end; there is never a second attempt.

    Without `wait`, nothing has been sent yet: what is queued before the first `transmit()` becomes early data.
    """
    async with connect(
        url.host,
        url.port,
        configuration=configuration,
        create_protocol=protocol,
        session_ticket_handler=on_ticket,
        wait_connected=False,
    ) as connected:
        client = cast("P", connected)
        if wait:
            client.transmit()
            try:
                await client.wait_connected()
            except ConnectionError:
                raise PeerError(describe(client.end)) from None
        yield client
