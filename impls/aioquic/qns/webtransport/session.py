"""WebTransport sessions on one HTTP/3 connection."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import Any, Protocol

from aioquic.buffer import encode_uint_var
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DatagramReceived, DataReceived, H3Event, WebTransportStreamDataReceived
from aioquic.quic.connection import stream_is_unidirectional
from aioquic.quic.events import ConnectionTerminated, QuicEvent, StreamDataReceived, StreamReset

from ..protocol import CLEAN_ENDS, HttpProtocol, PeerError, describe

#: Capsule that closes a session (draft-ietf-webtrans-http3, section 6), here with code 0 and no message.
CLOSE_SESSION = encode_uint_var(0x2843) + encode_uint_var(4) + bytes(4)

#: HTTP/3 error that carries the application's error 0 (draft-ietf-webtrans-http3, section 4.4).
APPLICATION_ERROR_0 = 0x52E4A40FA8DB


#: Bytes of a packet that are not a datagram's: header (25 with the longest connection id and packet number), tag (16),
#: frame type and length (5), session (8).
PACKET_OVERHEAD = 54


class Origin(Enum):
    """On what a message came."""

    UNIDIRECTIONAL = "unidirectional"
    BIDIRECTIONAL = "bidirectional"
    ANSWER = "answer"
    DATAGRAM = "datagram"


class Listener(Protocol):
    """Who is told of everything that arrives in a session."""

    def message(self, origin: Origin, stream_id: int, data: bytes) -> None:
        """A stream was read to its end, or a datagram came (which has no stream)."""

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """A stream will have no end."""


class Session:
    """One session: its streams are collected until they end, and then told of.

    `closed` is done when the session is over: without a result if in order, else with a `PeerError`.
    """

    def __init__(self, protocol: SessionProtocol, session_id: int) -> None:
        self.session_id = session_id
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.listener: Listener | None = None
        self._protocol = protocol
        self._incoming: dict[int, bytearray] = {}
        self._waiting: list[tuple[Origin, int, bytes]] = []

    def listen(self, listener: Listener) -> None:
        """Tell a listener of everything from now on, and of what came before there was one."""
        self.listener = listener
        waiting, self._waiting = self._waiting, []
        for message in waiting:
            listener.message(*message)

    def send_stream(self, data: bytes) -> int:
        """Send a message on a new unidirectional stream."""
        return self._protocol.open_stream(self, data, is_unidirectional=True)

    def ask(self, data: bytes) -> int:
        """Send a message on a new bidirectional stream; what the peer answers there is told as an ANSWER."""
        return self._protocol.open_stream(self, data, is_unidirectional=False)

    def answer(self, stream_id: int, data: bytes) -> None:
        """Answer on a bidirectional stream of the peer."""
        self._protocol.send(stream_id, data)

    def refuse(self, stream_id: int) -> None:
        """Answer a bidirectional stream of the peer with a reset."""
        self._protocol.reset(stream_id)

    def send_datagram(self, data: bytes) -> None:
        """Send a message as a datagram, which may get lost."""
        self._protocol.send_datagram(self, data)

    def close(self) -> None:
        """Close the session, in order."""
        if not self.closed.done():
            self._protocol.close_session(self)
            self.over(None)

    # What the connection reports.

    def stream_data(self, origin: Origin, stream_id: int, data: bytes, *, ended: bool) -> None:
        """A part of a stream arrived."""
        self._incoming.setdefault(stream_id, bytearray()).extend(data)
        if ended:
            self.message(origin, stream_id, bytes(self._incoming.pop(stream_id)))

    def message(self, origin: Origin, stream_id: int, data: bytes) -> None:
        """A message is complete."""
        if self.listener is None:
            self._waiting.append((origin, stream_id, data))
        else:
            self.listener.message(origin, stream_id, data)

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """The peer reset a stream."""
        self._incoming.pop(stream_id, None)
        if self.listener is not None:
            self.listener.stream_failed(stream_id, reason)

    def over(self, error: PeerError | None) -> None:
        """Nothing more will happen in this session."""
        if self.closed.done():
            return
        if error is None:
            self.closed.set_result(None)
        else:
            self.closed.set_exception(error)
            self.closed.exception()  # nobody need be interested


class SessionProtocol(HttpProtocol):
    """A connection with sessions. What arrives for a session that is not there yet waits for it."""

    enable_webtransport = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sessions: dict[int, Session] = {}
        self._early: dict[int, list[H3Event]] = {}
        self._asked: dict[int, Session] = {}
        self._session_of: dict[int, Session] = {}

    @property
    def h3(self) -> H3Connection:
        """HTTP/3, the only protocol offered for WebTransport."""
        if not isinstance(self.http, H3Connection):
            raise PeerError("HTTP/3 was not negotiated")
        return self.http

    def add_session(self, session_id: int) -> Session:
        """A session begins: the CONNECT request has been sent, or is being answered."""
        session = self.sessions[session_id] = Session(self, session_id)
        for event in self._early.pop(session_id, []):
            self.http_event_received(event)
        return session

    # What sessions want done. Everything is sent soon, together with what else comes up meanwhile.

    def open_stream(self, session: Session, data: bytes, *, is_unidirectional: bool) -> int:
        """Send a message on a stream of its own."""
        stream_id = self.h3.create_webtransport_stream(session.session_id, is_unidirectional=is_unidirectional)
        if not is_unidirectional:
            self._asked[stream_id] = session
        self.send(stream_id, data)
        return stream_id

    def send(self, stream_id: int, data: bytes) -> None:
        """Send a message on a stream, and end it."""
        self._quic.send_stream_data(stream_id, data, end_stream=True)
        self._transmit_soon()

    def reset(self, stream_id: int) -> None:
        """End a stream without saying anything."""
        self._quic.reset_stream(stream_id, APPLICATION_ERROR_0)
        self._transmit_soon()

    def send_datagram(self, session: Session, data: bytes) -> None:
        """Send a datagram in a session; `ValueError` if it fits into no packet, which aioquic would try for ever."""
        if len(data) > self._quic.configuration.max_datagram_size - PACKET_OVERHEAD:
            raise ValueError(f"a datagram of {len(data)} bytes does not fit into a packet")
        self.h3.send_datagram(session.session_id, data)
        self._transmit_soon()

    def close_session(self, session: Session) -> None:
        """Say that a session is closed."""
        self.h3.send_data(session.session_id, CLOSE_SESSION, end_stream=True)
        self._transmit_soon()

    # What aioquic reports.

    def quic_event_received(self, event: QuicEvent) -> None:
        """Called by aioquic."""
        # aioquic 1.7 takes what the peer sends on a bidirectional stream of ours for HTTP/3 frames.
        if isinstance(event, StreamDataReceived) and (session := self._asked.get(event.stream_id)):
            session.stream_data(Origin.ANSWER, event.stream_id, event.data, ended=event.end_stream)
            if event.end_stream:
                del self._asked[event.stream_id]
        elif isinstance(event, StreamReset) and (session := self._asked.pop(event.stream_id, None)):
            session.stream_failed(event.stream_id, f"the peer reset stream {event.stream_id}")
        else:
            super().quic_event_received(event)

    def http_event_received(self, event: H3Event) -> None:
        """Something for a session; the rest is the business of each role."""
        match event:
            case WebTransportStreamDataReceived(session_id=session_id) | DatagramReceived(stream_id=session_id):
                if session := self.sessions.get(session_id):
                    self._tell(session, event)
                else:
                    self._early.setdefault(session_id, []).append(event)
            case DataReceived(stream_id=session_id, stream_ended=True) if session_id in self.sessions:
                # Before it comes at most the capsule that says why, and the end says enough.
                self.sessions[session_id].over(None)

    def stream_failed(self, stream_id: int, reason: str) -> None:
        """The peer reset a stream of its own, or the one a session hangs on."""
        if stream_id in self.sessions:
            self.sessions[stream_id].over(PeerError(reason))
        elif session := self._session_of.get(stream_id):
            session.stream_failed(stream_id, reason)

    def terminated(self, event: ConnectionTerminated) -> None:
        """All sessions are over."""
        error = None if event.error_code in CLEAN_ENDS else PeerError(describe(event))
        for session in self.sessions.values():
            session.over(error)

    def _tell(self, session: Session, event: WebTransportStreamDataReceived | DatagramReceived) -> None:
        if isinstance(event, DatagramReceived):
            session.message(Origin.DATAGRAM, -1, event.data)
            return
        self._session_of[event.stream_id] = session
        origin = Origin.UNIDIRECTIONAL if stream_is_unidirectional(event.stream_id) else Origin.BIDIRECTIONAL
        session.stream_data(origin, event.stream_id, event.data, ended=event.stream_ended)
