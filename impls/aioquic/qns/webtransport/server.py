"""The server of the WebTransport suite."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aioquic.h3.events import H3Event, HeadersReceived

from .. import files
from ..protocol import PeerError
from ..task import WEBTRANSPORT_TRANSFERS, Task, UnsupportedError, by_endpoint, endpoint_and_file
from .exchange import Exchange
from .negotiation import AVAILABLE, CHOSEN, NEGOTIATED, choose, format_string, parse_list
from .session import Session, SessionProtocol

TESTCASES = frozenset(["handshake", "transfer", *(name for name in WEBTRANSPORT_TRANSFERS if name.endswith("-send"))])


class SessionServer(SessionProtocol):
    """Answers CONNECT requests for the endpoints that are folders of `/www`."""

    def __init__(self, *args: Any, task: Task, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._task = task
        self._wanted = by_endpoint(list(task.requests))
        self._fetching: set[asyncio.Task[None]] = set()

    def http_event_received(self, event: H3Event) -> None:
        """A CONNECT, or something for a session."""
        if isinstance(event, HeadersReceived) and event.stream_id not in self.sessions:
            self._connect(event.stream_id, dict(event.headers))
        super().http_event_received(event)

    def _connect(self, stream_id: int, fields: dict[bytes, bytes]) -> None:
        """Accept a session, or say why not."""
        places = self._task.places
        # The name of the later drafts is that of the earlier ones with the protocol below it.
        if fields[b":method"] != b"CONNECT" or fields.get(b":protocol") not in (b"webtransport", b"webtransport-h3"):
            self._refuse(stream_id, b"405")
            return
        try:
            endpoint, _ = endpoint_and_file(fields[b":path"].decode())
            chosen = choose(parse_list(fields.get(AVAILABLE, b"")), self._task.protocols)
        except ValueError as error:
            print(f"qns: {error}", file=sys.stderr)
            self._refuse(stream_id, b"400")
            return
        if endpoint == ".." or not (places.www / endpoint).is_dir():
            self._refuse(stream_id, b"404")
            return

        headers = [(b":status", b"200")]
        if chosen is not None:
            headers.append((CHOSEN, format_string(chosen)))
            if self._task.testcase == "handshake":
                # Before the client can know, and so before the run can be over.
                files.write(places.downloads, NEGOTIATED, chosen.encode())
        self.h3.send_headers(stream_id, headers)
        session = self.add_session(stream_id)
        exchange = Exchange(session, places.www / endpoint, places.downloads / endpoint)
        if names := self._wanted.get(endpoint):
            fetching = asyncio.create_task(self._fetch(session, exchange, names))
            self._fetching.add(fetching)
            fetching.add_done_callback(self._fetching.discard)

    def _refuse(self, stream_id: int, status: bytes) -> None:
        self.h3.send_headers(stream_id, [(b":status", status)], end_stream=True)

    async def _fetch(self, session: Session, exchange: Exchange, names: list[str]) -> None:
        """Get files of the client, and close the session when they are there."""
        try:
            await exchange.fetch(names, WEBTRANSPORT_TRANSFERS[self._task.testcase])
        except PeerError as error:
            print(f"qns: {error}", file=sys.stderr)
        session.close()


def check(task: Task) -> None:
    """`UnsupportedError` for a test case this server does not do."""
    if task.testcase not in TESTCASES:
        raise UnsupportedError(f"the WebTransport server does not do {task.testcase!r}")
