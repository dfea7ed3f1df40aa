"""The server of both suites."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from aioquic.asyncio import serve
from aioquic.asyncio.server import QuicServer
from aioquic.h3.connection import ErrorCode, H3Connection
from aioquic.h3.events import H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.tls import SessionTicket

from . import files
from .configuration import configured
from .protocol import HttpProtocol
from .task import Task, UnsupportedError
from .webtransport.server import SessionServer, check

TESTCASES = frozenset(
    "handshake transfer chacha20 retry resumption zerortt http3 v2 multiconnect".split()  # noqa: SIM905
)


class Responder(HttpProtocol):
    """Answers GETs with the files of one folder."""

    def __init__(self, *args: Any, www: Path, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._www = www

    def http_event_received(self, event: H3Event) -> None:
        """A request begins; it has no content worth waiting for."""
        if not isinstance(event, HeadersReceived) or self.http is None:
            return
        fields = dict(event.headers)
        if fields.get(b":method") != b"GET":
            return
        try:
            content = files.read(self._www, fields[b":path"].decode())
        except (FileNotFoundError, UnicodeDecodeError):
            self._refuse(event.stream_id)
            return
        self.http.send_headers(event.stream_id, [(b":status", b"200"), (b"content-length", str(len(content)).encode())])
        self.http.send_data(event.stream_id, content, end_stream=True)

    def _refuse(self, stream_id: int) -> None:
        if isinstance(self.http, H3Connection):
            self.http.send_headers(stream_id, [(b":status", b"404")], end_stream=True)
        else:
            # HTTP/0.9 has no status: whatever is sent would be taken for the file.
            self._quic.reset_stream(stream_id, ErrorCode.H3_REQUEST_REJECTED)


async def run(task: Task) -> None:
    """Serve until cancelled; connections are closed and logs complete when this ends."""
    create: Callable[..., HttpProtocol]
    if task.is_webtransport:
        check(task)
        create = partial(SessionServer, task=task)
    elif task.testcase in TESTCASES:
        create = partial(Responder, www=task.places.www)
    else:
        raise UnsupportedError(f"the server does not do {task.testcase!r}")

    with configured(task) as configuration:
        server = await listen(task, configuration, create)
        try:
            await asyncio.Event().wait()
        finally:
            server.close()


async def listen(task: Task, configuration: QuicConfiguration, create: Callable[..., HttpProtocol]) -> QuicServer:
    """Bind the port, for IPv4 and IPv6 at once."""
    tickets: dict[bytes, SessionTicket] = {}

    def issue(ticket: SessionTicket) -> None:
        tickets[ticket.ticket] = ticket

    def redeem(label: bytes) -> SessionTicket | None:
        return tickets.pop(label, None)

    return await serve(
        "::",
        task.places.port,
        configuration=configuration,
        create_protocol=create,
        session_ticket_handler=issue,
        session_ticket_fetcher=redeem,
        retry=task.testcase == "retry",
    )
