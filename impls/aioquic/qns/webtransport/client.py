"""The client of the WebTransport suite."""

from __future__ import annotations

import asyncio
from typing import Any

from aioquic.h3.connection import Setting
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic.events import ConnectionTerminated, QuicEvent

from .. import files
from ..configuration import configured
from ..fetcher import connection
from ..protocol import PeerError, describe
from ..task import WEBTRANSPORT_TRANSFERS, Task, UnsupportedError, Url, by_endpoint
from .exchange import Exchange
from .negotiation import AVAILABLE, CHOSEN, NEGOTIATED, format_list, parse_string
from .session import Session, SessionProtocol

TESTCASES = frozenset(
    ["handshake", "transfer", *(name for name in WEBTRANSPORT_TRANSFERS if name.endswith("-receive"))]
)


class SessionClient(SessionProtocol):
    """Opens sessions."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._responses: dict[int, asyncio.Future[dict[bytes, bytes]]] = {}

    async def open_session(self, url: Url, path: str, protocols: tuple[str, ...]) -> tuple[Session, str | None]:
        """Open a session at a path; returns it and the protocol the server chose, `PeerError` if there is none."""
        await self._settings  # extended CONNECT is for servers that said they know it (RFC 9220, section 3)
        session_id = self._quic.get_next_available_stream_id()
        self._responses[session_id] = response = asyncio.get_running_loop().create_future()
        headers = [
            (b":method", b"CONNECT"),
            (b":protocol", b"webtransport"),
            (b":scheme", b"https"),
            (b":authority", url.authority.encode()),
            (b":path", path.encode()),
            (b"origin", f"https://{url.authority}".encode()),
        ]
        if protocols:
            headers.append((AVAILABLE, format_list(protocols)))
        self.h3.send_headers(session_id, headers)
        session = self.add_session(session_id)
        self.transmit()

        fields = await response
        if not fields[b":status"].startswith(b"2"):
            raise PeerError(f"the server refused {path} with status {fields[b':status'].decode()}")
        chosen = parse_string(fields[CHOSEN]) if CHOSEN in fields else None
        if chosen is not None and chosen not in protocols:
            raise PeerError(f"the server chose {chosen!r}, which was not offered")
        return session, chosen

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic."""
        super().quic_event_received(event)
        if self.http is not None and not self._settings.done():
            settings = self.h3.received_settings
            if settings is None:
                return
            if settings.get(Setting.ENABLE_CONNECT_PROTOCOL) == 1 and settings.get(Setting.H3_DATAGRAM) == 1:
                self._settings.set_result(None)
            else:
                self._settings.set_exception(PeerError("the server has no WebTransport"))

    def http_event_received(self, event: H3Event) -> None:
        """The answer to a CONNECT, or something for a session."""
        if isinstance(event, HeadersReceived):
            fields = dict(event.headers)
            response = self._responses.get(event.stream_id)
            if response is not None and not response.done() and not fields[b":status"].startswith(b"1"):
                response.set_result(fields)
        super().http_event_received(event)

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """A CONNECT is refused, or something in a session fails."""
        response = self._responses.get(stream_id)
        if response is not None and not response.done():
            response.set_exception(PeerError(reason))
        super().stream_failed(stream_id, reason)

    def terminated(self, event: ConnectionTerminated) -> None:
        """Nothing that is waited for will come."""
        futures: list[asyncio.Future[Any]] = [self._settings, *self._responses.values()]
        for waiting in futures:
            if not waiting.done():
                waiting.set_exception(PeerError(describe(event)))
                waiting.exception()  # it may be that nobody waits
        super().terminated(event)


async def run(task: Task) -> None:
    """Do what the test case wants in all sessions, side by side on one connection."""
    if task.testcase not in TESTCASES:
        raise UnsupportedError(f"the WebTransport client does not do {task.testcase!r}")
    wanted = by_endpoint([url.path for url in task.urls])
    with configured(task) as configuration:
        async with connection(task.urls[0], configuration, SessionClient) as client:
            await asyncio.gather(*(visit(task, client, endpoint, names) for endpoint, names in wanted.items()))


async def visit(task: Task, client: SessionClient, endpoint: str, names: list[str]) -> None:
    """One session from beginning to end."""
    session, chosen = await client.open_session(task.urls[0], f"/{endpoint}", task.protocols)
    exchange = Exchange(session, task.places.www / endpoint, task.places.downloads / endpoint)
    if task.testcase == "handshake":
        if chosen is None:
            raise PeerError("the server chose no application protocol")
        files.write(task.places.downloads, NEGOTIATED, chosen.encode())
    elif task.testcase == "transfer":
        await session.closed  # by the server, who knows when it has everything
    else:
        await exchange.fetch(names, WEBTRANSPORT_TRANSFERS[task.testcase])
    session.close()
